"""How a model is talked to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Chat:
    """How a model is talked to.

    Attributes
    ----------
    tokenizer
        The library's own object, with the job's chat template.
    system_role
        Whether the template knows a system role.
    new_tokens
        Tokens that were added to the vocabulary.
    """

    tokenizer: Any
    system_role: bool = True
    new_tokens: list[int] = field(default_factory=list)
