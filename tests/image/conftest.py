"""An image of the trainer that was built on this machine; skipped without one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LOCALCLUSTER = Path(__file__).resolve().parents[2] / "hack/localcluster/localcluster.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--image", help="name of the trainer's GPU image, for tests/image")


Answer = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def in_image(request: pytest.FixtureRequest) -> Callable[..., Answer]:
    """Runs a command in the image: read-only root, its own user, no network."""
    image = request.config.getoption("--image", default=None)
    if not image:
        pytest.skip("no --image: `make gpu-image` builds and tries it")

    def run(*words: str, entrypoint: str | None = None, stdin: str = "") -> Answer:
        own = ["--entrypoint", entrypoint] if entrypoint else []
        command = [sys.executable, LOCALCLUSTER, "run-image", *own, image, *words]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)

    return run
