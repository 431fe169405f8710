"""Names that both sides, or a user's tools, must agree on: of the API, on the children, and inside the training pod."""

from __future__ import annotations

GROUP, VERSION, KIND, PLURAL = "reasoning-operator.io", "v1alpha1", "ReasoningTrainingJob", "reasoningtrainingjobs"
API_VERSION = f"{GROUP}/{VERSION}"
NAME_LIMIT = 50
"""Longest name of a job: its children's names add a suffix, and all must be labels of at most 63 characters."""

MANAGER = "reasoning-operator"
"""Field manager of server-side apply, and value of the label managed-by."""
JOB_LABEL = f"{GROUP}/job"
"""Label of every child: name of its ReasoningTrainingJob."""
UID_LABEL = f"{GROUP}/job-uid"
"""Label of every child: UID of its ReasoningTrainingJob, which tells it from an earlier one of the same name."""
TEMPLATE_HASH = f"{GROUP}/template-hash"
"""Annotation of the batch/v1 Job: hash of the template that it was made with; the API server rewrites the template."""
RETRY = f"{GROUP}/retry"
"""Annotation of a ReasoningTrainingJob: any value that it has not had starts a failed job again in its folder."""
SPEC_HASH = f"{GROUP}/spec-hash"
"""Annotation of the batch/v1 Job: hash of the trainer's spec that it was made with, its budget aside."""

CONTAINER = "trainer"
"""The container that trains."""
BOX_CONTAINER = "reward-box"
"""The container that runs Python rewards."""
PORT = 9464
"""Where /progress, /metrics and /healthz are served: the port that Prometheus exporters of OpenTelemetry use."""

INPUT_FOLDER = "/etc/reasoning-trainer"
OUTPUT_FOLDER = "/output"
CLAIM_FOLDER = "/mnt/claims"
CACHE_FOLDER = "/cache"
BOX_FOLDER = "/box"
BOX_SOCKET = f"{BOX_FOLDER}/socket"
"""Unix socket on which the sidecar that holds the users' reward code listens."""
BOX_VARIABLE = "REWARD_BOX_SOCKET"
"""Environment variable of the trainer with that socket; without it the box is a child process."""

GRACE_SECONDS = 120
"""Time from SIGTERM to SIGKILL that the training pod asks for."""
LAST_WORD_SECONDS = 20
"""Of it, what the trainer keeps for its last word: a step that lasts until then is abandoned."""

IMAGE_VARIABLE = "TRAINER_IMAGE"
"""Environment variable of the trainer with the image that it runs in, as the pod asks for it."""
WANDB_KEY, MLFLOW_TOKEN = "WANDB_API_KEY", "MLFLOW_TRACKING_TOKEN"
"""Environment variables of the trainer that the libraries of trackers read their keys from."""


def headers_variable(reward: str) -> str:
    """Return the trainer's environment variable with the headers of an HTTP reward, one a line."""
    return f"REWARD_HEADERS_{_as_variable(reward)}"


def key_variable(reward: str) -> str:
    """Return the trainer's environment variable with the key of a judge's endpoint."""
    return f"REWARD_KEY_{_as_variable(reward)}"


def token_variable(reward: str) -> str:
    """Return the trainer's environment variable with the Hub token of a reward model."""
    return f"REWARD_TOKEN_{_as_variable(reward)}"


def _as_variable(name: str) -> str:
    return name.upper().replace("-", "_")
