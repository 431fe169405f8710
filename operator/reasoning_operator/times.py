"""RFC 3339 times, as the Kubernetes API writes them: UTC, whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime


def parse(text: str) -> datetime:
    """Return the time that an object of the API carries."""
    return datetime.fromisoformat(text)


def text(moment: datetime) -> str:
    """Return a time as the API writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
