"""The model as it was before any training, while it is trained: the same weights, with the adapter switched off."""

from __future__ import annotations

from collections.abc import Sequence

from ..attempt import Policy
from ..rewards.completion import Conversation
from ..rewards.perplexity import Likelihoods


def under_base(policy: Policy) -> Likelihoods:
    """Return what tells how likely the base model finds completions, without gradients or random numbers."""

    def likelihoods(prompts: Sequence[str | Conversation], completions: Sequence[Sequence[int]]) -> list[list[float]]:
        before = [policy.tokens(each if isinstance(each, str) else _rendered(policy, each)) for each in prompts]
        padding = policy.tokenizer.pad_token_id
        with policy.model.disable_adapter():
            return policy.backend.token_likelihoods(policy.model, padding, before, completions, 1.0)

    return likelihoods


def _rendered(policy: Policy, prompt: Conversation) -> str:
    return policy.render([{"role": each["role"], "content": each["content"]} for each in prompt])
