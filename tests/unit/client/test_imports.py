"""Who may import whom in the client: it knows the contract and what is shared, and one module starts the trainer."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "client/reasoning_client"
LAYERS = [
    {"__main__"},
    {"cli"},
    {"sdk"},
    {"download", "records", "pods", "following", "versions"},
    {"volume"},
    {"exec"},
    {"kube"},
    {"initial", "local", "convert"},
    {"manifest", "why", "comparing", "estimating", "changing", "drawing", "remote_reader"},
    {"errors"},
]
PURE = {"why", "comparing", "estimating", "changing", "initial", "convert.converting", "convert.values"}
OUTSIDE = {"IPython", "kubernetes", "pandas", "pydantic", "rich", "typer", "urllib3", "websocket", "yaml"}
OURS = {"reasoning_contract", "reasoning_shared"}


def modules() -> dict[str, Path]:
    paths = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in paths}


def imported(name: str) -> Iterator[tuple[bool, str]]:
    for node in ast.walk(ast.parse(modules()[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((False, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield False, node.module or ""
        elif isinstance(node, ast.ImportFrom):
            base = name.split(".")[: -node.level] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                full = ".".join([*base, alias.name])
                yield True, full if full in modules() else ".".join(base)


def room(name: str) -> str:
    return name.split(".")[0]


def layer_of(name: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if room(name) in layer)


def test_every_module_has_a_layer() -> None:
    assert {room(name) for name in modules()} == set().union(*LAYERS)


@pytest.mark.parametrize("name", sorted(modules()))
def test_module_imports_only_from_below(name: str) -> None:
    own = [other for inside, other in imported(name) if inside and room(other) != room(name)]
    assert [other for other in own if layer_of(other) <= layer_of(name)] == []


@pytest.mark.parametrize("name", sorted(modules()))
def test_the_client_knows_the_contract_alone(name: str) -> None:
    outside = {other.split(".")[0] for inside, other in imported(name) if not inside} - set(sys.stdlib_module_names)
    allowed = OUTSIDE | OURS | ({"reasoning_trainer", "httpx"} if name == "local" else set())
    assert outside <= allowed


@pytest.mark.parametrize("name", sorted(PURE))
def test_what_decides_is_pure(name: str) -> None:
    outside = {other.split(".")[0] for inside, other in imported(name) if not inside}
    assert not outside & {"kubernetes", "rich", "typer", "urllib3", "websocket", "subprocess", "os"}


@pytest.mark.parametrize("words", [["--help"], ["watch", "--help"], ["validate", "--help"]])
def test_help_imports_neither_client_nor_contract(words: list[str]) -> None:
    code = (
        "import sys\nfrom reasoning_client.cli.main import main\n"
        f"main({words})\n"
        "print('LOADED', *({'kubernetes', 'reasoning_contract', 'yaml', 'torch', 'pandas'} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"
