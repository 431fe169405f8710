"""Rows with several answers, each of which is right: read, judged, tried and told."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reasoning_contract.spec import Columns, JudgeReward, Spec, Unscored
from reasoning_trainer.commands import findings
from reasoning_trainer.commands.check import sample
from reasoning_trainer.commands.findings import EMPTY, LONG, OTHER, WORKED, WRONG
from reasoning_trainer.commands.samples import samples
from reasoning_trainer.commands.try_rewards import _row
from reasoning_trainer.data.columns import to_examples
from reasoning_trainer.data.examples import Example, Place
from reasoning_trainer.data.overlap import repeated
from reasoning_trainer.data.sources import Source
from reasoning_trainer.data.splits import load
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.rewards import Grader, batch_of
from reasoning_trainer.rewards.failures import Failures
from reasoning_trainer.rewards.references import judgeable, unjudgeable
from reasoning_trainer.rewards.remote.http import Service
from reasoning_trainer.rewards.remote.judge import JudgeScorer

SEVERAL = Example("3 + 4?", "7", answers=("7", "seven"))


def spec(*rows: dict[str, Any], parser: str = "exact", **train: Any) -> Spec:
    return Spec.model_validate(
        {
            "model": {"source": "file:///model"},
            "data": {"train": ({"rows": list(rows)} if rows else {}) | train},
            "evaluation": {"enabled": False},
            "rewards": [{"name": "right", "builtin": "correctness", "params": {"parser": parser}}],
            "parallelism": {"gpusPerNode": 0},
        }
    )


def read(*records: dict[str, Any], **columns: str) -> list[Example]:
    return to_examples(list(records), Columns(**columns), "data.train", ["prompt", "answer"])


@pytest.mark.parametrize(
    "cell", [["7", "seven"], '["7", "seven"]', [7, "seven"], [7.0, None, "seven", "", "7"], '[7, "seven"]']
)
def test_list_is_read_from_a_list_and_from_json(cell: Any) -> None:
    assert read({"prompt": "q", "gold": cell}, answers="gold") == [Example("q", "7", answers=("7", "seven"))]


def test_answer_is_one_of_the_accepted_and_the_first() -> None:
    found = read({"prompt": "q", "answer": "VII", "gold": ["7", "VII"]}, answers="gold")
    assert found == [Example("q", "VII", answers=("VII", "7"))]
    assert read({"prompt": "q", "gold": "[]", "answer": "7"}, answers="gold")[0].accepted == ("7",)


@pytest.mark.parametrize("cell", ["see below", {"text": ["7"]}, [{"text": "7"}], 7])
def test_column_of_that_name_may_hold_anything_where_no_answer_is_asked_for(cell: Any) -> None:
    records = [{"prompt": "q", "answers": cell}]
    (found,) = to_examples(records, Columns(), "data.train", ["prompt"])
    assert (found.answer, found.by_name["answers"]) == (None, cell)
    for columns, required in ((Columns(answers="answers"), ["prompt"]), (Columns(), ["prompt", "answer"])):
        with pytest.raises(TrainerError, match=r"where (a list|text) is needed"):
            to_examples(records, columns, "data.train", required)


def test_column_of_that_name_is_taken_only_where_there_is_no_answer() -> None:
    assert read({"prompt": "q", "answers": ["7", "8"]})[0].accepted == ("7", "8")
    choices = read({"prompt": "q", "answer": "B", "answers": ["A", "B"]})
    assert choices[0].accepted == ("B",)
    assert choices[0].by_name == {"answer": "B", "answers": ["A", "B"]}


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("seven", "row 1, column gold: a str where a list is needed"),
        (7, "row 1, column gold: a int where a list is needed"),
        ({"text": ["7"]}, "row 1, column gold: a dict where a list is needed"),
        ([["7"]], "row 1, column gold: a list where text is needed"),
        ([], "row 1, column gold: no answers"),
        ([None, " "], "row 1, column gold: no answers"),
        (None, "row 1, column gold: no answers"),
    ],
)
def test_what_is_no_list_names_its_row(cell: Any, words: str) -> None:
    with pytest.raises(TrainerError, match=words) as caught:
        read({"prompt": "q", "gold": cell}, answers="gold")
    assert caught.value.hint


def test_list_under_answer_says_where_it_belongs() -> None:
    with pytest.raises(TrainerError) as caught:
        read({"prompt": "q", "answer": ["7", "seven"]})
    assert "columns.answers" in caught.value.hint


def test_rows_of_the_manifest(tmp_path: Path) -> None:
    given = spec({"prompt": "q", "answers": ["7", "seven"]}, {"prompt": "r", "answer": "8"})
    found = load(given, Source(Path))
    assert [row.accepted for row in found.train] == [("7", "seven"), ("8",)]
    assert found.notes == ()


def test_list_that_nobody_named_is_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "q", "answers": ["7", "seven"]}), "utf-8")

    def notes(**train: Any) -> tuple[str, ...]:
        return load(spec(source="file:///rows.jsonl", **train), Source(lambda _: path)).notes

    assert "1 of 1 rows of data.train have several answers" in notes()[0]
    assert notes(columns={"answers": "answers"}) == ()


def test_pattern_reads_each() -> None:
    given = spec({"prompt": "q", "answers": ["so #### 7", "#### seven"]}, answerPattern="#### (.*)")
    assert load(given, Source(Path)).train[0].accepted == ("7", "seven")
    with pytest.raises(TrainerError, match="row 1: 'so #### 7 or seven'"):
        load(spec({"prompt": "q", "answers": ["so #### 7", "seven"]}, answerPattern="#### (.*)"), Source(Path))


@pytest.mark.parametrize(("said", "right"), [("7", True), ("seven", True), ("8", False), ("", False)])
def test_any_of_them_is_right(said: str, right: bool) -> None:
    text = f"<answer>{said}</answer>"
    given = spec({"prompt": "q", "answer": "7"})
    grader = Grader(given.rewards, given.chat_template)
    assert grader.are_right(batch_of([SEVERAL], ["q"], [text])) == [right]


def test_functions_are_given_the_list() -> None:
    assert SEVERAL.by_name == {"answer": "7", "answers": ["7", "seven"]}
    assert Example("q", "7").by_name == {"answer": "7"}


def test_column_that_has_no_role_is_no_list_of_answers() -> None:
    row = Example("q", "B", columns={"answers": ["A", "B"]})
    assert [sample.reference for sample in batch_of([row], ["q"], ["a"]).samples()] == [("B",)]


def test_accepted_answers_that_are_never_right_are_told_and_the_row_stays() -> None:
    given = spec({"prompt": "q", "answer": "7"}, parser="number")
    rows = (Example("q", "seven dwarfs", answers=("seven dwarfs", "7"), place=Place("data.train", 5)),)
    assert unjudgeable(given, rows) == []
    kept, note = judgeable(given, rows, "data.train")
    assert kept == rows
    assert note.startswith("1 accepted answers of data.train are right in no completion: row 5 'seven dwarfs'")
    neither = [Example("q", "many", answers=("many", "proof"))]
    assert unjudgeable(given, neither) == neither


def test_samples_give_the_last_of_them_and_wrong_is_none_of_them() -> None:
    given = spec({"prompt": "q", "answer": "7"})
    found = samples(given, [SEVERAL, Example("r", "seven"), Example("s", "9")], list)
    assert ["seven" in text for text in found[OTHER]] == [True, True, False]
    assert ["9" in text for text in found[WRONG]] == [True, False, False]
    assert OTHER not in samples(given, [Example("q", "7")], list)


def test_preflight_tells_a_reward_that_knows_the_first_alone() -> None:
    given = spec({"prompt": "q", "answer": "7"})
    scores = {WORKED: [1.0], OTHER: [0.0], WRONG: [0.0], LONG: [1.0], EMPTY: [0.0]}
    fault = findings.verdict(findings.rewards(given, {"right": scores}, [("7", "seven")]))
    assert fault is not None
    assert "does not give full marks to the other accepted answer of 1 of 1 rows, first row 1: 'seven'" in fault.message


@pytest.mark.parametrize("accepted", [("7", "seven"), ("seven", "7"), ("seven", "7", "VII", "7.0")])
def test_preflight_tries_the_answers_that_are_right_at_all(accepted: tuple[str, ...]) -> None:
    """The others are told with the rows, and the run goes by what is left."""
    given = spec({"prompt": "q", "answer": "7"}, parser="number")
    row, other = Example("q", accepted[0], answers=accepted), Example("r", "8")
    tried = sample(given, [row, other])
    assert [each.accepted for each in tried] == [tuple(each for each in accepted if each[0] == "7"), ("8",)]
    found = samples(given, tried, list)
    with closing(Grader(given.rewards, given.chat_template)) as grader:
        for kind in {WORKED, OTHER} & found.keys():
            assert grader.are_right(batch_of(tried, found[kind], found[kind])) == [True, True]


def test_same_question_with_the_same_answers_is_no_other_answer() -> None:
    again = Example("3 + 4?", "seven", answers=("seven", "7"))
    assert repeated([SEVERAL, again], "data.train") == "1 of 2 rows of data.train ask what another row asks"
    assert repeated([SEVERAL, Example("3 + 4?", "7")], "data.train").endswith(", 1 of them with another answer")


def test_pasted_completion_takes_the_rows_answers_or_its_own() -> None:
    by_prompt = {SEVERAL.prompt: SEVERAL}
    assert _row({"prompt": "3 + 4?"}, by_prompt, SEVERAL).accepted == ("7", "seven")
    assert _row({"prompt": "3 + 4?", "answer": 8}, by_prompt, SEVERAL).accepted == ("8",)
    assert _row({"prompt": "3 + 4?", "answers": ["8", "VIII"]}, by_prompt, SEVERAL).accepted == ("8", "VIII")


def test_run_is_known_again_by_a_list_and_as_ever_without() -> None:
    assert repr(Example("q", "7")) == repr(Example("q", "7", answers=("7", "seven")))
    assert "answers" not in repr(Example("q", "7"))


def test_judge_is_told_all_of_them() -> None:
    settings = JudgeReward(url="http://judge", model="m", prompt="{completion}, and right is {answer}")
    scorer = JudgeScorer("judge", settings, Service("http://judge", {}, 0), Failures("judge", Unscored(), print))
    batch = batch_of([SEVERAL, Example("r", "8")], ["q", "r"], ["a", "b"])
    said = [scorer._document(batch, row)["messages"][-1]["content"] for row in (0, 1)]
    assert said == ["a, and right is 7 or seven", "b, and right is 8"]
