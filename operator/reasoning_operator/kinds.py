"""Kinds of object that the operator watches, reads or writes."""

from __future__ import annotations

from typing import NamedTuple

from reasoning_contract import api


class Kind(NamedTuple):
    """A kind of object of the Kubernetes API."""

    api_version: str
    name: str
    plural: str

    @property
    def group(self) -> str:
        """Group of the API; empty for the core."""
        return self.api_version.rpartition("/")[0]


TRAINING_JOB = Kind(api.API_VERSION, api.KIND, api.PLURAL)
JOB = Kind("batch/v1", "Job", "jobs")
POD = Kind("v1", "Pod", "pods")
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
EVENT = Kind("v1", "Event", "events")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")

_ALL = (TRAINING_JOB, JOB, POD, CLAIM, CONFIG_MAP, NETWORK_POLICY, EVENT, LEASE)
_BY_NAME = {(kind.api_version, kind.name): kind for kind in _ALL}


def kind_of(api_version: str, name: str) -> Kind:
    """Return the kind that an object says it is of.

    Raises
    ------
    KeyError
        If the operator has nothing to do with such objects.
    """
    return _BY_NAME[api_version, name]
