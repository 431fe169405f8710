"""The base model's files: where they lie, or how they come from the Hub."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import Spec

from ..attempt import Context
from ..errors import TrainerError
from ..job import Inputs
from . import engine_inspection, hub_models
from .arrivals import arrivals_told, of_model
from .commits import Commits
from .hub_models import HUB, NO_COMMITS, NOT_READ, Fetched, Wanted
from .lfs import pointers

WEIGHTS = "*.safetensors"
SHOWN = 3
"""Files that an error message names."""
_GLANCE_SECONDS = 0.5
_THREAD = "fetch"


def begin_to_fetch(context: Context) -> Callable[[], Fetched]:
    """Have the model's files come while the libraries are imported, which takes half a minute on a GPU.

    Returns
    -------
    callable
        Waits for the files and returns them, or raises as `fetch` does; or that the process was told to stop.
    """
    fetching: Future[Fetched] = Future()
    source = context.spec.model.source
    if source.startswith(HUB):
        # here and not in the thread: two threads that import the same modules may see them half imported
        from huggingface_hub import snapshot_download  # noqa: F401

    def work() -> None:
        try:
            fetching.set_result(_fetch_and_inspect(context))
        except BaseException as error:
            fetching.set_exception(error)

    def wait() -> Fetched:
        with arrivals_told(f"fetching {source}", of_model(source), context.tracker.say):
            while not fetching.done():
                context.interruption.check()
                with suppress(TimeoutError):
                    fetching.exception(_GLANCE_SECONDS)
        return fetching.result()

    threading.Thread(target=work, name=_THREAD, daemon=True).start()
    return wait


def _fetch_and_inspect(context: Context) -> Fetched:
    """Fetch the small files first where vLLM looks at them, and the weights meanwhile."""
    if context.spec.inference.engine != "vllm":
        return fetch(context.spec, context.inputs, commits=context.commits)
    folder, _ = fetch(context.spec, context.inputs, (*NOT_READ, WEIGHTS), context.commits)
    with engine_inspection.begun(folder, context.say):
        return fetch(context.spec, context.inputs, commits=context.commits)


def is_fetching() -> bool:
    """Whether files still come that nobody waits for any more: the download has threads that Python's end waits for."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


def require_safetensors(spec: Spec, folder: Path) -> None:
    """Refuse weights of another format: unpickling them runs whatever code they carry.

    Raises
    ------
    TrainerError
        If there are no safetensors, or files of the model are pointers of Git LFS.
    """
    refuse_pointers(spec, folder)
    if any(folder.glob(WEIGHTS)):
        return
    others = sorted({path.name for pattern in NOT_READ for path in folder.glob(pattern)})
    found = f"it has {', '.join(others[:SHOWN])}" if others else "or they lie in a folder below"
    raise TrainerError(
        ExitCode.MODEL_INVALID,
        "SafetensorsMissing",
        f"model.source {spec.model.source} has no weights in *.safetensors; {found}",
        "choose a revision with safetensors, or load the model once and save it with save_pretrained",
    )


def refuse_pointers(spec: Spec, folder: Path) -> None:
    """Refuse a checkout without its large files.

    Raises
    ------
    TrainerError
        If files are pointers of Git LFS.
    """
    found = pointers(folder)
    if found:
        raise TrainerError(
            ExitCode.MODEL_INVALID,
            "GitLfsPointer",
            f"model.source {spec.model.source} has pointers of Git LFS instead of files: {', '.join(found[:SHOWN])}",
            "fetch the files themselves: git lfs pull in the checkout that they were copied from",
        )


def fetch(spec: Spec, inputs: Inputs, ignore: Sequence[str] = NOT_READ, commits: Commits = NO_COMMITS) -> Fetched:
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

    Raises
    ------
    TrainerError
        If the model is not there or cannot be fetched.
    """
    wanted = Wanted("model", spec.model.source, spec.model.revision, os.environ.get("HF_TOKEN"))
    return hub_models.fetch(wanted, inputs.locate, ignore, commits)
