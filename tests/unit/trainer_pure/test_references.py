"""Rows whose answer no completion can be judged by: counted, left out or refused."""

from __future__ import annotations

from typing import Any

import pytest

from reasoning_contract.spec import Spec
from reasoning_trainer.data.examples import Example, Place, Splits, first_row
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.rewards.references import set_aside, unjudgeable

ANSWERS = ["7", "Proof", "8", "notfound", " N/A.", "see the solution"]
ROWS = tuple(
    Example(f"q{number}", answer, place=Place("data.train", number)) for number, answer in enumerate(ANSWERS, 1)
)


def spec(unjudgeable: str = "count", **patch: Any) -> Spec:
    document: dict[str, Any] = {
        "model": {"source": "hf://a/b"},
        "data": {
            "train": {"rows": [{"prompt": "q", "answer": "7"}]},
            "heldOut": {"rows": [{"prompt": "r", "answer": "7"}]},
            "unjudgeable": unjudgeable,
        },
        "rewards": [{"name": "right", "builtin": "correctness", "params": {"parser": "number"}}],
    }
    return Spec.model_validate(document | patch)


def splits(rows: tuple[Example, ...] = ROWS) -> Splits:
    return Splits(rows, (), tuple(Example(row.prompt, row.answer, place=Place("data.heldOut", 9)) for row in rows[:2]))


def test_rows_are_kept_and_counted_with_three_examples() -> None:
    found = set_aside(spec(), splits())
    assert (found.train, len(found.held_out)) == (ROWS, 2)
    assert found.notes == (
        "4 of 6 rows of data.train have an answer that no completion can be judged by: row 2 'Proof', "
        "row 4 'notfound', row 5 ' N/A.'; data.unjudgeable: drop leaves them out",
        "1 of 2 rows of data.heldOut have an answer that no completion can be judged by: row 9 'Proof'; "
        "data.unjudgeable: drop leaves them out",
    )


def test_rows_are_left_out_of_train_and_held_out_alike() -> None:
    found = set_aside(spec("drop"), splits())
    assert [row.answer for row in found.train] == ["7", "8"]
    assert [row.answer for row in found.held_out] == ["7"]
    assert all(note.endswith("; they are left out") for note in found.notes)
    with pytest.raises(TrainerError, match=r"data\.train, without what cannot be judged, has no rows"):
        set_aside(spec("drop"), splits(ROWS[1:2]))


def test_rows_are_refused() -> None:
    with pytest.raises(TrainerError, match=r"4 of 6 rows of data\.train") as caught:
        set_aside(spec("fail"), splits())
    assert caught.value.reason == "AnswersUnjudgeable"
    assert caught.value.exit_code.is_users_fault


def test_nothing_is_said_where_all_can_be_judged_or_nothing_is() -> None:
    assert set_aside(spec("fail"), splits(ROWS[:1])).notes == ()
    format_only = spec("fail", rewards=[{"name": "shape", "builtin": "format"}], evaluation={"enabled": False})
    assert set_aside(format_only, splits()).train == ROWS


def test_words_are_answers_where_they_are_compared_as_text() -> None:
    exact = spec(rewards=[{"name": "right", "builtin": "correctness", "params": {"parser": "exact"}}])
    assert [row.answer for row in unjudgeable(exact, ROWS)] == ["Proof", "notfound", " N/A."]


def test_answer_that_holds_the_end_of_its_own_tag_is_judged_by_none() -> None:
    exact = spec(rewards=[{"name": "right", "builtin": "correctness", "params": {"parser": "exact"}}])
    assert len(unjudgeable(exact, [Example("q", "a </answer> b")])) == 1


def test_first_row_is_shown_as_it_was_read() -> None:
    row = Example("What?" * 100, "7", system="Be brief.", place=Place("data.train", 3))
    said = first_row(Splits((row,), (), ()))
    assert said.startswith("data.train, row 3 as it was read: system 'Be brief.', prompt 'What?What?")
    assert said.endswith("...', answer '7'")
    assert len(said) < 250
