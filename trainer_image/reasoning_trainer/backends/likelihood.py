"""How likely a model finds a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


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
    pairs = [
        (_tokens(tokenizer, prompt), _tokens(tokenizer, completion))
        for prompt, completion in zip(prompts, completions, strict=True)
    ]
    longest = max(len(prompt) + len(completion) for prompt, completion in pairs)
    # padded on the right, where a causal model sees nothing of it
    ids = torch.full((len(pairs), longest), tokenizer.pad_token_id)
    seen = torch.zeros_like(ids)
    scored = torch.zeros_like(ids, dtype=torch.bool)
    for row, (prompt, completion) in enumerate(pairs):
        end = len(prompt) + len(completion)
        ids[row, :end] = torch.tensor(prompt + completion)
        seen[row, :end] = 1
        scored[row, len(prompt) : end] = True
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=ids.to(model.device), attention_mask=seen.to(model.device)).logits[:, :-1].float()
    chosen = ids[:, 1:].to(logits.device)
    found = logits.gather(-1, chosen.unsqueeze(-1)).squeeze(-1) - logits.logsumexp(-1)
    total: list[float] = (found * scored[:, 1:].to(logits.device)).sum(-1).tolist()
    return total


def _tokens(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
