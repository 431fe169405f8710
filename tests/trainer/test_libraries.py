"""What the trainer's libraries need is pinned for the image, every one."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(names: set[str]) -> set[str]:
    """Return the names with all that they need, as it is installed here."""
    found: set[str] = set()
    left = {normal(name): frozenset[str]() for name in names}
    while left:
        name, extras = left.popitem()
        found.add(name)
        try:
            stated = [Requirement(each) for each in requires(name) or ()]
        except PackageNotFoundError:
            continue
        for each in stated:
            wanted = each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in ("", *extras))
            if wanted and normal(each.name) not in found:
                left[normal(each.name)] = frozenset(each.extras)
    return found


def test_every_library_of_the_cpu_image_is_pinned() -> None:
    asked = {line.strip() for line in (ROOT / "trainer_image/requirements.txt").open() if line.strip()}
    text = (ROOT / "trainer_image/constraints-cpu.txt").read_text("utf-8")
    pinned = {normal(name) for name in re.findall(r"(?m)^([^#=]+)==", text)}
    assert needed(asked | {"pydantic", "PyYAML"}) - pinned == {"setuptools"} & needed(asked)
