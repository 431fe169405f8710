"""Data: reading, columns, answers, splits, overlap, and what is said when something is wrong."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import Columns, Spec
from reasoning_trainer.data.columns import to_examples
from reasoning_trainer.data.examples import Example, Place, Splits
from reasoning_trainer.data.files import read_file
from reasoning_trainer.data.lengths import PROMPT, SEQUENCE, within_length
from reasoning_trainer.data.overlap import normalised, refuse_overlap, repeated
from reasoning_trainer.data.sources import Source
from reasoning_trainer.data.splits import load as load_data
from reasoning_trainer.data.splits import sample, split_by_hash
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.storage.commits import Commits

ROWS = [{"prompt": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(40)]
WORKED = {"prompt": "2 + 2?", "reasoning": "Two and two.", "answer": "4"}
APART = [{"prompt": "What is 100 + 100?", "answer": "200"}]


@pytest.fixture
def locate(tmp_path: Path) -> Callable[[str], Path]:
    """Finds configmap://a/b and the like as tmp_path/a/b."""
    return lambda source: tmp_path / source.split("://")[1].lstrip("/")


def spec(**patch: Any) -> Spec:
    document: dict[str, Any] = {
        "model": {"source": "hf://a/b"},
        "data": {"train": {"rows": ROWS}, "heldOut": {"rows": APART}},
        "rewards": [{"name": "right", "builtin": "correctness"}],
    }
    return Spec.model_validate(document | patch)


def nowhere(source: str) -> Path:
    raise AssertionError(f"{source} was looked for")


def load(train: Any = None, held_out: Any = None, warmup: Any = None, **patch: Any) -> Splits:
    sets = {"train": train or {"rows": ROWS}, "heldOut": held_out or {"rows": APART}, "warmup": warmup}
    return load_data(spec(data={name: rows for name, rows in sets.items() if rows}, **patch), Source(nowhere))


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(reason: str, *parts: str) -> Any:
    """Expect a `TrainerError` of the user's own making with these parts in its message, and a hint."""
    return _Refusal(reason, parts)


class _Refusal:
    def __init__(self, reason: str, parts: tuple[str, ...]) -> None:
        self._reason, self._parts = reason, parts
        self._raises = pytest.raises(TrainerError)

    def __enter__(self) -> None:
        self._caught = self._raises.__enter__()

    def __exit__(self, *error: Any) -> bool:
        handled = bool(self._raises.__exit__(*error))
        found = self._caught.value
        assert found.reason == self._reason, found
        assert found.exit_code.is_users_fault
        assert found.hint
        for part in self._parts:
            assert part in found.message, found.message
        return handled


def test_inline_rows() -> None:
    splits = load(train={"rows": [{"prompt": "2 + 2?", "answer": "4"}, {"prompt": "2 + 3?", "answer": "5"}]})
    assert splits.train == (Example("2 + 2?", "4"), Example("2 + 3?", "5"))
    assert splits.held_out == (Example("What is 100 + 100?", "200"),)
    assert splits.warmup == ()


LINES = '{"q": "a\u2028b?", "a": 4}\n\n{"q": "c?", "a": 2.5}\n'
ARRAY = '[{"q": "a\u2028b?", "a": 4}, {"q": "c?", "a": 2.5}]'
FILES: dict[str, str | bytes] = {
    "rows.jsonl": LINES,
    "rows.json": ARRAY,
    "lines.json": LINES,
    "lines.ndjson": LINES,
    "array.jsonl": f"\ufeff\n{ARRAY}\n",
    "spread.jsonl": '{\n "q": "a\u2028b?",\n "a": 4\n}\n{\n "q": "c?",\n "a": 2.5\n}\n',
    "small.jsonl.gz": gzip.compress(LINES.encode()),
    "array.json.gz": gzip.compress(ARRAY.encode()),
    "gzip_all_the_same.jsonl": gzip.compress(LINES.encode()),
    "rows.tsv": "q\ta\na\u2028b?\t4\nc?\t2.5\n",
    "rows.csv": 'q,a\n"a\u2028b?",4\n\nc?,2.5\n',
    "put_together.jsonl": "\n".join("\ufeff" + line for line in LINES.split("\n")),
    "spaces.csv": "q , a\na\u2028b?,4\nc?,2.5\n",
    "bom.CSV": "\ufeffq,a\r\na\u2028b?,4\r\nc?,2.5\r\n",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("scheme", ["configmap://set/", "pvc://set/", "file:///set/"])
def test_files(name: str, scheme: str, tmp_path: Path, locate: Callable[[str], Path]) -> None:
    write(tmp_path / "set" / name, FILES[name])
    train = {"source": scheme + name, "columns": {"prompt": "q", "answer": "a"}}
    splits = load_data(spec(data={"train": train, "heldOut": {"rows": APART}}), Source(locate))
    assert splits.train == (Example("a\u2028b?", "4"), Example("c?", "2.5"))


def test_fields_longer_than_the_csv_modules_limit(tmp_path: Path) -> None:
    assert read_file(write(tmp_path / "a.csv", "q\n" + "x" * 200_000), "a") == [{"q": "x" * 200_000}]


BROKEN = [
    ("a.jsonl", '{"q": 1}\n{"q": \n', "line 2: not JSON"),
    ("a.jsonl", '{"q": 1}\n[1]\n', "line 2: a list where an object is needed"),
    ("a.jsonl", b'{"q": 1}\n\n{"q": "\xff"}\n', "line 3: not UTF-8"),
    ("a.json", '[\n{"q": 1},\n]', "line 3: not JSON"),
    ("a.json", '{"q": 1}', "a single object, where a document needs a list of objects"),
    ("a.json", '{"version": 2, "rows": [{"q": 1}]}', "as its 'rows' is: save that list alone"),
    ("a.jsonl", '{"q": 1},\n{"q": 2},\n', "line 1: not JSON"),
    ("a.jsonl", "[" * 100_000, "line 1: nested too deeply"),
    ("a.jsonl", b"\x1f\x8bno gzip", "not whole gzip"),
    ("a.csv", "q;a\n1;2\n", "line 1: its fields are separated by ';', and not by ','"),
    ("a.tsv", "q,a\n1\t2\n", "line 1: its fields are separated by ','"),
    ("a.json", "[1]", "needs a list of objects"),
    ("a.csv", "q,a\n1,2\n1,2,3\n", "line 3: 3 fields where the header has 2"),
    ("a.csv", "q,a\n1\n", "line 2: 1 fields where the header has 2"),
    ("a.csv", 'q,a\n"1,2\n', "not CSV"),
    ("a.csv", "q,a,q\n1,2,3\n", "line 1: two columns are named 'q'"),
    ("a.jsonl", '{"q": 1}\n{"q": 1, "a": 2, "q": 3}\n', "line 2: an object has the field 'q' twice"),
    ("a.json", '[{"q": 1},\n{"q": {"a": 2, "a": 3}}]', "an object has the field 'a' twice"),
    ("a.jsonl", '{"q": ' + "[" * 80 + "]" * 80 + "}", "row 1, column 'q': more than 64 lists within each other"),
    ("a.jsonl", '{"q": "\u00e9"}\n'.encode("utf-16"), "it is text in UTF-16"),
    ("a.jsonl", '{"q": "\u00e9"}\n'.encode("utf-16-le"), "it is text in UTF-16"),
    ("a.csv", "q,a\n".encode("utf-32"), "it is text in UTF-32"),
    ("a.jsonl", "<!doctype HTML><title>Sign in</title>", "it is a page of HTML"),
    ("a.csv", b"PK\x03\x04more", "it is a ZIP archive, or a table of Excel"),
    ("a.xlsx", b"PK\x03\x04more", "it is a ZIP archive, or a table of Excel"),
    ("a.jsonl.bz2", b"BZh91AY", "it is compressed by bzip2"),
    ("a.jsonl.gz", gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), "it is gzip within gzip"),
    ("a.parquet", b"ARROW1\0\0", "it is an Arrow file"),
]


@pytest.mark.parametrize(("name", "content", "says"), BROKEN)
def test_malformed_file_is_named_with_its_line(name: str, content: str | bytes, says: str, tmp_path: Path) -> None:
    with refusal("DatasetMalformed", f"pvc://c/{name}", says):
        read_file(write(tmp_path / name, content), f"pvc://c/{name}")


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0a1b\nsize 12345\n"


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_pointer_of_git_lfs_is_named_as_such(name: str, tmp_path: Path) -> None:
    with refusal("GitLfsPointer", f"pvc://c/{name} is a pointer of Git LFS"):
        read_file(write(tmp_path / name, POINTER), f"pvc://c/{name}")


def test_integer_of_any_length_keeps_its_digits(tmp_path: Path) -> None:
    digits = "7" * 5000
    rows = read_file(write(tmp_path / "a.jsonl", f'{{"prompt": "q", "answer": {digits}}}'), "a")
    assert records(*rows) == [Example("q", digits)]


def test_csv_with_quotes_and_text_of_any_script(tmp_path: Path) -> None:
    text = 'q,a\n"Er sagte: ""zwei, drei""",五\n"zwei\nZeilen",\u0669\n'
    rows = read_file(write(tmp_path / "a.csv", text), "a")
    assert rows == [{"q": 'Er sagte: "zwei, drei"', "a": "五"}, {"q": "zwei\nZeilen", "a": "\u0669"}]


def test_file_that_is_none(tmp_path: Path) -> None:
    with refusal("DatasetNotFound", "pvc://c/x.jsonl does not exist"):
        read_file(tmp_path / "x.jsonl", "pvc://c/x.jsonl")
    with refusal("DatasetNotFound", "is a folder"):
        read_file(tmp_path, "pvc://c/x")
    with refusal("DatasetFormatUnknown", "configmap://c/rows"):
        read_file(write(tmp_path / "rows", "{}"), "configmap://c/rows")


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_empty_set_is_refused(content: str, tmp_path: Path, locate: Callable[[str], Path]) -> None:
    write(tmp_path / "c/a.jsonl", content)
    with refusal("DatasetEmpty", "data.train"):
        load_data(spec(data={"train": {"source": "pvc://c/a.jsonl"}, "heldOut": {"rows": APART}}), Source(locate))


def records(*rows: dict[str, Any], **columns: str) -> list[Example]:
    return to_examples(rows, Columns(**columns), "data.train", ("prompt", "answer"))


def test_columns_are_mapped_and_default_to_their_roles_names() -> None:
    assert records({"question": "q", "answer": 1, "level": 3}, prompt="question") == [Example("q", "1")]
    assert records({"prompt": "q", "answer": "a", "reasoning": None}) == [Example("q", "a")]


def test_columns_without_a_role_stay_with_their_row() -> None:
    (example,) = records({"question": "q", "answer": 1, "level": 3}, prompt="question")
    assert example.by_name == {"question": "q", "answer": "1", "level": 3}


def test_missing_column_is_named_with_those_that_are_there() -> None:
    with refusal("DatasetColumnMissing", "data.train.columns.prompt", "'questoin'", "'question', 'answer'"):
        records({"question": "q", "answer": "a"}, prompt="questoin")
    with pytest.raises(TrainerError) as caught:
        records({"question": "q", "answer": "a"}, prompt="questoin")
    assert "'question'?" in caught.value.hint


def test_missing_column_is_refused_even_if_only_named() -> None:
    with refusal("DatasetColumnMissing", "data.train.columns.chosen", "'best'"):
        records({"prompt": "q", "answer": "a"}, chosen="best")


def test_required_column_of_no_name_is_missing_too() -> None:
    with refusal("DatasetColumnMissing", "data.train.columns.answer", "'prompt', 'solution'"):
        records({"prompt": "q", "solution": "a"})


@pytest.mark.parametrize(
    "row", [{"prompt": "q", "answer": None}, {"prompt": "q", "answer": ""}, {"prompt": "q"}], ids=str
)
def test_missing_value_names_its_row(row: dict[str, Any]) -> None:
    with refusal("DatasetValueMissing", "data.train, row 2, column answer"):
        records({"prompt": "q", "answer": "a"}, row)


def test_rows_that_are_refused_are_told_by_kind_and_counted() -> None:
    empty = {"prompt": "q", "answer": None}
    with refusal("DatasetValueMissing", "row 1, column answer: no answer (and 2 more rows like it)"):
        records(empty, {"prompt": "q", "answer": "a"}, empty, empty)
    both = "row 1, column answer: no answer; also: data.train, row 2, column answer: a bool where text is needed"
    with refusal("DatasetValueMissing", both):
        records(empty, {"prompt": "q", "answer": True})


def test_hint_names_the_field_that_holds_the_value() -> None:
    with pytest.raises(TrainerError) as caught:
        records({"prompt": "q", "answer": {"style": "rule", "ground_truth": "7"}})
    assert "ends in .ground_truth" in caught.value.hint


def test_blank_text_is_no_value() -> None:
    with refusal("DatasetValueMissing", "data.train, row 2, column prompt"):
        records({"prompt": "q", "answer": "a"}, {"prompt": " \n", "answer": "a"})


@pytest.mark.parametrize("value", [True, ["a", "b"], {"a": 1}, b"a"], ids=str)
def test_value_that_is_no_text_names_its_row(value: Any) -> None:
    with refusal("DatasetValueInvalid", "data.train, row 1, column answer", type(value).__name__):
        records({"prompt": "q", "answer": value})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["7"], "7"),
        ([7.0], "7"),
        (12.0, "12"),
        (-0.5, "-0.5"),
        (1e300, "1e+300"),
        (Decimal("3.50"), "3.5"),
        (Decimal("120"), "120"),
        (Decimal("1E+3"), "1000"),
        (10**30, "1" + "0" * 30),
    ],
    ids=str,
)
def test_number_is_read_as_what_it_says(value: Any, text: str) -> None:
    assert records({"prompt": "q", "answer": value}) == [Example("q", text)]


@pytest.mark.parametrize(
    "value", [float("nan"), Decimal("NaN"), [None], [" "], [], "\u200b", "\u3000\0", "\ufeff"], ids=ascii
)
def test_value_that_is_no_number_is_missing(value: Any) -> None:
    with refusal("DatasetValueMissing", "data.train, row 1, column answer"):
        records({"prompt": "q", "answer": value})


@pytest.mark.parametrize(
    ("value", "says"), [(float("inf"), "inf is no number"), ("a\ud83d", "half a character (U+D83D")], ids=repr
)
def test_value_that_cannot_be_compared_or_encoded(value: Any, says: str) -> None:
    with refusal("DatasetValueInvalid", "data.train, row 1, column answer", says):
        records({"prompt": "q", "answer": value})


NESTED = {"prompt": "q", "reward_model": {"style": "rule", "ground_truth": "7"}, "extra": [{"note": "n"}]}


def test_path_names_what_is_nested_in_a_column() -> None:
    found = records(NESTED, answer="reward_model.ground_truth", reasoning="extra.0.note")
    assert found == [Example("q", "7", "n")]
    assert found[0].columns == NESTED
    assert records({"prompt": "q", "a.b": "7", "a": {"b": "8"}}, answer="a.b") == [Example("q", "7")]


def test_path_that_leads_nowhere_is_told_with_those_that_do() -> None:
    with refusal("DatasetColumnMissing", "'reward_model.truth'", "'reward_model.style', 'reward_model.ground_truth'"):
        records(NESTED, answer="reward_model.truth")
    with refusal("DatasetValueInvalid", "column reward_model: a dict where text is needed"):
        records(NESTED, answer="reward_model")


def hint_of(*rows: dict[str, Any], **columns: str) -> str:
    with pytest.raises(TrainerError) as caught:
        records(*rows, **columns)
    return caught.value.hint


def test_hint_proposes_what_data_sets_call_the_role_and_no_column_that_is_used() -> None:
    assert "data.train.columns.answer to the column that has it: 'reward_model.ground_truth'?" in hint_of(NESTED)
    solved = {"problem": "q", "solution": "s"}
    assert "'solution'?" in hint_of(solved, prompt="problem")
    assert "'solution'?" not in hint_of(solved, prompt="solution")
    assert "has it;" in hint_of({"prompt": "q"}, prompt="prompt")


def test_column_of_the_question_is_no_other_roles_too() -> None:
    with refusal("DatasetColumnTwice", "data.train.columns.prompt and data.train.columns.answer both name 'prompt'"):
        records({"prompt": "q", "answer": "a"}, answer="prompt")
    with refusal("DatasetColumnTwice", "both name 'answer'"):
        records({"question": "q", "answer": "a"}, prompt="answer")
    solved = {"prompt": "q", "solution": "so #### 7"}
    assert records(solved, answer="solution", reasoning="solution")[0].reasoning == "so #### 7"


def test_all_columns_that_are_missing_are_told_together() -> None:
    with refusal("DatasetColumnMissing", "columns.prompt: there is no column 'prompt'; ", "columns.answer"):
        records({"question": "q", "final_answer": "a"})
    hint = hint_of({"question": "q", "final_answer": "a"})
    assert "'question'?" in hint
    assert "'final_answer'?" in hint


def files(folder: Path, **rows: dict[str, str]) -> dict[str, Any]:
    """Write sets of one row, and return what names them."""
    for name, row in rows.items():
        write(folder / f"c/{name}.jsonl", json.dumps(row))
    return {name: {"source": f"pvc://c/{name}.jsonl"} for name in rows}


def test_what_is_wrong_in_several_sets_is_told_together(tmp_path: Path, locate: Callable[[str], Path]) -> None:
    sets = files(tmp_path, train={"prompt": "q"}, heldOut={"prompt": "r"}, warmup={"prompt": "q", "answer": "a"})
    wrong = spec(data={name: sets[name] for name in ("train", "heldOut")})
    with refusal("DatasetColumnMissing", "data.train.columns.answer", "; also: data.heldOut.columns.answer"):
        load_data(wrong, Source(locate))
    wrong = spec(data={"train": {"rows": ROWS}} | {name: sets[name] for name in ("heldOut", "warmup")})
    with refusal("DatasetColumnMissing", "data.heldOut.columns.answer", "; also: data.warmup.columns.reasoning"):
        load_data(wrong, Source(locate))


def test_row_is_named_by_its_own_number_and_file(tmp_path: Path, locate: Callable[[str], Path]) -> None:
    rows = [{"prompt": f"q{number}", "answer": "a"} for number in range(20)]
    write(tmp_path / "c/a.jsonl", "\n".join(map(json.dumps, rows)))
    train = {"source": "pvc://c/a.jsonl", "limit": 3}
    sets = {"train": train, "heldOut": {"rows": APART}}
    found = load_data(spec(data=sets), Source(locate)).train
    assert [row.place for row in found] == [
        Place("data.train", rows.index({**row.columns}) + 1, "pvc://c/a.jsonl") for row in found
    ]
    write(tmp_path / "c/a.jsonl", '\n{"prompt": "q", "answer": "a"}\n{"prompt": "r", "answer": null}')
    with refusal("DatasetValueMissing", "data.train, row 2, column answer of pvc://c/a.jsonl: no answer"):
        load_data(spec(data=sets), Source(locate))


def test_answer_is_needed_only_where_it_is_compared(tmp_path: Path, locate: Callable[[str], Path]) -> None:
    unanswered = files(tmp_path, train={"prompt": "q"})["train"]
    assert load(train={"rows": [{"prompt": "q"}]}, rewards=[{"name": "shape", "builtin": "format"}]).train == (
        Example("q"),
    )
    with refusal("DatasetColumnMissing", "data.train.columns.answer"):
        load_data(spec(data={"train": unanswered, "heldOut": {"rows": APART}}), Source(locate))
    with refusal("DatasetColumnMissing", "data.heldOut.columns.answer"):
        load_data(spec(data={"train": {"rows": ROWS}, "heldOut": unanswered}), Source(locate))


def test_preferences_need_both_completions(tmp_path: Path, locate: Callable[[str], Path]) -> None:
    write(tmp_path / "c/a.jsonl", '{"prompt": "q", "good": "g"}')
    train = {"source": "pvc://c/a.jsonl", "columns": {"chosen": "good", "rejected": "bad"}}
    wanted = spec(data={"train": train, "heldOut": {"rows": APART}}, rewards=[], reinforce={"algorithm": "DPO"})
    with refusal("DatasetColumnMissing", "data.train.columns.rejected", "'bad'"):
        load_data(wanted, Source(locate))
    write(tmp_path / "c/a.jsonl", '{"prompt": "q", "good": "g", "bad": "b"}')
    assert load_data(wanted, Source(locate)).train == (Example("q", chosen="g", rejected="b"),)


def said(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


PAIR = {"chosen": [said("user", "q"), said("assistant", "g")], "rejected": [said("user", "q"), said("assistant", "b")]}


@pytest.mark.parametrize(
    "row",
    [
        PAIR,
        PAIR | {"prompt": "q"},
        {"prompt": [said("user", "q")], "chosen": [said("assistant", "g")], "rejected": [said("assistant", "b")]},
    ],
    ids=["prompt within", "prompt beside", "three conversations"],
)
def test_preferences_as_conversations(row: dict[str, Any], tmp_path: Path, locate: Callable[[str], Path]) -> None:
    """The forms of ultrafeedback_binarized and of TRL's own data sets."""
    write(tmp_path / "c/a.jsonl", json.dumps(row))
    write(tmp_path / "c/b.jsonl", json.dumps(row | {"prompt": "other", "answer": "a"}))
    columns = {"chosen": "chosen", "rejected": "rejected"}
    train, held_out = ({"source": f"pvc://c/{name}.jsonl", "columns": columns} for name in "ab")
    sets = {"train": train, "heldOut": held_out}
    splits = load_data(spec(data=sets, rewards=[], reinforce={"algorithm": "DPO"}), Source(locate))
    assert splits.train == (Example("q", chosen="g", rejected="b"),)
    assert splits.held_out == (Example("other", "a", chosen="g", rejected="b"),)


def test_pair_of_completions_to_different_questions_is_refused(tmp_path: Path, locate: Callable[[str], Path]) -> None:
    row = PAIR | {"rejected": [said("user", "other"), said("assistant", "b")]}
    write(tmp_path / "c/a.jsonl", f"{json.dumps(PAIR)}\n{json.dumps(row)}")
    train = {"source": "pvc://c/a.jsonl", "columns": {"chosen": "chosen", "rejected": "rejected"}}
    wanted = spec(data={"train": train, "heldOut": {"rows": APART}}, rewards=[], reinforce={"algorithm": "ORPO"})
    with refusal("PairQuestionsDiffer", "data.train, row 2, column rejected of pvc://c/a.jsonl: it answers 'other'"):
        load_data(wanted, Source(locate))


def test_system_text_of_a_row_is_used_and_told(tmp_path: Path, locate: Callable[[str], Path]) -> None:
    rows = [
        {"prompt": "q", "answer": "a", "system": "Be brief."},
        {"prompt": [said("system", "Be kind."), said("user", "r")], "answer": "b"},
        {"prompt": "s", "answer": "c"},
    ]
    write(tmp_path / "c/a.jsonl", "\n".join(map(json.dumps, rows)))
    sets = {"train": {"source": "pvc://c/a.jsonl"}, "heldOut": {"rows": APART}}
    splits = load_data(spec(data=sets), Source(locate))
    assert [row.system for row in splits.train] == ["Be brief.", "Be kind.", None]
    assert splits.notes == (
        "2 of 3 rows of data.train have a system text of their own, which stands in the place of "
        "chatTemplate.systemPrompt",
    )


def test_preference_of_several_turns_is_refused(tmp_path: Path, locate: Callable[[str], Path]) -> None:
    turn = [said("system", "s"), said("user", "q"), said("assistant", "g")]
    write(tmp_path / "c/a.jsonl", json.dumps(PAIR | {"prompt": "q", "chosen": turn}))
    train = {"source": "pvc://c/a.jsonl", "columns": {"chosen": "chosen", "rejected": "rejected"}}
    wanted = spec(data={"train": train, "heldOut": {"rows": APART}}, rewards=[], reinforce={"algorithm": "DPO"})
    with refusal("DatasetValueInvalid", "data.train, row 1, column chosen", "system, user, assistant"):
        load_data(wanted, Source(locate))


def test_column_that_nothing_reads_may_hold_anything(tmp_path: Path, locate: Callable[[str], Path]) -> None:
    """Data sets for several purposes have conversations beside prompt and answer."""
    row = {"prompt": "q", "answer": "a", "messages": "none", "chosen": [1], "reasoning": {"a": 1}}
    write(tmp_path / "c/a.jsonl", json.dumps(row))
    sets = {"train": {"source": "pvc://c/a.jsonl"}, "heldOut": {"rows": APART}}
    assert load_data(spec(data=sets), Source(locate)).train == (Example("q", "a"),)


def test_warmup_takes_the_columns_that_are_named_though_there_are_conversations(
    tmp_path: Path, locate: Callable[[str], Path]
) -> None:
    row = {"problem": "q", "solution": "s", "answer": "a", "messages": turns("user", "assistant")}
    write(tmp_path / "c/a.jsonl", json.dumps(row))
    warmup = {"source": "pvc://c/a.jsonl", "columns": {"prompt": "problem", "reasoning": "solution"}}
    sets = {"train": {"rows": ROWS}, "heldOut": {"rows": APART}, "warmup": warmup}
    assert load_data(spec(data=sets), Source(locate)).warmup == (Example("q", "a", "s"),)


def test_answer_pattern_takes_its_first_group() -> None:
    rows = [{"prompt": "q", "answer": "so 3 + 4\n#### 7 "}, {"prompt": "r", "answer": "#### 8"}]
    train = {"rows": rows, "answerPattern": "#### (.*)"}
    assert [example.answer for example in load(train=train).train] == ["7", "8"]


def test_answer_pattern_that_matches_several_values_says_which_counts() -> None:
    rows = [{"prompt": "q", "answer": "x = 3, so y = 7"}, {"prompt": "r", "answer": "x = 2, as x = 2"}]
    splits = load(train={"rows": rows, "answerPattern": r"= (\d)"})
    assert [row.answer for row in splits.train] == ["3", "2"]
    assert splits.notes == (
        r"data.train.answerPattern '= (\\d)' matches several different values in 1 of 2 rows, first in row 1: "
        "'3', '7'; the first one counts, '3' (for the last, begin it with (?s).*)",
    )
    last = load(train={"rows": rows, "answerPattern": r"(?s).*= (\d)"})
    assert ([row.answer for row in last.train], last.notes) == (["7", "2"], ())


@pytest.mark.parametrize(
    ("pattern", "reason", "says"),
    [
        ("## (.*", "AnswerPatternInvalid", "unterminated"),
        ("#[(]#", "AnswerPatternInvalid", "has no group"),
        ("#### (.*)", "AnswerPatternUnmatched", "in 2 of 3 rows, first in row 2: '7'"),
        ("#### (x)?", "AnswerPatternUnmatched", "in 3 of 3 rows"),
        ("7( *)", "AnswerPatternUnmatched", "in 3 of 3 rows"),
    ],
)
def test_answer_pattern_that_does_not_work(pattern: str, reason: str, says: str) -> None:
    rows = [{"prompt": "q", "answer": answer} for answer in ("#### 7", "7", "8")]
    with refusal(reason, "data.train.answerPattern", says):
        load(train={"rows": rows, "answerPattern": pattern})


def test_warmup_rows() -> None:
    assert load(warmup={"rows": [WORKED]}).warmup == (Example("2 + 2?", "4", "Two and two."),)


def test_skipped_warmup_is_not_read() -> None:
    sets = {"train": {"rows": ROWS}, "heldOut": {"rows": APART}, "warmup": {"source": "pvc://gone/a.jsonl"}}
    assert load_data(spec(data=sets, warmup={"skip": True}), Source(nowhere)).warmup == ()


def test_warmup_needs_reasoning(tmp_path: Path, locate: Callable[[str], Path]) -> None:
    sets = files(tmp_path, warmup={"prompt": "q", "answer": "a"})
    with refusal("DatasetColumnMissing", "data.warmup.columns.reasoning"):
        load_data(spec(data={"train": {"rows": ROWS}, "heldOut": {"rows": APART}} | sets), Source(locate))


def turns(*roles: str) -> list[dict[str, str]]:
    return [{"role": role, "content": f"{role} says"} for role in roles]


def conversation(tmp_path: Path, locate: Callable[[str], Path], messages: Any) -> Splits:
    write(tmp_path / "c/a.jsonl", json.dumps({"messages": messages}))
    sets = {"train": {"rows": ROWS}, "heldOut": {"rows": APART}, "warmup": {"source": "pvc://c/a.jsonl"}}
    return load_data(spec(data=sets), Source(locate))


def test_warmup_conversations(tmp_path: Path, locate: Callable[[str], Path]) -> None:
    splits = conversation(tmp_path, locate, turns("system", "user", "assistant", "user", "assistant"))
    assert [message.role for message in splits.warmup[0].messages or ()][-2:] == ["user", "assistant"]
    assert splits.warmup[0].questions == ("user says", "user says")


@pytest.mark.parametrize(
    "messages",
    [
        *("hello", 7, [], turns("user"), turns("tool", "assistant"), [{"role": "assistant", "content": None}]),
        [{"role": "user", "content": "q"}, {"role": "assistant", "content": "", "tool_calls": [{"name": "add"}]}],
    ],
    ids=str,
)
def test_warmup_conversation_that_is_none(messages: Any, tmp_path: Path, locate: Callable[[str], Path]) -> None:
    with pytest.raises(TrainerError, match="row 1, column messages") as caught:
        conversation(tmp_path, locate, messages)
    assert caught.value.reason in ("DatasetValueInvalid", "DatasetValueMissing")


EXAMPLES = [Example(f"question {n}", str(n)) for n in range(1000)]


def test_limit_is_chosen_by_the_seed_and_keeps_the_order() -> None:
    chosen = sample(EXAMPLES, 10, seed=1)
    assert chosen == sample(EXAMPLES, 10, seed=1) != sample(EXAMPLES, 10, seed=2)
    assert [int(example.answer or "") for example in chosen] == sorted(int(example.answer or "") for example in chosen)
    assert sample(EXAMPLES, None, 1) == sample(EXAMPLES, 2000, 1) == EXAMPLES


def test_split_by_hash_depends_on_the_question_alone() -> None:
    train, held_out = split_by_hash(EXAMPLES, 0.2)
    assert sorted([*train, *held_out], key=EXAMPLES.index) == EXAMPLES
    assert 150 < len(held_out) < 250
    shuffled = EXAMPLES[500:][::-1]
    assert set(split_by_hash(shuffled, 0.2)[1]) == {example for example in held_out if example in shuffled}
    shouted = [Example(f"  QUESTION  {example.answer}!") for example in held_out]
    assert split_by_hash(shouted, 0.2) == ([], shouted)


def test_split_by_hash_is_the_same_in_every_version() -> None:
    held_out = split_by_hash(EXAMPLES[:30], 0.2)[1]
    assert [example.answer for example in held_out] == ["1", "11", "13", "18", "19", "22", "27"]


def test_fraction_is_held_out_before_limits_apply() -> None:
    whole = load(held_out={"fraction": 0.25})
    assert len(whole.train) + len(whole.held_out) == len(ROWS)
    limited = load(train={"rows": ROWS, "limit": 5}, held_out={"fraction": 0.25})
    assert len(limited.train) == 5
    assert limited.held_out == whole.held_out
    few = load(held_out={"fraction": 0.25, "limit": 2})
    assert (len(few.held_out), few.train) == (2, whole.train)


def test_fraction_that_leaves_a_side_empty_is_refused() -> None:
    with refusal("DatasetEmpty", "data.heldOut"):
        load(held_out={"fraction": 1e-9})
    with refusal("DatasetEmpty", "data.train"):
        load(held_out={"fraction": 1 - 1e-9})


SAME = [
    ("What is 2+2?", "  what IS 2+2 ", True),
    ("“Hello,” he said.", "hello he said", True),
    ("É", "e\u0301", True),
    ("2+3", "2-3", False),
    ("2 + 3", "2 - 3", False),
    ("1.5", "15", False),
    (".5", "5", False),
    ("(2+3)*4", "2+3*4", False),
    ("5²", "52", False),
    ("x < y", "x > y", False),
    ("What is 12 + 3?", "What is 1 + 23?", False),
]


@pytest.mark.parametrize(("one", "other", "same"), SAME)
def test_normalised_questions(one: str, other: str, same: bool) -> None:
    assert (normalised(one) == normalised(other)) is same


def test_overlap_is_refused_with_counts_and_examples() -> None:
    held_out = [Example("a b?"), Example("A  B"), Example("c"), Example("a b?")]
    with refusal(
        "HeldOutOverlap", "3 of 4 rows of data.heldOut are also in data.train", "2 word for word", "1 but", "'a b?'"
    ):
        refuse_overlap([Example("a b?"), Example("d")], held_out, "data.train")
    refuse_overlap([Example("a b? ")], [Example("c")], "data.train")


@pytest.mark.parametrize(
    ("questions", "says"),
    [
        (["a", "b", "c"], ""),
        (["a", "A?", "a"], "2 of 3 rows of data.train ask what another row asks"),
    ],
)
def test_repeated_questions_are_counted(questions: list[str], says: str) -> None:
    assert says in repeated([Example(question, "1") for question in questions], "data.train")


def test_repeated_question_with_another_answer_is_counted_apart() -> None:
    rows = [Example("a", "1"), Example("a", "1"), Example("a?", "2")]
    assert "1 of them with another answer" in repeated(rows, "data.train")


def test_overlap_shows_no_more_than_three_short_examples() -> None:
    many = [Example("x" * 5000 + str(n)) for n in range(50)]
    with pytest.raises(TrainerError) as caught:
        refuse_overlap(many, many, "data.train")
    assert caught.value.message.count("xxx'") <= 3
    assert len(caught.value.message) < 600


def test_overlap_with_train_and_with_warmup_is_refused_on_load() -> None:
    with refusal("HeldOutOverlap", "data.train"):
        load(held_out={"rows": [{"prompt": "what is 3 + 3", "answer": "6"}]})
    with refusal("HeldOutOverlap", "data.warmup"):
        load(warmup={"rows": [WORKED | {"prompt": APART[0]["prompt"]}]})


def test_overlaps_with_both_sets_are_told_together() -> None:
    with refusal(
        "HeldOutOverlap", "are also in data.train", "also: 1 of 1 rows of data.heldOut are also in data.warmup"
    ):
        load(train={"rows": APART}, warmup={"rows": [{**APART[0], "reasoning": "r"}]})


def test_overlap_with_a_turn_of_a_conversation_is_refused(tmp_path: Path, locate: Callable[[str], Path]) -> None:
    messages = turns("user", "assistant")
    messages[0]["content"] = APART[0]["prompt"].upper()
    with refusal("HeldOutOverlap", "data.warmup"):
        conversation(tmp_path, locate, messages)


def test_rows_that_are_too_long_are_left_out_and_counted() -> None:
    rows = ["a" * length for length in (1, 5, 3, 9)]
    kept, left_out = within_length(rows, len, 5, "prompts of data.train", PROMPT)
    assert [len(row) for row in kept] == [1, 5, 3]
    assert left_out == "1 of 4 prompts of data.train left out: more than reinforce.maxPromptLength 5"
    assert within_length(rows, len, 9, "prompts of data.train", PROMPT) == (rows, "")
    with refusal("PromptsTooLong", "all 4 prompts of data.train", "maxPromptLength 0", "the shortest has 1 tokens"):
        within_length(rows, len, 0, "prompts of data.train", PROMPT)
    with refusal("RowsTooLong", "all 4 turns of data.warmup", "model.maxSequenceLength 0"):
        within_length(rows, len, 0, "turns of data.warmup", SEQUENCE)


class DatasetsError(Exception):
    """As the library's."""


class NotFoundError(DatasetsError, FileNotFoundError):
    """As the library's DatasetNotFoundError."""


COMMIT = "0123456789" * 4


class FakeDataSet(list[dict[str, str]]):
    """Rows, as from the library datasets."""

    cache_files = [{"filename": f"/cache/a___b/default/0.0.0/{COMMIT}/b-train.arrow"}]


class FakeHub(ModuleType):
    """Stands in for the library datasets: the Hub cannot be had in a test."""

    exceptions = SimpleNamespace(DatasetsError=DatasetsError)

    def __init__(self, answer: dict[str, list[dict[str, str]]] | Exception) -> None:
        super().__init__("datasets")
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def load_dataset(self, path: str, **wanted: Any) -> FakeDataSet:
        self.asked.append((path, wanted))
        if isinstance(self.answer, Exception):
            raise self.answer
        return FakeDataSet(self.answer[wanted["split"]])


class FakeApi(ModuleType):
    """Stands in for huggingface_hub, which knows what a branch stands for now."""

    def __init__(self, commit: str) -> None:
        super().__init__("huggingface_hub")
        self.commit = commit
        self.failure: Exception | None = None

    def HfApi(self, token: str | None) -> FakeApi:  # noqa: N802 the library's name
        return self

    def dataset_info(self, name: str, revision: str | None) -> Any:
        if self.failure is not None:
            raise self.failure
        return SimpleNamespace(sha=self.commit)


@pytest.fixture(autouse=True)
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake = FakeApi(COMMIT)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    return fake


def test_branch_is_pinned_to_its_commit_for_every_later_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: FakeApi
) -> None:
    hub = FakeHub({"train": [{"prompt": f"q{n}", "answer": "1"} for n in range(9)]})
    monkeypatch.setitem(sys.modules, "datasets", hub)
    wanted = spec(data={"train": {"source": "hf://a/b", "revision": "main"}, "heldOut": {"rows": APART}})
    for _ in range(2):
        source = Source(nowhere, commits=Commits(tmp_path / "commits.json"))
        load_data(wanted, source)
        api.commit = "f" * 40
    assert [asked["revision"] for _, asked in hub.asked] == [COMMIT, COMMIT]
    assert source.taken == {"data.train": COMMIT}


def test_hub_rows_and_the_held_out_split_of_train(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub(
        {"train": [{"question": "q", "answer": "#### 1"}] * 3, "test": [{"question": "t", "answer": "#### 2"}] * 3}
    )
    monkeypatch.setitem(sys.modules, "datasets", hub)
    train = {
        "source": "hf://openai/gsm8k",
        "config": "main",
        "revision": "abc",
        "columns": {"prompt": "question"},
        "answerPattern": "#### (.*)",
        "limit": 1,
    }
    splits = load_data(spec(data={"train": train, "heldOut": {"split": "test", "limit": 2}}), Source(nowhere, "t"))
    assert splits.train == (Example("q", "1"),)
    assert splits.held_out == (Example("t", "2"),) * 2
    wanted = {"name": "main", "revision": COMMIT, "token": "t"}
    assert hub.asked == [
        ("openai/gsm8k", wanted | {"split": "train"}),
        ("openai/gsm8k", wanted | {"split": "test"}),
    ]


@pytest.mark.parametrize(
    ("error", "exit_code", "reason"),
    [
        (NotFoundError("no such set"), ExitCode.DATA_INVALID, "DatasetNotFound"),
        (ValueError("Unknown split"), ExitCode.DATA_INVALID, "DatasetInvalid"),
        (DatasetsError("files differ"), ExitCode.DATA_INVALID, "DatasetInvalid"),
        (RuntimeError("Dataset scripts are no longer supported"), ExitCode.DATA_INVALID, "DatasetInvalid"),
        (ConnectionError("no route"), ExitCode.TRANSIENT, "HubUnreachable"),
        (httpx.ReadTimeout("slow"), ExitCode.TRANSIENT, "HubUnreachable"),
    ],
)
def test_hub_errors_are_told_apart(
    error: Exception, exit_code: ExitCode, reason: str, monkeypatch: pytest.MonkeyPatch, api: FakeApi
) -> None:
    api.failure = httpx.ConnectError("no route")  # what the Hub does not say of a branch is no error yet
    monkeypatch.setitem(sys.modules, "datasets", FakeHub(error))
    with pytest.raises(TrainerError, match=f"hf://a/b.*{error}") as caught:
        load(train={"source": "hf://a/b"})
    assert (caught.value.exit_code, caught.value.reason) == (exit_code, reason)


PAIRS: dict[str, Any] = {
    "train": {"rows": [{"prompt": f"q{n}", "chosen": "good", "rejected": "bad"} for n in range(40)]},
    "rewards": [],
    "reinforce": {"algorithm": "DPO"},
}


@pytest.mark.parametrize(
    "held_out", [{"fraction": 0.25}, {"rows": [{"prompt": "other", "chosen": "good", "rejected": "bad"}]}], ids=str
)
def test_pairs_are_evaluated_without_answers(held_out: dict[str, Any]) -> None:
    rows = load(**PAIRS, held_out=held_out).held_out
    assert rows
    assert all((row.answer, row.chosen, row.rejected) == (None, "good", "bad") for row in rows)
    with pytest.raises(TrainerError, match="passAtK asks for completions to be judged") as refused:
        load(**PAIRS, held_out=held_out, evaluation={"passAtK": [4]})
    assert refused.value.reason == "AnswersMissing"


def test_column_that_is_no_answer_is_none(tmp_path: Path, locate: Callable[[str], Path]) -> None:
    pair = {"prompt": "other", "chosen": "good", "rejected": "bad"}
    none = [None, ["x"], "", " "]
    lines = [json.dumps(pair | {"prompt": f"other {n}", "answer": answer}) for n, answer in enumerate(none)]
    write(tmp_path / "c/pairs.jsonl", "\n".join(lines))
    wanted = PAIRS | {"data": {"train": PAIRS["train"], "heldOut": {"source": "pvc://c/pairs.jsonl"}}}
    found = load_data(spec(**{name: part for name, part in wanted.items() if name != "train"}), Source(locate))
    assert [row.answer for row in found.held_out] == [None] * 4


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"prompt": "other"}, "data.heldOut.columns.chosen: there is no column"),
        ({"prompt": "other", "chosen": "good"}, "data.heldOut.columns.rejected: there is no column"),
        ({"prompt": "other", "chosen": "good", "rejected": " "}, "data.heldOut, row 1, column rejected: no rejected"),
    ],
)
def test_held_out_rows_of_pairs_that_can_not_be_judged_are_refused(row: dict[str, Any], says: str) -> None:
    with pytest.raises(TrainerError) as refused:
        load(**PAIRS, held_out={"rows": [row]})
    assert says in refused.value.message
