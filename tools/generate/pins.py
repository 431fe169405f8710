"""The pins that the CPU image is built with: those of constraints.txt that a library of the trainer may need.

The image's layer of libraries is made anew when the file that it is built with changes. constraints.txt changes with
every tool of the tests and the documentation too, which are no part of the image.
"""

from __future__ import annotations

import re
from pathlib import Path

_HEADER = """\
# Generated from ../constraints.txt by `make generate`; do not edit. Of its pins those that constraints-gpu.txt has as
# well, which names every library that the trainer needs: so a pin of a tool does not make the image's libraries anew.
"""


def cpu_pins(root: Path) -> str:
    """Return the pins of the CPU image's libraries, with a header that says whence.

    Parameters
    ----------
    root
        The repository's root.
    """
    trainer = {_normal(name) for name, _ in _pins(root / "trainer_image/constraints-gpu.txt")}
    taken = [f"{name}=={version}\n" for name, version in _pins(root / "constraints.txt") if _normal(name) in trainer]
    return _HEADER + "".join(taken)


def _pins(path: Path) -> list[tuple[str, str]]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [(name, version) for name, _, version in (line.partition("==") for line in lines)]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
