"""Keeps held-out rows apart from those that are trained on."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from reasoning_contract.exit_codes import ExitCode

from ..errors import TrainerError
from .examples import Example

OTHERWISE = "with another answer"
"""What is said of questions that are answered in two ways."""
SHOWN = 3
"""Examples that an error message shows."""


def normalised(question: str) -> str:
    """Return a question without case, spare white space, and the quotes and sentence marks around its words.

    Marks within words and all other signs stay: ``2+3``, ``2-3``, ``1.5`` and ``(2+3)*4`` are different questions.
    """
    words = unicodedata.normalize("NFC", question).casefold().split()
    bare = (word.lstrip("\"'“”‘’«»¿¡").rstrip(".,;:!?…\"'“”‘’«»。，？！") for word in words)
    return " ".join(word for word in bare if word)


def refuse_overlap(trained_on: Sequence[Example], held_out: Sequence[Example], field: str) -> None:
    """Refuse held-out rows whose question is trained on: their score would measure memory.

    Raises
    ------
    TrainerError
        With the counts, word for word and `normalised`, and examples.
    """
    exact = {question for example in trained_on for question in example.questions}
    near = {normalised(question) for question in exact}
    questions = ["\n".join(example.questions) for example in held_out]
    found = [question for question in questions if question in exact or normalised(question) in near]
    if not found:
        return
    same = sum(question in exact for question in found)
    shown = "; ".join(repr(question)[:120] for question in found[:SHOWN])
    raise TrainerError(
        ExitCode.DATA_INVALID,
        "HeldOutOverlap",
        f"{len(found)} of {len(held_out)} rows of data.heldOut are also in {field} ({same} word for word, "
        f"{len(found) - same} but for case, spaces and punctuation): {shown}",
        f"remove them from {field}, or use data.heldOut.fraction, which holds rows of train out"
        if field == "data.train"
        else f"remove them from {field}, or hold out other rows",
    )


def repeated(rows: Sequence[Example], field: str) -> str:
    """Return a sentence that counts the rows that ask what an earlier row asks; empty if there are none.

    They are no error, but weigh more than others; with another answer, one of the two teaches what is wrong.
    """
    answers: dict[str, frozenset[str]] = {}
    again = differing = 0
    for row in rows:
        question = normalised("\n".join(row.questions))
        again += question in answers
        accepted = frozenset(row.accepted)
        differing += answers.setdefault(question, accepted) != accepted
    if not again:
        return ""
    other = f", {differing} of them {OTHERWISE}" if differing else ""
    return f"{again} of {len(rows)} rows of {field} ask what another row asks{other}"
