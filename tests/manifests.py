"""The table of bad manifests, which the trainer's validation and the API server are both held to."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

TABLE = yaml.safe_load((Path(__file__).parent / "bad_manifests.yaml").read_text())


def merge(document: Any, patch: Any) -> Any:
    """Return a document with a JSON merge patch (RFC 7396) applied."""
    if not isinstance(patch, dict):
        return patch
    result = copy.deepcopy(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result
