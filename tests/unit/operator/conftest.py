"""Every observation of these tests is cut as the store cuts it: a look that reads a field which is not kept fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reasoning_operator.kept import cut, is_read
from reasoning_operator.kinds import CLAIM, CONFIG_MAP, EVENT, JOB, NETWORK_POLICY, POD, TRAINING_JOB, Kind
from reasoning_operator.model import Json, Observed

_KINDS: dict[str, Kind] = {
    "job": TRAINING_JOB,
    "batch_job": JOB,
    "preflight": JOB,
    "claim": CLAIM,
    "config_map": CONFIG_MAP,
    "network_policy": NETWORK_POLICY,
    "pods": POD,
    "preflight_pods": POD,
    "events": EVENT,
}


def as_kept(role: str, seen: Any) -> Any:
    """Return what is observed under a role as the store would have brought it."""
    if isinstance(seen, tuple):
        return tuple(_cut(_KINDS[role], each) for each in seen if is_read(_KINDS[role], each))
    return seen and _cut(_KINDS[role], seen)


def _cut(kind: Kind, thing: Json) -> Json:
    named = {"apiVersion": kind.api_version, "kind": kind.name}
    return named | cut(kind, thing if "metadata" in thing else {"metadata": {}, **thing})


@pytest.fixture(autouse=True)
def observations_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    plain: Callable[..., None] = Observed.__init__

    def init(self: Observed, job: Json, **seen: Any) -> None:
        plain(self, as_kept("job", job), **{r: as_kept(r, v) if r in _KINDS else v for r, v in seen.items()})

    monkeypatch.setattr(Observed, "__init__", init)
