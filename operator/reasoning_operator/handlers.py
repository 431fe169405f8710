"""kopf's events about ReasoningTrainingJobs, taken into the store; nothing else.

Only `kopf.on.event` is used: kopf then watches and writes nothing to any object, so that a finished job costs nothing.
"""

from __future__ import annotations

from typing import Any

import kopf

from reasoning_contract.api import GROUP, PLURAL, VERSION

from .credentials import Access
from .kinds import TRAINING_JOB
from .store import Store


def registry(store: Store, access: Access) -> kopf.OperatorRegistry:
    """Return the handlers.

    Parameters
    ----------
    store
        What the events are taken into.
    access
        How the API server is spoken to.
    """
    handlers = kopf.OperatorRegistry()

    async def login(**_: Any) -> kopf.ConnectionInfo:
        return access.login()

    async def job(event: kopf.RawEvent, **_: Any) -> None:
        if event["type"] == "DELETED":
            store.remove(TRAINING_JOB, event["object"])
        else:
            store.put(TRAINING_JOB, event["object"])

    kopf.on.login(registry=handlers)(login)
    kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)(job)
    return handlers


class _NoProgress(kopf.ProgressStorage):  # type: ignore[misc]
    """Keeps nothing: events have no progress, and to leave it out of each object kopf would copy them all."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass

    def purge(self, **_: Any) -> None:
        pass

    def touch(self, **_: Any) -> None:
        pass

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


class _NoBase(kopf.DiffBaseStorage):  # type: ignore[misc]
    """Keeps nothing: events are not compared with what was handled before."""

    def build(self, **_: Any) -> dict[str, Any]:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        pass


def kopf_settings() -> kopf.OperatorSettings:
    """Return settings that make kopf a patient watcher and nothing more."""
    settings = kopf.OperatorSettings()
    settings.persistence.progress_storage = _NoProgress()
    settings.persistence.diffbase_storage = _NoBase()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.watching.server_timeout = 600
    settings.watching.chunk_size = 100
    # each object that a listing brings has a task that holds it whole, till this long after it was handled
    settings.queueing.idle_timeout = 0.1
    settings.process.ultimate_exiting_timeout = 15
    return settings
