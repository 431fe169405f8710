"""Fills in everything that a user left open.

Nothing is filled in anywhere else: what this returns is what is trained, and it is what users are shown.
"""

from __future__ import annotations

from .choice import Choice, choose
from .spec import Spec


def resolve(spec: Spec, choice: Choice | None = None) -> Spec:
    """Return the spec with every choice made: no `auto` and no empty field whose value the algorithm decides.

    Fields that the algorithm does not have stay empty. `resolve` of a resolved spec is the same spec. What only the
    trainer's GPU decides stays `auto` until it is chosen, and learning rates that follow from the model's size
    (`rates.py`) stay empty until it is loaded.

    Parameters
    ----------
    spec
        The spec as given.
    choice
        The choice that was made for it; what `choose` says when None.
    """
    return (choice or choose(spec)).applied(spec)
