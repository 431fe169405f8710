"""Step 1: the base model and its tokenizer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from reasoning_contract.outcome import ExitCode
from reasoning_contract.spec import Spec
from reasoning_contract.status import ModelStatus

from ..attempt import Context, Policy
from ..backends.base import Backend
from ..commits import Commits
from ..engine_cache import exclusive
from ..errors import TrainerError
from ..job import Inputs
from ..resource_failures import is_storage_full

NOT_READ = ("*.bin", "*.pth", "*.pt", "*.gguf", "*.onnx", "*.h5", "*.msgpack")
"""Files of a Hub repository that the trainer never reads."""
SHOWN = 3
"""Files that an error message names."""
NO_COMMITS = Commits()


def load(context: Context, backend: Backend) -> Policy:
    """Bring the model onto this machine and into memory.

    Raises
    ------
    TrainerError
        If the model is not there or cannot be read.
    """
    spec = context.spec
    context.tracker.say(f"fetching {spec.model.source}")
    folder, revision = fetch(spec, context.inputs, commits=context.commits)
    require_safetensors(spec, folder)
    context.interruption.check()
    context.tracker.say(f"loading {spec.model.source}")
    if spec.backend == "unsloth" and os.environ.get("UNSLOTH_COMPILE_DISABLE") == "1":
        context.say("unsloth compiles nothing (UNSLOTH_COMPILE_DISABLE=1): the first step of RL would wait for minutes")
    with exclusive(context.say, when=spec.backend == "unsloth" and spec.inference.engine == "vllm"):
        model, tokenizer = backend.load(spec, folder)
    context.interruption.check()
    return Policy(backend=backend, model=model, tokenizer=tokenizer, folder=folder, revision=revision)


def require_safetensors(spec: Spec, folder: Path) -> None:
    """Refuse weights of another format: unpickling them runs whatever code they carry.

    Raises
    ------
    TrainerError
        If there are no safetensors.
    """
    if any(folder.glob("*.safetensors")):
        return
    others = sorted({path.name for pattern in NOT_READ for path in folder.glob(pattern)})
    found = f"it has {', '.join(others[:SHOWN])}" if others else "or they lie in a folder below"
    raise TrainerError(
        ExitCode.MODEL_INVALID,
        "SafetensorsMissing",
        f"model.source {spec.model.source} has no weights in *.safetensors; {found}",
        "choose a revision with safetensors, or load the model once and save it with save_pretrained",
    )


def fetch(
    spec: Spec, inputs: Inputs, ignore: Sequence[str] = NOT_READ, commits: Commits = NO_COMMITS
) -> tuple[Path, str | None]:
    """Bring the model's files onto this machine.

    Parameters
    ----------
    spec
        The job.
    inputs
        Where its sources lie.
    ignore
        Patterns of the files that a download leaves out.
    commits
        Commits of the run.

    Returns
    -------
    tuple
        The folder, and the commit of a Hub repository.

    Raises
    ------
    TrainerError
        If the model is not there or cannot be fetched.
    """
    if spec.model.source.startswith("hf://"):
        return _download(spec, ignore, commits)
    try:
        return inputs.locate(spec.model.source), None
    except TrainerError as error:
        raise TrainerError(
            ExitCode.MODEL_INVALID,
            "ModelNotFound",
            f"model.source {error.message}",
            "check the path; file:/// is a path in the image, pvc://claim/path a folder on a claim",
        ) from None


def _download(spec: Spec, ignore: Sequence[str], commits: Commits) -> tuple[Path, str]:
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

    name = spec.model.source.removeprefix("hf://")
    take = partial(
        snapshot_download,
        name,
        revision=commits.pinned(f"models/{name}", spec.model.revision),
        token=os.environ.get("HF_TOKEN"),
        ignore_patterns=list(ignore),
    )
    try:
        folder = take()
    except GatedRepoError as error:
        raise _not_found(spec, error, "accept the model's terms on the Hub and give model.tokenSecretRef") from None
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise _not_found(spec, error, "check name and revision; a private one needs model.tokenSecretRef") from None
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
                f"model.source {spec.model.source} cannot be fetched: {error}",
                "it is tried again; without a network, put the model on a claim and use pvc://claim/path",
            ) from error
    commits.pin(f"models/{name}", spec.model.revision, Path(folder).name)
    return Path(folder), Path(folder).name


def _not_found(spec: Spec, error: Exception, hint: str) -> TrainerError:
    return TrainerError(ExitCode.MODEL_INVALID, "ModelNotFound", f"model.source {spec.model.source}: {error}", hint)


def report(context: Context, policy: Policy) -> None:
    """Put what was loaded, and why so, into the report."""
    spec, choice = context.spec, context.job.choice
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in policy.model.parameters()]
    status = ModelStatus(
        revision=policy.revision,
        backend=spec.backend,
        load_in=spec.model.load_in,
        engine=spec.inference.engine,
        reason=choice.reason,
        parameters=sum(size for size, _ in sizes),
        trainable_parameters=sum(size for size, trained in sizes if trained),
    )
    context.tracker.report(model=status)
