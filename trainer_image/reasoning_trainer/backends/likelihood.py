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
    model.eval()
    before, after = ([_tokens(tokenizer, text) for text in texts] for texts in (prompts, completions))
    return [sum(found) for found in token_likelihoods(model, tokenizer.pad_token_id, before, after)]


def token_likelihoods(
    model: Any,
    padding: int,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    temperature: float = 1.0,
) -> list[list[float]]:
    """Return the log-probability of each token of each completion after its prompt, in nats.

    Parameters
    ----------
    model
        A causal language model; whether it trains is left as it was.
    padding
        Token to fill up with.
    prompts, completions
        Tokens, one of each a pair.
    temperature
        What logits are divided by.
    """
    texts = list(zip(prompts, completions, strict=True))
    rows = max(1, BATCH_TOKENS // max(len(prompt) + len(completion) for prompt, completion in texts))
    batches = (texts[start : start + rows] for start in range(0, len(texts), rows))
    training = model.training
    model.eval()
    try:
        return [found for batch in batches for found in _of_batch(model, padding, batch, temperature)]
    finally:
        model.train(training)


def _of_batch(
    model: Any, padding: int, texts: Sequence[tuple[Sequence[int], Sequence[int]]], temperature: float
) -> list[list[float]]:
    longest = max(len(prompt) + len(completion) for prompt, completion in texts)
    # padded on the right, where a causal model sees nothing of it
    ids = torch.full((len(texts), longest), padding)
    seen = torch.zeros_like(ids)
    for row, (prompt, completion) in enumerate(texts):
        end = len(prompt) + len(completion)
        ids[row, :end] = torch.tensor([*prompt, *completion])
        seen[row, :end] = 1
    with torch.no_grad():
        logits = model(input_ids=ids.to(model.device), attention_mask=seen.to(model.device)).logits
        return [
            _of_completion(each, len(prompt), completion, temperature)
            for each, (prompt, completion) in zip(logits, texts, strict=True)
        ]


def _of_completion(logits: torch.Tensor, start: int, completion: Sequence[int], temperature: float) -> list[float]:
    """Return the log-probabilities of a completion's tokens from the logits of its row, (longest, vocabulary)."""
    before = logits[start - 1 : start + len(completion) - 1].float() / temperature
    tokens = torch.tensor(completion, dtype=torch.long, device=logits.device).unsqueeze(-1)
    found: list[float] = (before.gather(-1, tokens).squeeze(-1) - before.logsumexp(-1)).tolist()
    return found


def _tokens(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
