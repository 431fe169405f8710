"""The maps for newcomers lead somewhere: what they name is there, and who imports whom is as they draw it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.unit.client.test_imports import LAYERS as CLIENT
from tests.unit.test_imports import LAYERS as OPERATOR
from tests.unit.trainer_pure.test_rooms import LAYERS as TRAINER

ROOT = Path(__file__).parents[2]
MAPS = {page: (ROOT / page).read_text("utf-8") for page in ("CONTRIBUTING.md", "docs/architecture.md")}
NAME = re.compile(r"`(\w[\w./-]*(?:/|\.(?:py|md|yaml|yml|txt|tpl|jinja)))`|`(_\w+\.tpl)`")
"""A file or a folder; what is served or written at run time has another ending."""
COMMAND = re.compile(r"`make ([\w-]+)`")
ROW = re.compile(r"^(operator|trainer|client) +(.*▶.*(?:\n +▶.*)*)", re.MULTILINE)
ORDERS = {"operator": OPERATOR, "trainer": TRAINER, "client": CLIENT}
ELSEWHERE = {"contract", "shared"}
"""Packages at the end of a row: their own tests say whom they import."""


def places() -> Iterator[str]:
    """Yield every file and folder of the repository, a folder with a stroke behind its name."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        here = Path(folder).relative_to(ROOT)
        yield from (f"{here / name}/" for name in folders)
        yield from (str(here / name) for name in files)


@pytest.mark.parametrize("page", MAPS)
def test_every_file_and_folder_of_a_map_is_there(page: str) -> None:
    named = {file or template for file, template in NAME.findall(MAPS[page])}
    assert len(named) > 20
    ends = {f"/{place}" for place in places()}
    assert [name for name in sorted(named) if not any(end.endswith(f"/{name}") for end in ends)] == []


@pytest.mark.parametrize("page", MAPS)
def test_every_command_of_a_map_is_in_the_makefile(page: str) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(COMMAND.findall(MAPS[page])) - targets == set()


@pytest.mark.parametrize("package", ORDERS)
def test_arrows_of_the_picture_are_the_imports(package: str) -> None:
    row = dict(ROW.findall(MAPS["docs/architecture.md"]))[package]
    columns = [re.findall(r"\w+", column) for column in row.split("▶")]
    drawn = [[name for name in column if name not in ELSEWHERE] for column in columns]
    layers = [sorted(layer for name in column for layer in layers_of(name, package)) for column in drawn if column]
    assert [(upper, lower) for upper, lower in pairwise(layers) if upper[-1] >= lower[0]] == []


def layers_of(name: str, package: str) -> list[int]:
    """Return where a room stands in the order that the imports are held to, or all modules of one without an entry."""
    order = ORDERS[package]
    exact = [number for number, layer in enumerate(order) if name in layer]
    inside = [number for number, layer in enumerate(order) if any(each.startswith(f"{name}.") for each in layer)]
    assert exact or inside, f"{name} is no room of the {package}"
    return exact or inside
