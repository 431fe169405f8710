"""The real prometheus-operator, where `make test-monitoring` builds it, beside a real API server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.cluster.conftest import api_server  # noqa: F401

STATE = Path(os.environ.get("STATE_DIR", Path(__file__).parents[2] / ".state"))


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder with the program and its CRDs."""
    folder = STATE / "monitoring"
    if not (folder / ".done").exists():
        pytest.skip("no prometheus-operator: `make test-monitoring` builds it")
    return folder


@pytest.fixture(scope="session")
def promtool() -> Path:
    program = STATE / "prometheus/usr/bin/promtool"
    if not program.exists():
        pytest.skip("no promtool: `make test-watch` gets it")
    return program
