"""What is scored at once: a batch of completions, with their prompts and the columns of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..data.examples import Example
from .completion import Conversation, Sample, text_of


@dataclass(frozen=True)
class Batch:
    """Completions, each with its prompt and its row.

    Attributes
    ----------
    prompts, completions
        In the form that TRL has them in: conversations where the job has a chat template, else texts.
    completion_ids
        Tokens of the completions; None where they are not known.
    columns
        Columns of the rows, each by its own name, and the answer by that of its role.
    accepted
        The answers that are right, of each; None where that is the column `answer`.
    """

    prompts: Sequence[str | Conversation]
    completions: Sequence[str | Conversation]
    completion_ids: Sequence[Sequence[int]] | None = None
    columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    accepted: Sequence[Sequence[str]] | None = None

    def __post_init__(self) -> None:
        lengths = [len(self.prompts), *map(len, self.columns.values())]
        lengths += [len(each) for each in (self.completion_ids, self.accepted) if each is not None]
        if any(length != len(self) for length in lengths):
            raise ValueError(f"a batch of {len(self)} completions has parts of other lengths: {lengths}")

    def __len__(self) -> int:
        return len(self.completions)

    @property
    def prompt_texts(self) -> list[str]:
        """The prompts as texts."""
        return [text_of(prompt) for prompt in self.prompts]

    @property
    def completion_texts(self) -> list[str]:
        """The completions as texts."""
        return [text_of(completion) for completion in self.completions]

    def samples(self) -> Iterator[Sample]:
        """Yield the completions one by one."""
        nothing = [None] * len(self)
        lengths = nothing if self.completion_ids is None else [len(ids) for ids in self.completion_ids]
        answers = self.columns.get("answer", nothing) if self.accepted is None else self.accepted
        for prompt, text, length, answer in zip(
            self.prompt_texts, self.completion_texts, lengths, answers, strict=True
        ):
            yield Sample(text, prompt, length, answer)


def batch_of(
    rows: Sequence[Example],
    prompts: Sequence[str | Conversation],
    completions: Sequence[str | Conversation],
    completion_ids: Sequence[Sequence[int]] | None = None,
) -> Batch:
    """Return the batch of completions, one of each row; a column that a row lacks is None there."""
    named = [row.by_name for row in rows]
    names = dict.fromkeys(name for row in named for name in row)
    columns = {name: [row.get(name) for row in named] for name in names}
    return Batch(prompts, completions, completion_ids, columns, [row.accepted for row in rows])


class Scorer(Protocol):
    """What scores batches."""

    name: str

    def start(self) -> None:
        """Get ready to score.

        Raises
        ------
        TrainerError
            If it never will be.
        """

    def score(self, batch: Batch, deadline: float) -> list[float | None]:
        """Return a finite number a completion; None where it cannot be scored, which is never taken for 0.

        Parameters
        ----------
        batch
            The completions.
        deadline
            Moment of `time.monotonic` at which what is not scored yet stays unscored.

        Raises
        ------
        TrainerError
            If nothing can be scored by it any more.
        """

    def close(self) -> None:
        """End what it started, such as a process."""
