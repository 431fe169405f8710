"""A first manifest, from four answers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import ClientError, Exit
from .manifest import document_of

KINDS = ("math", "multiple-choice", "code", "preferences")
Json = dict[str, Any]
KNOWN: dict[str, Json] = {"hf://openai/gsm8k": {"config": "main", "answerPattern": "#### (.*)"}}
"""What a data set needs beside its name: of the one that is offered as an answer."""


@dataclass(frozen=True)
class Answers:
    """What a user was asked.

    Attributes
    ----------
    model
        Repository of the Hub, or a source.
    data
        Repository of the Hub, or a source.
    kind
        One of `KINDS`: how an answer is judged.
    gpus
        0 for the CPU, or 1.
    """

    model: str
    data: str
    kind: str
    gpus: int


def manifest_of(name: str, answers: Answers) -> Json:
    """Return the job.

    Raises
    ------
    ClientError
        If an answer is not understood.
    """
    if answers.kind not in KINDS:
        raise ClientError(f"{answers.kind} is none of {', '.join(KINDS)}", code=Exit.USAGE)
    data = source(answers.data)
    split = data.startswith("hf://")
    spec: Json = {"model": {"source": source(answers.model)}}
    columns = (
        {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}
        if answers.kind == "preferences"
        else {"prompt": "question", "answer": "answer"}
    )
    train: Json = {"source": data} | ({"split": "train"} if split else {}) | {"columns": columns}
    train |= KNOWN.get(data, {})
    spec["data"] = {"train": train, "heldOut": {"fraction": 0.1}}
    if answers.kind == "preferences":
        spec["reinforce"] = {"algorithm": "DPO"}
    else:
        spec["rewards"] = _rewards(answers.kind)
    if not answers.gpus:
        spec["parallelism"] = {"gpusPerNode": 0}
    return document_of(name, spec)


def _rewards(kind: str) -> list[Json]:
    form: Json = {"name": "format", "builtin": "format", "weight": 0.5}
    if kind == "code":
        code = (
            "def score(prompts, completions, answer, **columns):\n"
            '    """Return a number for each completion; it runs in a box without network."""\n'
            '    texts = [each[0]["content"] for each in completions]\n'
            "    return [float(expected in text) for text, expected in zip(texts, answer)]\n"
        )
        return [{"name": "passes", "weight": 2.0, "python": {"source": code}}, form]
    parser = {"math": "math", "multiple-choice": "choice"}[kind]
    return [{"name": "correct", "builtin": "correctness", "weight": 2.0, "params": {"parser": parser}}, form]


def source(text: str) -> str:
    """Return a source: what has no scheme is a repository of the Hub."""
    return text if "://" in text else f"hf://{text}"
