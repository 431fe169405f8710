"""What a tracker needs and has not: told before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from reasoning_contract.api import WANDB_KEY
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.problem import Problem
from reasoning_contract.spec import Tracking

from ...errors import TrainerError


def wanted(settings: Tracking | None) -> Iterator[str]:
    """Yield the trackers that a spec names: the field, which is the package too."""
    if settings is None:
        return
    if settings.tensorboard:
        yield "tensorboard"
    yield from (name for name in ("wandb", "mlflow", "trackio") if getattr(settings, name) is not None)


def missing(settings: Tracking | None, environment: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is missing: a package, or a key.

    Parameters
    ----------
    settings
        ``spec.tracking``.
    environment
        Environment variables.
    """
    for name in wanted(settings):
        if find_spec(name) is None:
            yield Problem(
                exit_code=ExitCode.NOT_SUPPORTED,
                reason="TrackerMissing",
                message=f"tracking.{name} needs the package {name}, which is not in this image",
                hint=f"name an image in pod.image that has it (FROM this one, RUN pip install {name}), or remove "
                f"tracking.{name}",
                field=f"spec.tracking.{name}",
            )
    if settings and settings.wandb and settings.wandb.mode == "online" and not environment.get(WANDB_KEY):
        yield Problem(
            exit_code=ExitCode.SPEC_INVALID,
            reason="TrackerKeyMissing",
            message=f"tracking.wandb has no key: {WANDB_KEY} is empty",
            hint="name a Secret in tracking.wandb.keySecretRef, or set mode offline and send the run later",
            field="spec.tracking.wandb.keySecretRef",
        )


def refuse_missing(settings: Tracking | None, environment: Mapping[str, str]) -> None:
    """Raise `TrainerError` for the first that is missing."""
    for problem in missing(settings, environment):
        raise TrainerError.of(problem)
