"""Every knob of the operator itself, from environment variables that begin with REASONING_OPERATOR_.

No setting may be named like what Kubernetes puts into a pod for the Services beside it: REASONING_OPERATOR_METRICS_PORT
would be tcp://... as soon as there is a Service reasoning-operator-metrics.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from reasoning_contract.api import MANAGER

from .job_defaults import checked
from .job_policy import JobPolicy

PREFIX = "REASONING_OPERATOR_"

Port = Annotated[int, Field(ge=1, le=65535)]


def _object(given: object) -> object:
    return (json.loads(given) if given else {}) if isinstance(given, str) else given


def _peers(text: str) -> str:
    peers = json.loads(text or "[]")
    if not isinstance(peers, list) or not all(isinstance(each, dict) for each in peers):
        raise ValueError("must be a list of peers, as in a NetworkPolicy")
    return json.dumps(peers, sort_keys=True) if peers else ""


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
    job_defaults: Annotated[str, AfterValidator(checked)] = ""
    """Values for fields that a job leaves empty: a part of a spec, in JSON."""
    job_policy: Annotated[JobPolicy, BeforeValidator(_object)] = JobPolicy()
    """What a job may ask for, in JSON."""
    job_network_peers: Annotated[str, AfterValidator(_peers)] = ""
    """Who reaches the progress and metrics of a job's pod: peers of a NetworkPolicy, in JSON; anybody when empty."""
    lease_namespace: str = ""
    """Namespace of the Lease that the leader holds; without one, no other operator may run on the cluster."""
    lease_name: Annotated[str, Field(min_length=1)] = MANAGER
    """Name of that Lease: operators that follow different namespaces have one each."""
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
        raise SettingsError("; ".join(map(_told, error.errors()))) from error


def _told(fault: Mapping[str, Any]) -> str:
    setting, *inner = map(str, fault["loc"])
    place = f"{'.'.join(inner)}: " if inner else ""
    return f"{PREFIX}{setting.upper()}: {place}{fault['msg'].removeprefix('Value error, ')}"
