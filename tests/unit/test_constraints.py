"""Both images take their libraries from files of names and versions alone, and the same versions where they can."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = {"cpu": ROOT / "constraints.txt", "gpu": ROOT / "trainer_image/constraints-gpu.txt"}
HELD_BACK = {"numpy", "cuda-bindings"}
"""What a library of the GPU image, numba or cuda-python, wants older than the CPU image has it."""


def pins(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)
    return {normal(name): version for name, version in (line.split("==") for line in lines)}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize(("lock", "files"), [("cpu", ["requirements.txt"]), ("gpu", ["requirements*.txt"])])
def test_every_library_that_is_asked_for_is_pinned(lock: str, files: list[str]) -> None:
    asked = [name for pattern in files for path in (ROOT / "trainer_image").glob(pattern) for name in path.open()]
    assert {normal(name.strip()) for name in asked if name.strip()} <= set(pins(LOCKS[lock]))


def test_images_have_the_same_versions_but_for_what_is_held_back() -> None:
    cpu, gpu = pins(LOCKS["cpu"]), pins(LOCKS["gpu"])
    assert {name for name in cpu.keys() & gpu.keys() if cpu[name] != gpu[name]} == HELD_BACK
