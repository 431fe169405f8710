"""How much vLLM works on at once, from the spec alone."""

from __future__ import annotations

from reasoning_contract.spec import GROUPED, Spec

MOST_SEQUENCES = 255
"""Completions that vLLM decodes at once at most. Unsloth takes 256 for `pick from the free memory`, and so do its
tokens a batch: a figure that differs from start to start, for which nothing compiled earlier fits."""
EVALUATED_AT_ONCE = 64
"""Completions of an evaluation that are decoded at once at least: those that find no room in the cache wait."""
BATCH_TOKENS = 8192
"""Tokens of one batch of vLLM, for which it sets memory aside."""


def sequences(spec: Spec) -> int:
    """Return how many completions vLLM decodes at once: those of a step, if that is not more than it takes."""
    if spec.inference.max_num_seqs:
        return spec.inference.max_num_seqs
    evaluated = EVALUATED_AT_ONCE if spec.evaluation.enabled else 1
    return min(MOST_SEQUENCES, max(completions(spec), evaluated))


def completions(spec: Spec) -> int:
    """Return how many completions are generated together: those of all updates that share them."""
    reinforce = spec.reinforce
    if reinforce.algorithm not in GROUPED:
        return 1
    return reinforce.batch_size * reinforce.gradient_accumulation * (reinforce.updates_per_generation or 1)


def batch_tokens(spec: Spec) -> int:
    """Return the tokens of one batch of vLLM: a whole sequence at least."""
    return max(BATCH_TOKENS, spec.model.max_sequence_length)
