"""What becomes of kopf's events."""

from __future__ import annotations

import asyncio
from typing import Any

import kopf
import pytest
from tests.unit.operator.objects import rtj

from reasoning_operator.credentials import Access
from reasoning_operator.handlers import kopf_settings, registry
from reasoning_operator.kinds import TRAINING_JOB
from reasoning_operator.model import Key
from reasoning_operator.store import Store


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED", "DELETED"])
def test_event_about_a_job_reaches_the_store_and_names_the_job(kind: str | None) -> None:
    told: list[Key] = []
    store = Store(told.append)
    handlers = registry(store, Access(kopf.ConnectionInfo(server="http://nowhere")))._watching.get_all_handlers()
    handle: Any = next(handler.fn for handler in handlers)
    asyncio.run(handle(event={"type": None, "object": rtj()}))
    news = rtj({"phase": "Running"})
    news["metadata"]["resourceVersion"] = "8"
    asyncio.run(handle(event={"type": kind, "object": news}))
    seen = store.get(TRAINING_JOB, "team", "sums")
    assert told == [Key("team", "sums")] * 2
    assert (seen is None) if kind == "DELETED" else seen == news


def test_what_a_listing_brings_is_not_held_by_kopf() -> None:
    """Its task for each object holds the object whole while it idles: after a restart with 5,000 jobs, all at once."""
    assert kopf_settings().queueing.idle_timeout < 1
