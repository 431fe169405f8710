"""Step 2: the adapter."""

from __future__ import annotations

from ..attempt import Attempt, Policy
from .load import report


def adapt(attempt: Attempt, policy: Policy) -> None:
    """Add a fresh adapter. The training stages change it, or read what they made of it in an earlier attempt."""
    attempt.tracker.say("adding the adapter")
    policy.model = policy.backend.adapt(policy.model, attempt.spec, policy.new_tokens)
    report(attempt, policy)
