"""Prometheus and promtool, where `make test-watch` unpacks them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(os.environ.get("STATE_DIR", ROOT / ".state")) / "prometheus/usr/bin"


@pytest.fixture(scope="session")
def programs() -> Path:
    if not (PROGRAMS / "promtool").exists():
        pytest.skip("no Prometheus: `make test-watch` gets it")
    return PROGRAMS
