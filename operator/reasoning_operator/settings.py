"""Every knob of the operator itself, from environment variables that begin with REASONING_OPERATOR_.

No setting may be named like what Kubernetes puts into a pod for the Services beside it: REASONING_OPERATOR_METRICS_PORT
would be tcp://... as soon as there is a Service reasoning-operator-metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PREFIX = "REASONING_OPERATOR_"

Port = Annotated[int, Field(ge=1, le=65535)]


class SettingsError(Exception):
    """A setting is missing or bad; the message names the environment variable."""


class Settings(BaseModel):
    """Settings of the operator; each is the environment variable of its name in capitals, after the prefix."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    trainer_image: str = ""
    """Trainer image for jobs with GPUs; without one, a job must name its own."""
    trainer_cpu_image: str = ""
    """Trainer image for jobs without GPUs; without one, a job must name its own."""
    namespaces: tuple[str, ...] = ()
    """Namespaces to follow; all when empty."""
    workers: Annotated[int, Field(ge=1, le=256)] = 8
    """How many jobs are reconciled at once."""
    progress_interval_seconds: Annotated[float, Field(ge=1, le=3600)] = 5.0
    """How often running pods are asked for their progress."""
    progress_route: Literal["pod", "apiserver"] = "apiserver"
    """How running pods are reached: directly, which needs the pod network, or through the API server's proxy."""
    image_pull_deadline_seconds: Annotated[int, Field(ge=60)] = 600
    """How long an image may fail to be pulled before the job fails."""
    metrics_listen_port: Port = 9090
    """Port of /metrics."""
    metrics_keep_seconds: Annotated[int, Field(ge=0)] = 3600
    """How long /metrics keeps the last figures of a job that has ended."""
    liveness_listen_port: Port = 8080
    """Port of /healthz."""
    lease_namespace: str = ""
    """Namespace of the Lease that the leader holds; without one, no other operator may run on the cluster."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """What is logged."""


def read(environment: Mapping[str, str]) -> Settings:
    """Return the settings that an environment holds.

    Raises
    ------
    SettingsError
        If a variable is missing or has a value that the setting does not take.
    """
    variables = {name: PREFIX + name.upper() for name in Settings.model_fields}
    given = {name: environment[variable] for name, variable in variables.items() if variable in environment}
    split = {"namespaces": tuple(filter(None, given["namespaces"].split(",")))} if "namespaces" in given else {}
    try:
        return Settings.model_validate(given | split)
    except ValidationError as error:
        faults = [f"{PREFIX}{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        raise SettingsError("; ".join(faults)) from error
