"""Takes rows from where a spec says they lie: files, the Hub, the manifest itself, a reasoning-gym task."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import HeldOut, ReasoningGym, Rows

from ..errors import TrainerError, invalid_data
from ..storage.commits import Commits
from .files import Record, read_file

GYM = "reasoning_gym"
"""Column with what makes a row of a task again: its scorer needs it."""
Locate = Callable[[str], Path]
"""Maps a pvc://, configmap:// or file:/// source to the path where the pod sees it; raises TrainerError if missing."""


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
        of_task = {"task": task.task, "size": task.size, "seed": task.seed, "config": task.config}
        return [
            {"prompt": row["question"], "answer": row["answer"], GYM: of_task | {"index": index}}
            for index, row in enumerate(made)
        ]
    except (AssertionError, TypeError, ValueError) as error:
        message = f"{field}.reasoningGym.config: task {task.task} refuses it: {error}"
        raise invalid_data("ReasoningGymConfigInvalid", message, "see the task's settings in reasoning-gym") from error
