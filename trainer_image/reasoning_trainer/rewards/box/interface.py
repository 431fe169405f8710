"""What a box offers: a user's function is called with a batch, and numbers come back, or None with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from .inside.walls import Walls

OnMissingWall = Literal["refuse", "run"]
TRIES = 2
"""How often a batch is tried."""


class Problem(NamedTuple):
    """Why something was not scored."""

    row: int | None
    """The row, if it is one row's and known."""
    message: str
    """Names function, row and line, and gives the end of the traceback."""
    line: int | None
    """The line of the user's source, if known."""


@dataclass(frozen=True)
class Function:
    """A function of the user's.

    Parameters
    ----------
    name
        Its name in the source or the module.
    source, module
        The text that defines it, or a module to import it from; one of the two.
    params
        Further keyword arguments for it: JSON values.
    origin
        Where the source stands, as messages are to name it: a field, or a file.
    """

    name: str
    source: str | None = None
    module: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    origin: str = "source"

    def __post_init__(self) -> None:
        if (self.source is None) == (self.module is None):
            raise ValueError(f"function {self.name}: give its source or its module, and not both")

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"params": dict(self.params)}


@dataclass(frozen=True)
class BoxAnswer:
    """What became of a batch.

    Parameters
    ----------
    values
        A finite number a row; None where it was not scored.
    problems
        Why not, the first ones; a row may be None without any, if the function said None.
    printed
        The beginning of what the code printed.
    """

    values: list[float | None]
    problems: list[Problem] = field(default_factory=list)
    printed: str = ""


class BoxError(Exception):
    """A box that cannot be had: it does not start, or it would be open."""


class MissingWallError(BoxError):
    """A box that would be open on this kernel."""

    def __init__(self, walls: Walls) -> None:
        told = "; ".join(f"{wall} ({why})" for wall, why in walls.missing.items())
        super().__init__(f"the box would be open: it has no wall around {told}")
        self.walls = walls


def demand(walls: Walls, on_missing_wall: OnMissingWall) -> Walls:
    """Return the walls.

    Raises
    ------
    MissingWallError
        If one is missing, and that is to be refused.
    """
    if walls.missing and on_missing_wall == "refuse":
        raise MissingWallError(walls)
    return walls


def rows_of(arguments: Mapping[str, Sequence[Any]]) -> int:
    """Return how many rows a batch has.

    Raises
    ------
    ValueError
        If its columns are not of one length.
    """
    lengths = {name: len(column) for name, column in arguments.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"the columns of a batch have one length, not {lengths}")
    return next(iter(lengths.values()))


class Box(Protocol):
    """Runs users' functions behind walls."""

    def start(self) -> Walls:
        """Start it, if it does not run, and return which walls stand.

        Raises
        ------
        BoxError
            If it cannot be had.
        """

    def call(
        self, function: Function, arguments: Mapping[str, list[Any]], deadline: float, tries: int = TRIES
    ) -> BoxAnswer:
        """Call a function with a batch: columns of JSON values, one value a row, handed over by name.

        A box that hangs, dies or answers rubbish is started again, and the batch tried anew as often as may be.

        Parameters
        ----------
        function
            Whose code is loaded when it is first called.
        arguments
            Columns of the batch; a function without ``**kwargs`` gets those that it has names for. One without rows
            loads the function and calls nothing.
        deadline
            Seconds that one try may take.
        tries
            How often it is tried.

        Raises
        ------
        BoxError
            If the box cannot be had; never for what the function does.
        """

    def close(self) -> None:
        """End it."""
