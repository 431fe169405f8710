"""The libraries that hold the model: each behind the interface of `base`."""

from __future__ import annotations

from .base import Backend


def choose(name: str) -> Backend:
    """Return the backend of a resolved spec, importing its libraries."""
    if name == "unsloth":
        from .unsloth import UnslothBackend

        return UnslothBackend()
    from .transformers import TransformersBackend

    return TransformersBackend()
