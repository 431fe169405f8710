"""How likely a model finds a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

BATCH_TOKENS = 4096
"""Most tokens that go through the model at once, but for a text that is longer: each leaves a logit for every token of
the vocabulary, 1.2 GB in 16 bits where that has 152,000."""


def log_likelihoods(model: Any, tokenizer: Any, prompts: Sequence[str], completions: Sequence[str]) -> list[float]:
    """Return the log-probability of each completion after its prompt, summed over its tokens.

    Parameters
    ----------
    model
        A causal language model.
    tokenizer
        Its tokenizer. Prompt and completion are tokenised apart, as the model would have generated them.
    prompts, completions
        Texts, one of each a pair, template and all.

    Returns
    -------
    list of float
        In nats.
    """
    texts = [
        (_tokens(tokenizer, prompt), _tokens(tokenizer, completion))
        for prompt, completion in zip(prompts, completions, strict=True)
    ]
    rows = max(1, BATCH_TOKENS // max(len(prompt) + len(completion) for prompt, completion in texts))
    batches = (texts[start : start + rows] for start in range(0, len(texts), rows))
    return [found for batch in batches for found in _of_batch(model, tokenizer.pad_token_id, batch)]


def _of_batch(model: Any, padding: int, texts: Sequence[tuple[list[int], list[int]]]) -> list[float]:
    longest = max(len(prompt) + len(completion) for prompt, completion in texts)
    # padded on the right, where a causal model sees nothing of it
    ids = torch.full((len(texts), longest), padding)
    seen = torch.zeros_like(ids)
    for row, (prompt, completion) in enumerate(texts):
        end = len(prompt) + len(completion)
        ids[row, :end] = torch.tensor(prompt + completion)
        seen[row, :end] = 1
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=ids.to(model.device), attention_mask=seen.to(model.device)).logits
        return [
            _of_completion(each, prompt, completion) for each, (prompt, completion) in zip(logits, texts, strict=True)
        ]


def _of_completion(logits: torch.Tensor, prompt: list[int], completion: list[int]) -> float:
    """Return the log-probability of a completion from the logits of its row, (longest, vocabulary)."""
    before = logits[len(prompt) - 1 : len(prompt) + len(completion) - 1].float()
    tokens = torch.tensor(completion, device=logits.device).unsqueeze(-1)
    return float((before.gather(-1, tokens).squeeze(-1) - before.logsumexp(-1)).sum())


def _tokens(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
