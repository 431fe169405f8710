"""Data through the real libraries: pyarrow, datasets and reasoning-gym."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import Columns, Rows
from reasoning_trainer.data.columns import to_examples
from reasoning_trainer.data.files import read_file
from reasoning_trainer.data.sources import Source, read
from reasoning_trainer.errors import TrainerError


def nowhere(source: str) -> Path:
    raise AssertionError(f"{source} was looked for")


def rows(**given: Any) -> Rows:
    return Rows.model_validate(given)


def test_parquet(tmp_path: Path) -> None:
    table = [{"prompt": "a?", "answer": 4, "messages": [{"role": "user", "content": "a?"}]}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), tmp_path / "a.parquet")
    assert read_file(tmp_path / "a.parquet", "a") == table


def test_parquet_by_its_content_and_rows_in_zstd(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"answer": 4}]), tmp_path / "download")
    assert read_file(tmp_path / "download", "a") == [{"answer": 4}]
    with pyarrow.CompressedOutputStream(str(tmp_path / "a.jsonl.zst"), "zstd") as stream:
        stream.write(b'{"answer": 5}\n')
    assert read_file(tmp_path / "a.jsonl.zst", "a") == [{"answer": 5}]
    (tmp_path / "cut.jsonl.zst").write_bytes((tmp_path / "a.jsonl.zst").read_bytes()[:8])
    with pytest.raises(TrainerError, match=r"pvc://c/cut\.jsonl\.zst: not whole zstd"):
        read_file(tmp_path / "cut.jsonl.zst", "pvc://c/cut.jsonl.zst")


def test_cell_of_parquet_that_is_null_is_named(tmp_path: Path) -> None:
    table = pyarrow.Table.from_pylist([{"prompt": "a?", "answer": 4}, {"prompt": "b?", "answer": None}])
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    records = read_file(tmp_path / "a.parquet", "a")
    assert [row["answer"] for row in records] == [4, None]
    with pytest.raises(TrainerError, match=r"data\.train, row 2, column answer: no answer"):
        to_examples(records, Columns(), "data.train", ("prompt", "answer"))


def test_number_of_parquet_in_32_bits_is_the_one_that_was_written(tmp_path: Path) -> None:
    numbers = pyarrow.array([0.1, 2.0, None, 1e-7], pyarrow.float32())
    pyarrow.parquet.write_table(pyarrow.table({"answer": numbers}), tmp_path / "a.parquet")
    assert [row["answer"] for row in read_file(tmp_path / "a.parquet", "a")] == [0.1, 2.0, None, 1e-7]


YEARS = [2**62]
ODD = {
    "a time of no year": (["answer", "t"], pyarrow.array(YEARS, pyarrow.timestamp("us")), "column 't': OverflowError"),
    "a day of no year": (["answer", "t"], pyarrow.array([2**30], pyarrow.date32()), "column 't': OverflowError"),
    "no such zone": (["answer", "t"], pyarrow.array([1], pyarrow.timestamp("us", "Mars/Olympus")), "column 't': "),
    "bytes for text": (["answer", "t"], pyarrow.array([b"\xff"]).view(pyarrow.string()), "column 't': UnicodeDecode"),
    "one name twice": (["answer", "answer"], pyarrow.array(["1"]), "two columns are named 'answer'"),
}


@pytest.mark.parametrize("name", ODD)
def test_values_that_python_cannot_hold_are_refused_by_column(name: str, tmp_path: Path) -> None:
    names, odd, says = ODD[name]
    table = pyarrow.Table.from_arrays([pyarrow.array(["1"]), odd], names=names)
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(TrainerError) as caught:
        read_file(tmp_path / "a.parquet", "pvc://c/a.parquet")
    assert caught.value.reason == "DatasetMalformed"
    assert says in caught.value.message


@pytest.mark.parametrize(
    "values",
    [
        pyarrow.array([1], pyarrow.timestamp("s")),
        pyarrow.array([b"1"]),
        pyarrow.array([True]),
        pyarrow.array([[("k", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64())),
    ],
    ids=lambda values: str(values.type),
)
def test_value_of_parquet_that_is_no_text_is_refused_by_row_and_column(values: pyarrow.Array, tmp_path: Path) -> None:
    table = pyarrow.Table.from_arrays([pyarrow.array(["q"]), values], names=["prompt", "answer"])
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    records = read_file(tmp_path / "a.parquet", "a")
    with pytest.raises(TrainerError, match=r"data\.train, row 1, column answer: .* where text is needed"):
        to_examples(records, Columns(), "data.train", ("prompt", "answer"))


def test_file_that_is_not_parquet(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("prompt,answer\n")
    with pytest.raises(TrainerError, match=r"pvc://c/a\.parquet: not Parquet") as caught:
        read_file(tmp_path / "a.parquet", "pvc://c/a.parquet")
    assert caught.value.reason == "DatasetMalformed"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fakes the Hub by folders: the library takes `owner/name` for a folder of the working directory first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "owner" / "sums"
    folder.mkdir(parents=True)
    for split, answers in {"train": (4, 6), "test": (8,)}.items():
        lines = [json.dumps({"question": f"{answer}?", "answer": answer}) for answer in answers]
        (folder / f"{split}.jsonl").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.usefixtures("hub")
def test_hub_data_set() -> None:
    source = "hf://owner/sums"
    assert read(rows(source=source), "data.train", Source(nowhere)) == [
        {"question": "4?", "answer": 4},
        {"question": "6?", "answer": 6},
    ]
    assert read(rows(source=source, split="test"), "data.train", Source(nowhere)) == [{"question": "8?", "answer": 8}]


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("wrong", [{"split": "dev"}, {"config": "none"}], ids=str)
def test_unknown_split_or_config(wrong: dict[str, str]) -> None:
    with pytest.raises(TrainerError, match="hf://owner/sums") as caught:
        read(rows(source="hf://owner/sums", **wrong), "data.train", Source(nowhere))
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.DATA_INVALID, "DatasetInvalid")


def test_hub_data_set_whose_files_cannot_be_parsed(hub: Path) -> None:
    (hub / "owner" / "sums" / "train.jsonl").write_text("{")
    with pytest.raises(TrainerError, match="hf://owner/sums") as caught:
        read(rows(source="hf://owner/sums"), "data.train", Source(nowhere))
    assert caught.value.reason == "DatasetInvalid"


def test_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(TrainerError, match="hf://owner/elsewhere") as caught:
        read(rows(source="hf://owner/elsewhere"), "data.train", Source(nowhere))
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.TRANSIENT, "HubUnreachable")


def test_reasoning_gym_makes_the_same_rows_from_a_seed() -> None:
    task = {"task": "chain_sum", "size": 5, "seed": 1, "config": {"min_terms": 2, "max_terms": 2}}
    made = read(rows(reasoningGym=task), "data.train", Source(nowhere))
    assert len(made) == 5
    assert all(row["prompt"].count(" + ") + row["prompt"].count(" - ") == 1 for row in made)
    assert made == read(rows(reasoningGym=task), "data.train", Source(nowhere))
    assert made != read(rows(reasoningGym=task | {"seed": 9}), "data.train", Source(nowhere))


@pytest.mark.parametrize(
    ("task", "reason", "says"),
    [
        ({"task": "chain_sums"}, "ReasoningGymTaskUnknown", "data.train.reasoningGym.task.*chain_sums"),
        ({"task": "chain_sum", "config": {"terms": 2}}, "ReasoningGymConfigInvalid", "terms"),
        ({"task": "chain_sum", "config": {"min_terms": 0}}, "ReasoningGymConfigInvalid", "min_terms must be positive"),
    ],
)
def test_reasoning_gym_errors(task: dict[str, Any], reason: str, says: str) -> None:
    with pytest.raises(TrainerError, match=says) as caught:
        read(rows(reasoningGym=task), "data.train", Source(nowhere))
    assert caught.value.reason == reason
    if reason == "ReasoningGymTaskUnknown":
        assert "chain_sum" in caught.value.hint
