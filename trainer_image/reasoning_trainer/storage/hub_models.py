"""A model's files: where they lie, or how they come from the Hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from reasoning_contract.exit_codes import ExitCode

from ..errors import TrainerError
from ..resource_failures import is_storage_full
from .commits import Commits

NOT_READ = ("*.bin", "*.pth", "*.pt", "*.gguf", "*.onnx", "*.h5", "*.msgpack", "consolidated*.safetensors")
"""Files of a Hub repository that the trainer never reads; the last are Mistral's copies of the shards."""
NO_COMMITS = Commits()
HUB = "hf://"
Fetched: TypeAlias = tuple[Path, str | None]
"""The folder, and the commit of a Hub repository."""


@dataclass(frozen=True)
class Wanted:
    """A model that the spec names.

    Attributes
    ----------
    field
        The part of the spec that names it, for messages.
    source, revision
        Where it lies.
    token
        The Hub's token for it.
    """

    field: str
    source: str
    revision: str | None
    token: str | None

    def not_found(self, error: Exception | str, hint: str) -> TrainerError:
        """Return the error for a model that is not there."""
        return TrainerError(
            ExitCode.MODEL_INVALID, "ModelNotFound", f"{self.field}.source {self.source}: {error}", hint
        )


def fetch(
    wanted: Wanted,
    locate: Callable[[str], Path],
    ignore: Sequence[str] = NOT_READ,
    commits: Commits = NO_COMMITS,
) -> Fetched:
    """Bring a model's files onto this machine.

    Parameters
    ----------
    wanted
        The model.
    locate
        Finds what lies on a claim or in the image.
    ignore
        Patterns of the files that a download leaves out.
    commits
        Commits of the run.

    Raises
    ------
    TrainerError
        If the model is not there or cannot be fetched.
    """
    if wanted.source.startswith(HUB):
        return _download(wanted, ignore, commits)
    try:
        return locate(wanted.source), None
    except TrainerError as error:
        raise TrainerError(
            ExitCode.MODEL_INVALID,
            "ModelNotFound",
            f"{wanted.field}.source {error.message}",
            "check the path; file:/// is a path in the image, pvc://claim/path a folder on a claim",
        ) from None


def _download(wanted: Wanted, ignore: Sequence[str], commits: Commits) -> tuple[Path, str]:
    """Take a snapshot of the Hub repository; its folder is named after the commit."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    name, field = wanted.source.removeprefix(HUB), wanted.field
    take = partial(
        snapshot_download,
        name,
        revision=commits.pinned(f"models/{name}", wanted.revision),
        token=wanted.token,
        ignore_patterns=list(ignore),
    )
    try:
        folder = take()
    except GatedRepoError as error:
        raise wanted.not_found(error, f"accept the model's terms on the Hub and give {field}.tokenSecretRef") from None
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        hint = f"check name and revision; a private one needs {field}.tokenSecretRef"
        raise wanted.not_found(error, hint) from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        if is_storage_full(error):
            raise
        try:
            # of a commit the library wants to list the files first, even if all of them are there
            folder = take(local_files_only=True)
        except LocalEntryNotFoundError:
            raise TrainerError(
                ExitCode.TRANSIENT,
                "HubUnreachable",
                f"{field}.source {wanted.source} cannot be fetched: {error}",
                "it is tried again; without a network, put the model on a claim and use pvc://claim/path",
            ) from error
    commits.pin(f"models/{name}", wanted.revision, Path(folder).name)
    return Path(folder), Path(folder).name
