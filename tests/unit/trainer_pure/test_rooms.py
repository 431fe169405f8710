"""Who may import whom in the trainer: rooms stand in one order, and arrows point down only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "trainer_image/reasoning_trainer"
LAYERS = [
    {"__main__"},
    {"command_line"},
    {"commands"},
    {"worker"},
    {"pipeline"},
    {"stages"},
    {"algorithms"},
    {"export", "backends"},
    {"storage.model_files"},
    {"attempt"},
    {"rewards", "chat", "evaluation", "supervisor"},
    {"reporting"},
    {"data"},
    {"job"},
    {"storage", "outcomes"},
    {"interruption", "guards", "resource_failures", "environment"},
    {"errors", "reporting.memory"},
]
"""Rooms, and modules that stand alone, from the edge to the core: each imports only from below or from its own."""
TYPES_ONLY = {"TYPE_CHECKING"}


def modules() -> dict[str, Path]:
    paths = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in paths.items() if name != "__init__"}


def imported(name: str, path: Path) -> Iterator[str]:
    for node in _run(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
            base = [*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                full = ".".join([*base, alias.name])
                yield full if full in modules() else ".".join(base)


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield nodes that are run: an import under TYPE_CHECKING is none."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id in TYPES_ONLY:
            continue
        yield node
        yield from _run(node)


def room_of(name: str) -> str:
    rooms = set().union(*LAYERS)
    return max((room for room in rooms if name == room or name.startswith(f"{room}.")), key=len, default="")


def layer_of(name: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if room_of(name) in layer)


@pytest.mark.parametrize("name", sorted(modules()))
def test_module_imports_only_from_below_or_its_own_room(name: str) -> None:
    own = [other for other in imported(name, modules()[name]) if room_of(other) != room_of(name)]
    assert [other for other in own if layer_of(other) <= layer_of(name)] == []


def test_every_module_has_a_room() -> None:
    assert [name for name in modules() if not room_of(name)] == []


def test_every_room_stands() -> None:
    assert {room for layer in LAYERS for room in layer if not any(room_of(name) == room for name in modules())} == set()
