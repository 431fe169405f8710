"""kopf's events, each turned into the key of the job that it concerns; nothing else.

Only `kopf.on.event` is used: kopf then watches and writes nothing to any object, so that a finished job costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kopf

from reasoning_contract.api import GROUP, JOB_LABEL, PLURAL, VERSION

from .model import Key

CHILDREN = (
    ("batch", "v1", "jobs"),
    ("", "v1", "pods"),
    ("", "v1", "persistentvolumeclaims"),
    ("", "v1", "configmaps"),
    ("networking.k8s.io", "v1", "networkpolicies"),
)


def registry(add: Callable[[Key], None]) -> kopf.OperatorRegistry:
    """Return the handlers.

    Parameters
    ----------
    add
        Called with the key of each job that something happened to.
    """
    handlers = kopf.OperatorRegistry()

    async def login(**context: Any) -> kopf.ConnectionInfo | None:
        # Not kopf.login_with_service_account: that one needs a cluster DNS.
        return kopf.login_via_client(**context)

    async def job(namespace: str, name: str, **_: Any) -> None:
        add(Key(namespace, name))

    async def child(namespace: str, labels: kopf.Labels, **_: Any) -> None:
        if name := labels[JOB_LABEL]:  # anybody may put an empty one on a pod
            add(Key(namespace, name))

    kopf.on.login(registry=handlers)(login)
    kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)(job)
    for resource in CHILDREN:
        kopf.on.event(*resource, labels={JOB_LABEL: kopf.PRESENT}, registry=handlers)(child)
    return handlers


def kopf_settings() -> kopf.OperatorSettings:
    """Return settings that make kopf a patient watcher and nothing more."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.watching.server_timeout = 600
    settings.watching.chunk_size = 500
    settings.process.ultimate_exiting_timeout = 15
    for group, _, plural in CHILDREN:
        settings.watching.label_selectors[group, plural] = JOB_LABEL
    return settings
