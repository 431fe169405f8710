"""Reads rows from where a spec says they lie: files, the Hub, the manifest itself, a reasoning-gym task."""

from __future__ import annotations

import csv
import difflib
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import HeldOut, ReasoningGym, Rows

from ..errors import TrainerError, invalid_data
from ..storage.commits import Commits

Locate = Callable[[str], Path]
"""Maps a pvc://, configmap:// or file:/// source to the path where the pod sees it; raises TrainerError if missing."""
Record = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """Where rows are read from.

    Attributes
    ----------
    locate
        Finds files of claims, ConfigMaps and the image.
    token
        Hub token for private data sets.
    commits
        Commits of the run.
    taken
        Receives the commit of each Hub data set, by its field.
    """

    locate: Locate
    token: str | None = None
    commits: Commits = field(default_factory=Commits)
    taken: dict[str, str] = field(default_factory=dict)


def read(rows: Rows | HeldOut, field: str, source: Source) -> list[Record]:
    """Read the rows of a set, in their order, with the columns that they have.

    Parameters
    ----------
    rows
        The set; exactly one of its source, rows and reasoningGym is given.
    field
        Its name in the spec, such as ``data.train``, for messages.
    source
        Where to read them from.

    Raises
    ------
    TrainerError
        If the rows cannot be had or are malformed.
    """
    if rows.rows is not None:
        return [row.model_dump(exclude_none=True) for row in rows.rows]
    if rows.reasoning_gym is not None:
        return _make(rows.reasoning_gym, field)
    name = rows.source or ""
    if name.startswith("hf://"):
        return _download(name.removeprefix("hf://"), rows, field, source)
    return read_file(source.locate(name), name)


def read_file(path: Path, name: str) -> list[Record]:
    """Read a JSONL, JSON, CSV or Parquet file.

    Parameters
    ----------
    path
        The file; its ending says its format.
    name
        What messages call it: the source in the spec.

    Raises
    ------
    TrainerError
        If there is no such file, its format is not known, or it is malformed; of text formats with the line's number.
    """
    if not path.is_file():
        what = "is a folder: name a file in it" if path.is_dir() else "does not exist"
        raise invalid_data("DatasetNotFound", f"{name} {what}", "check the source's name and path")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise invalid_data(
            "DatasetFormatUnknown",
            f"{name} has no ending that names its format",
            f"rename it so that it ends in one of {', '.join(READERS)}",
        )
    try:
        return reader(path)
    except UnicodeDecodeError as error:
        line = path.read_bytes().count(b"\n", 0, error.start) + 1
        raise _malformed(f"{name}, line {line}: not UTF-8 text") from error
    except MalformedError as error:
        raise _malformed(f"{name}{error}") from error


class MalformedError(ValueError):
    """Where in a file, and what is wrong there."""


def _read_jsonl(path: Path) -> list[Record]:
    # not splitlines: JSON strings may hold other line separators, such as U+2028
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    return [_json_object(line, number) for number, line in enumerate(lines, 1) if line.strip()]


def _json_object(line: str, number: int) -> Record:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise MalformedError(f", line {number}: not JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(record, dict):
        raise MalformedError(f", line {number}: a {type(record).__name__} where an object is needed")
    return record


def _read_json(path: Path) -> list[Record]:
    try:
        records = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise MalformedError(f", line {error.lineno}: not JSON: {error.msg} at column {error.colno}") from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise MalformedError(": needs a list of objects; a file with an object a line is .jsonl")
    return records


def _read_csv(path: Path) -> list[Record]:
    csv.field_size_limit(sys.maxsize)  # the module's limit of 128 KiB is for all readers of the process
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(_csv_records(csv.reader(file, strict=True)))


def _csv_records(reader: Any) -> Iterator[Record]:
    try:
        header: list[str] = next(reader, [])
        if again := sorted({name for name in header if header.count(name) > 1}):
            raise MalformedError(f", line 1: two columns are named {again[0]!r}")
        for row in reader:
            if row and len(row) != len(header):
                raise MalformedError(f", line {reader.line_num}: {len(row)} fields where the header has {len(header)}")
            if row:
                yield dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise MalformedError(f", line {reader.line_num}: not CSV: {error}") from error


def _read_parquet(path: Path) -> list[Record]:
    import pyarrow
    import pyarrow.parquet

    try:
        records: list[Record] = pyarrow.parquet.read_table(path).to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise MalformedError(f": not Parquet: {error}") from error
    return records


READERS: dict[str, Callable[[Path], list[Record]]] = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}


def _download(name: str, rows: Rows | HeldOut, field: str, source: Source) -> list[Record]:
    import datasets
    import httpx

    asked = source.commits.pinned(f"datasets/{name}", rows.revision)
    wanted = {"name": rows.config, "split": rows.split or "train", "token": source.token}
    try:
        found = datasets.load_dataset(name, revision=_resolve(name, asked, source.token), **wanted)
        commit = _commit_of(found)
        if commit and asked and COMMIT.fullmatch(asked) and commit != asked:
            # without a way to the Hub the library takes what it used last
            found, commit = datasets.load_dataset(_snapshot(name, asked, commit, field), **wanted), asked
    except FileNotFoundError as error:
        hint = "check the name; for a private data set give model.tokenSecretRef"
        raise invalid_data("DatasetNotFound", f"{field}: hf://{name} cannot be had: {error}", hint) from error
    except (ValueError, datasets.exceptions.DatasetsError) as error:  # such as an unknown config or split
        hint = f"check {field}.config, split and revision"
        raise invalid_data("DatasetInvalid", f"{field}: hf://{name}: {error}", hint) from error
    except RuntimeError as error:
        if "scripts are no longer supported" not in str(error):
            raise
        hint = (
            "choose a data set of files (Parquet, JSON or CSV), or convert it and put it on a claim: pvc://claim/path"
        )
        raise invalid_data("DatasetInvalid", f"{field}: hf://{name} is made by a program: {error}", hint) from error
    except (ConnectionError, TimeoutError, httpx.HTTPError) as error:
        message = f"{field}: the Hub cannot be reached for hf://{name}: {error}"
        hint = "the run is tried again; where there is no way to the Hub, put the data on a claim and use pvc://"
        raise TrainerError(ExitCode.TRANSIENT, "HubUnreachable", message, hint) from error
    if commit:
        source.commits.pin(f"datasets/{name}", rows.revision, commit)
        source.taken[field] = commit
    return list(found)


COMMIT = re.compile("[0-9a-f]{40}")


def _resolve(name: str, revision: str | None, token: str | None) -> str | None:
    """Return the commit that a revision stands for now; the revision itself where the Hub is out of reach."""
    import httpx
    from huggingface_hub import HfApi

    if revision and COMMIT.fullmatch(revision):
        return revision
    try:
        return HfApi(token=token).dataset_info(name, revision=revision).sha or revision
    except (httpx.HTTPError, OSError, ValueError):
        return revision


def _commit_of(found: Any) -> str | None:
    """Return the commit of a data set that was loaded: the library names its folder in the cache after it."""
    folders = (Path(each["filename"]).parent.name for each in found.cache_files)
    return next((folder for folder in folders if COMMIT.fullmatch(folder)), None)


def _snapshot(name: str, commit: str, other: str, field: str) -> str:
    """Return the folder with the files of a commit that were downloaded before."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return str(snapshot_download(name, repo_type="dataset", revision=commit, local_files_only=True))
    except LocalEntryNotFoundError:
        raise invalid_data(
            "DatasetRevisionMissing",
            f"{field}: hf://{name} is wanted at {commit}, and what was downloaded before is {other}",
            "let the job reach the Hub, or put the data on a claim and use pvc://",
        ) from None


def _make(task: ReasoningGym, field: str) -> list[Record]:
    import reasoning_gym
    from reasoning_gym.factory import DATASETS

    if task.task not in DATASETS:
        near = difflib.get_close_matches(task.task, DATASETS, n=3)
        message = f"{field}.reasoningGym.task: reasoning-gym {reasoning_gym.__version__} has no task {task.task}"
        raise invalid_data("ReasoningGymTaskUnknown", message, f"did you mean {' or '.join(near)}?" if near else "")
    try:
        made = reasoning_gym.create_dataset(task.task, size=task.size, seed=task.seed, **task.config)
        return [{"prompt": row["question"], "answer": row["answer"]} for row in made]
    except (AssertionError, TypeError, ValueError) as error:
        message = f"{field}.reasoningGym.config: task {task.task} refuses it: {error}"
        raise invalid_data("ReasoningGymConfigInvalid", message, "see the task's settings in reasoning-gym") from error


def _malformed(message: str) -> TrainerError:
    return invalid_data("DatasetMalformed", message, "mend or remove that part of the file")
