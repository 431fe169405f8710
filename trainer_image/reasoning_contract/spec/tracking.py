"""Services and files that take the figures of a run, beside the status and the report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ..rules import Part
from .types import URL_PATTERN, KeyRef, Short

Address = Annotated[str, StringConstraints(pattern=URL_PATTERN, max_length=256)]
DEFAULT_PROJECT = "reasoning-operator"


class WandB(Part):
    """Weights & Biases."""

    mode: Literal["online", "offline"] = "online"
    """`offline`: into the run's folder, for `wandb sync` from elsewhere."""
    url: Address | None = None
    """A server of yours; the company's when empty."""
    entity: Short | None = None
    """User or team that the project belongs to; that of the key when empty."""
    key_secret_ref: KeyRef | None = None
    """Secret with the API key; `online` needs one."""


class MLflow(Part):
    """MLflow. The images have no such package: name one in pod.image that has."""

    url: Address
    """The tracking server."""
    token_secret_ref: KeyRef | None = None
    """Secret with a bearer token for it."""


class Trackio(Part):
    """Trackio. The images have no such package: name one in pod.image that has."""

    space: Annotated[str, StringConstraints(pattern=r"^[^/ ]+/[^/ ]+$", max_length=128)] | None = None
    """Space on the Hub, such as owner/name, which model.tokenSecretRef must be allowed to write to. Empty: into the
    run's folder."""


class Tracking(Part):
    """Where the figures of every step and of every evaluation go, as one run over all attempts."""

    project: Annotated[Short, Field(min_length=1)] = DEFAULT_PROJECT
    """Project or experiment that the run is put under, at services."""
    tensorboard: bool = False
    """Event files in the run's folder, under tracking/tensorboard."""
    wandb: WandB | None = None
    """Weights & Biases."""
    mlflow: MLflow | None = None
    """MLflow."""
    trackio: Trackio | None = None
    """Trackio."""

    @property
    def needs_network(self) -> bool:
        """Whether figures leave the pod."""
        online = self.wandb is not None and self.wandb.mode == "online"
        return online or self.mlflow is not None or (self.trackio is not None and self.trackio.space is not None)
