"""Boxes and worlds that the attempts share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.box.attempts import ROOT as AS_ROOT
from tests.box.hosts import ORDINARY, OpenPython, make_host, python_as
from tests.box.world import World

from reasoning_trainer.rewards.box import Box

WAYS = ("child of root", "child of a user", "sidecar")


@pytest.fixture(scope="session")
def bound() -> Iterator[Path]:
    """A folder where the interpreter is bound for the ordinary user."""
    with tempfile.TemporaryDirectory(prefix="box-python-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture(scope="session", params=WAYS)
def surroundings(request: pytest.FixtureRequest, bound: Path) -> Iterator[tuple[Box, World]]:
    """A box of each way, and what is around it."""
    user = 0 if request.param == "child of root" else ORDINARY
    if user == 0 and os.geteuid() != 0:
        pytest.skip("only root is root")
    python, site = python_as(user, bound)
    world, host = World(user, python, site), make_host(request.param, python)
    assert host.start().missing == {}
    yield host, world
    host.close()
    world.close()


@pytest.fixture(scope="session", params=(AS_ROOT, "user"))
def outside(request: pytest.FixtureRequest, bound: Path) -> Iterator[tuple[str, OpenPython, World]]:
    """Who runs an attempt without a box, what runs it, and what is around it."""
    user = 0 if request.param == AS_ROOT else ORDINARY
    if user == 0 and os.geteuid() != 0:
        pytest.skip("only root is root")
    python, site = python_as(user, bound)
    world, runner = World(user, python, site), OpenPython(python)
    yield request.param, runner, world
    runner.close()
    world.close()
