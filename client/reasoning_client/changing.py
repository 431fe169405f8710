"""What a user may ask of a job that exists, as changes of its object. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from reasoning_contract.api import RETRY


def suspend(yes: bool) -> dict[str, Any]:
    """Return the change that stops a job with a checkpoint, or lets it go on."""
    return {"spec": {"suspend": yes}}


def retry(now: datetime) -> dict[str, Any]:
    """Return the change that asks for another run: any new value does, and the time tells who looks when it was."""
    return {"metadata": {"annotations": {RETRY: now.strftime("%Y-%m-%dT%H:%M:%SZ")}}}
