"""Names, labels and annotations that the operator gives to what it makes."""

from __future__ import annotations

from .crd import GROUP, VERSION

API_VERSION = f"{GROUP}/{VERSION}"
MANAGER = "reasoning-operator"
"""Field manager of server-side apply, and value of the label managed-by."""

JOB_LABEL = f"{GROUP}/job"
"""Label of every child: name of its ReasoningTrainingJob."""
UID_LABEL = f"{GROUP}/job-uid"
"""Label of every child: UID of its ReasoningTrainingJob, which tells it from an earlier one of the same name."""
TEMPLATE_HASH = f"{GROUP}/template-hash"
"""Annotation of the batch/v1 Job: hash of the template that it was made with; the API server rewrites the template."""
SPEC_HASH = f"{GROUP}/spec-hash"
"""Annotation of the batch/v1 Job: hash of the trainer's spec that it was made with, its budget aside."""

CONTAINER = "trainer"
RUN_AS = 65532
"""UID and GID of the trainer."""

INPUT_FOLDER = "/etc/reasoning-trainer"
OUTPUT_FOLDER = "/output"
CLAIM_FOLDER = "/mnt/claims"
CACHE_FOLDER = "/cache"


def batch_job(job: str) -> str:
    """Return the name of a job's batch/v1 Job."""
    return f"{job}-train"


def spec_config_map(job: str) -> str:
    """Return the name of the ConfigMap with the resolved spec."""
    return f"{job}-spec"


def output_claim(job: str) -> str:
    """Return the name of the claim that is made for a job."""
    return f"{job}-output"


def network_policy(job: str) -> str:
    """Return the name of a job's NetworkPolicy."""
    return f"{job}-train"


def run_folder(job: str, uid: str) -> str:
    """Return the folder of a run on its volume: the UID keeps two jobs of one name apart."""
    return f"{job}-{uid[:8]}"
