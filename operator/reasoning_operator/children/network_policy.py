"""The NetworkPolicy around the training pod."""

from __future__ import annotations

import json

from reasoning_contract.api import PORT, UID_LABEL

from ..inputs import needs_network
from ..model import Json, TrainingJob
from ..names import network_policy
from ..settings import Settings
from .metadata import metadata


def build(job: TrainingJob, settings: Settings) -> Json:
    """Return the policy: nobody reaches more than the progress port, and only a job that needs the network gets out.

    What a job with a Hub source reaches cannot be narrowed: the Hub redirects to storage hosts, and mirrors and proxies
    differ between sites.

    Parameters
    ----------
    job
        The job.
    settings
        Settings of the operator, for who reaches that port.
    """
    ingress: Json = {"ports": [{"protocol": "TCP", "port": PORT}]}
    if settings.job_network_peers:
        ingress["from"] = json.loads(settings.job_network_peers)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(job, network_policy(job.name)),
        "spec": {
            "podSelector": {"matchLabels": {UID_LABEL: job.uid}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [ingress],
            "egress": [{}] if needs_network(job.spec) else [],
        },
    }
