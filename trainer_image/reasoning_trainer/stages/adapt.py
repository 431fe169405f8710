"""Step 2: the adapter."""

from __future__ import annotations

from reasoning_contract.ranks import chosen_rank

from ..attempt import Context, Policy
from .load import report


def adapt(context: Context, policy: Policy) -> None:
    """Add a fresh adapter. The training stages change it, or read what they made of it in an earlier attempt."""
    context.tracker.say("adding the adapter")
    if policy.new_tokens:
        policy.model.resize_token_embeddings(len(policy.tokenizer))
    if chosen := chosen_rank(context.job.given):
        context.say(f"lora.rank {chosen.value}: {chosen.reason}")
        context.tracker.report(lora_rank=chosen)
    policy.model = policy.backend.adapt(policy.model, context.spec, policy.new_tokens)
    report(context, policy)
