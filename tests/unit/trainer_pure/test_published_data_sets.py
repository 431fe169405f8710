"""The data sets that people use, in their published schemas: what is found by itself, and what must be said.

The rows are made here; their columns are those of the data sets' cards.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reasoning_contract.spec import Spec
from reasoning_trainer.data.examples import Example, Message
from reasoning_trainer.data.sources import Source
from reasoning_trainer.data.splits import load
from reasoning_trainer.errors import TrainerError

DOCS = Path(__file__).parents[3] / "docs/data.md"
APART = {"prompt": "What is 100 + 100?", "answer": "200"}
BOXED = r"(?s).*\\boxed\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


@dataclass(frozen=True)
class Published:
    """A data set: a row of its schema, what is said of it, and what is read."""

    row: dict[str, Any]
    said: dict[str, Any]
    reads: Example
    unsaid: str = ""
    """Part of the refusal where nothing is said; empty where all is found by itself."""
    use: str = "train"
    algorithm: str = "GRPO"
    hints: tuple[str, ...] = field(default=())


QUESTION, ANSWER = "What is half of 9?", r"\frac{9}{2}"
SOLUTION = rf"Halve it: $\boxed{{4}}$ is too little, so $\boxed{{{ANSWER}}}$."
PAIR = {
    "chosen": [turn("user", QUESTION), turn("assistant", "4.5")],
    "rejected": [turn("user", QUESTION), turn("assistant", "5")],
}
COMPARED = Example(QUESTION, chosen="4.5", rejected="5")
NAMED_PAIR = {"columns": {"chosen": "chosen", "rejected": "rejected"}}
VERL = {
    "data_source": "openai/gsm8k",
    "prompt": [turn("user", QUESTION)],
    "ability": "math",
    "reward_model": {"style": "rule", "ground_truth": "4.5"},
    "extra_info": {"split": "train", "index": 0},
}

SETS = {
    "openai/gsm8k": Published(
        {"question": QUESTION, "answer": "9 / 2 = <<9/2=4.5>>4.5\n#### 4.5"},
        {"columns": {"prompt": "question"}, "answerPattern": "#### (.*)"},
        Example(QUESTION, "4.5"),
        unsaid="columns.prompt",
        hints=("'question'?",),
    ),
    "EleutherAI/hendrycks_math": Published(
        {"problem": QUESTION, "level": "Level 1", "type": "Algebra", "solution": SOLUTION},
        {"columns": {"prompt": "problem", "answer": "solution"}, "answerPattern": BOXED},
        Example(QUESTION, ANSWER),
        unsaid="columns.prompt: there is no column 'prompt'; data.train.columns.answer",
        hints=("'problem'?", "'solution'?"),
    ),
    "HuggingFaceH4/MATH-500": Published(
        {"problem": QUESTION, "solution": SOLUTION, "answer": ANSWER, "subject": "Algebra", "level": 1},
        {"columns": {"prompt": "problem"}},
        Example(QUESTION, ANSWER),
        unsaid="columns.prompt",
    ),
    "Maxwell-Jia/AIME_2024": Published(
        {"ID": "2024-I-1", "Problem": QUESTION, "Solution": SOLUTION, "Answer": 204},
        {"columns": {"prompt": "Problem", "answer": "Answer"}},
        Example(QUESTION, "204"),
        unsaid="columns.answer",
        hints=("'Problem'?", "'Answer'?"),
    ),
    "GAIR/LIMO": Published(
        {"question": QUESTION, "solution": SOLUTION, "answer": "4.5"},
        {"columns": {"prompt": "question", "reasoning": "solution"}},
        Example(QUESTION, "4.5", SOLUTION),
        use="warmup",
        unsaid="columns.reasoning",
        hints=("'question'?", "'solution'?"),
    ),
    "open-r1/OpenR1-Math-220k": Published(
        {
            "problem": QUESTION,
            "solution": SOLUTION,
            "answer": ANSWER,
            "source": "olympiads",
            "generations": [f"<think>\nHalve it.\n</think>\n{SOLUTION}"] * 2,
            "correctness_math_verify": [True, True],
            "messages": [turn("user", QUESTION), turn("assistant", SOLUTION)],
        },
        {"columns": {"prompt": "problem"}},
        Example(QUESTION, ANSWER),
        unsaid="columns.prompt",
    ),
    "open-r1/OpenR1-Math-220k (warm-up)": Published(
        {"problem": QUESTION, "answer": ANSWER, "messages": [turn("user", QUESTION), turn("assistant", SOLUTION)]},
        {},
        Example(messages=(Message("user", QUESTION), Message("assistant", SOLUTION))),
        use="warmup",
    ),
    "AI-MO/NuminaMath-1.5": Published(
        {
            "problem": QUESTION,
            "solution": SOLUTION,
            "answer": "proof",
            "problem_type": "Algebra",
            "question_type": "proof",
            "synthetic": False,
        },
        {"columns": {"prompt": "problem"}},
        Example(QUESTION, "proof"),
        unsaid="columns.prompt",
    ),
    "zwhe99/DeepMath-103K": Published(
        {
            "question": QUESTION,
            "final_answer": "4.5",
            "difficulty": 4.0,
            "topic": "Algebra",
            "r1_solution_1": SOLUTION,
            "r1_solution_2": SOLUTION,
        },
        {"columns": {"prompt": "question", "answer": "final_answer"}},
        Example(QUESTION, "4.5"),
        unsaid="columns.answer",
        hints=("'question'?", "'final_answer'?"),
    ),
    "BytedTsinghua-SIA/DAPO-Math-17k": Published(
        VERL | {"data_source": "math_dapo", "ability": "MATH"},
        {"columns": {"answer": "reward_model.ground_truth"}},
        Example(QUESTION, "4.5"),
        unsaid="columns.answer",
        hints=("'reward_model.ground_truth'?",),
    ),
    "verl's Parquet": Published(
        VERL | {"prompt": [turn("system", "Be brief."), turn("user", QUESTION)]},
        {"columns": {"answer": "reward_model.ground_truth"}},
        Example(QUESTION, "4.5", system="Be brief."),
        unsaid="columns.answer",
    ),
    "EasyR1's Parquet (hiyouga/math12k)": Published(
        {"problem": QUESTION, "answer": ANSWER},
        {"columns": {"prompt": "problem"}},
        Example(QUESTION, ANSWER),
        unsaid="columns.prompt",
    ),
    "HuggingFaceH4/ultrafeedback_binarized": Published(
        PAIR
        | {
            "prompt": QUESTION,
            "prompt_id": "0a",
            "messages": PAIR["chosen"],
            "score_chosen": 8.5,
            "score_rejected": 6.0,
        },
        NAMED_PAIR,
        COMPARED,
        algorithm="DPO",
    ),
    "mlabonne/orpo-dpo-mix-40k": Published(
        PAIR | {"source": "Airoboros", "prompt": QUESTION, "question": QUESTION},
        NAMED_PAIR,
        COMPARED,
        algorithm="ORPO",
    ),
}
"""Rows by data set. What is said of DPO and ORPO the rules of the spec ask for anyway."""

REFUSED = {
    "Jiayi-Pan/Countdown-Tasks-3to4": (
        {"target": 98, "nums": [44, 19, 35]},
        {"columns": {"answer": "target"}},
        "GRPO",
        "columns.prompt: there is no column 'prompt'; there are 'target', 'nums'",
        "set data.train.columns.prompt",
    ),
    "Anthropic/hh-rlhf": (
        {"chosen": "\n\nHuman: q\n\nAssistant: good", "rejected": "\n\nHuman: q\n\nAssistant: bad"},
        NAMED_PAIR,
        "DPO",
        "columns.prompt: there is no column 'prompt'",
        "split each row into prompt, chosen and rejected",
    ),
}
"""Data sets that nothing said of their columns makes readable, and what the refusal says."""


def read(folder: Path, row: dict[str, Any], said: dict[str, Any], use: str, algorithm: str) -> Example:
    path = folder / "rows.jsonl"
    path.write_text(json.dumps(row))
    rows = {"source": f"file://{path}", **said}
    held_out = {"rows": [APART | ({"chosen": "a", "rejected": "b"} if algorithm in ("DPO", "ORPO") else {})]}
    sets = {"train": {"rows": [{"prompt": "other", "answer": "1"}]}, "heldOut": held_out} | {use: rows}
    rewards = [] if algorithm in ("DPO", "ORPO") else [{"name": "right", "builtin": "correctness"}]
    spec = Spec.model_validate(
        {
            "model": {"source": "hf://a/b"},
            "data": sets,
            "rewards": rewards,
            "reinforce": {"algorithm": algorithm},
        }
    )
    splits = load(spec, Source(lambda source: Path(source.removeprefix("file://"))))
    return (splits.train if use == "train" else splits.warmup)[0]


def roles(example: Example, expected: Example) -> dict[str, Any]:
    """Return those parts that are expected: more may be there, such as the reasoning of a set for several uses."""
    names = ("prompt", "answer", "reasoning", "chosen", "rejected", "messages", "system")
    return {name: getattr(example, name) for name in names if getattr(expected, name) is not None}


@pytest.mark.parametrize("name", SETS)
def test_row_is_read_by_what_is_said(name: str, tmp_path: Path) -> None:
    published = SETS[name]
    found = read(tmp_path, published.row, published.said, published.use, published.algorithm)
    assert roles(found, published.reads) == roles(published.reads, published.reads)
    assert found.columns == published.row


@pytest.mark.parametrize("name", [name for name, published in SETS.items() if published.unsaid])
def test_what_must_be_said_is_asked_for(name: str, tmp_path: Path) -> None:
    published = SETS[name]
    with pytest.raises(TrainerError) as caught:
        read(tmp_path, published.row, {}, published.use, published.algorithm)
    assert caught.value.reason == "DatasetColumnMissing"
    assert published.unsaid in caught.value.message
    for hint in published.hints:
        assert hint in caught.value.hint


@pytest.mark.parametrize("name", REFUSED)
def test_set_that_needs_another_form_is_refused(name: str, tmp_path: Path) -> None:
    row, said, algorithm, says, hint = REFUSED[name]
    with pytest.raises(TrainerError) as caught:
        read(tmp_path, row, said, "train", algorithm)
    assert says in caught.value.message
    assert hint in caught.value.hint


def test_docs_say_what_is_tested_here() -> None:
    table = DOCS.read_text("utf-8")
    for name, published in SETS.items():
        assert name in table
        for column in published.said.get("columns", {}).values():
            assert f"`{column}`" in table or f": {column}" in table, (name, column)
    assert all(name in table for name in REFUSED)
