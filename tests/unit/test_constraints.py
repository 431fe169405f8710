"""Both images take their libraries from files of names and versions alone, and the same versions where they can."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tools.generate.pins import cpu_pins

ROOT = Path(__file__).parents[2]
ALL = ROOT / "constraints.txt"
LOCKS = {name: ROOT / f"trainer_image/constraints-{name}.txt" for name in ("cpu", "gpu")}
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


def test_a_tools_pin_is_none_of_the_images(tmp_path: Path) -> None:
    for path in (ALL, LOCKS["gpu"]):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text("utf-8"), "utf-8")
    before = cpu_pins(tmp_path)
    (tmp_path / "constraints.txt").write_text(re.sub(r"(?m)^mkdocs==.*", "mkdocs==99", ALL.read_text("utf-8")))
    assert cpu_pins(tmp_path) == before
    (tmp_path / "constraints.txt").write_text(re.sub(r"(?m)^torch==.*", "torch==99", ALL.read_text("utf-8")))
    assert "torch==99\n" in cpu_pins(tmp_path)


def test_libraries_are_built_with_the_images_own_pins() -> None:
    text = (ROOT / "trainer_image/Dockerfile").read_text("utf-8")
    before_the_sbom = text.partition(" AS sbom")[0]
    copied = [word for line in before_the_sbom.splitlines() if line.startswith("COPY ") for word in line.split()[1:]]
    assert "constraints.txt" not in copied
    assert "trainer_image/constraints-*.txt" in copied


def test_images_have_the_versions_that_are_tested() -> None:
    tested, built = pins(ALL), pins(LOCKS["cpu"])
    assert built == {name: tested[name] for name in built}
    assert {"torch", "trl", "transformers", "llama-cpp-python"} <= set(built)
    assert not {"mkdocs", "pytest", "kopf", "ruff"} & set(built)
