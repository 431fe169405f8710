"""Names of what the operator makes for a job."""

from __future__ import annotations

import hashlib

RUN_AS = 65532
"""UID and GID of the trainer."""
BOX_USERS = range(100_000, 165_536)
"""UIDs, and GIDs, of containers that run users' code."""


def batch_job(job: str) -> str:
    """Return the name of a job's batch/v1 Job."""
    return f"{job}-train"


def preflight(job: str) -> str:
    """Return the name of the Job that checks a job before its own is made."""
    return f"{job}-preflight"


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


def box_user(uid: str) -> int:
    """Return the UID of the container that runs a job's code: Linux counts threads by user on the whole node.

    Parameters
    ----------
    uid
        UID of the job.
    """
    digest = hashlib.sha256(uid.encode()).digest()
    return BOX_USERS[int.from_bytes(digest[:8], "big") % len(BOX_USERS)]
