"""Who may import whom in the operator: arrows point one way only, and what decides is pure."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "operator/reasoning_operator"
LAYERS = [
    {"__main__"},
    {"handlers", "reconcile", "watches"},
    {"observe", "apply", "progress", "lease"},
    {"client", "workqueue", "store", "pacing"},
    {"credentials"},
    {"plan", "status", "announcements", "refusals"},
    {"preflight", "changing"},
    {"acceptance", "diagnosis"},
    {"children.table", "pod_rules", "spec_texts"},
    {"children.preflight"},
    {"children.training_job", "children.network_policy"},
    {"children.pod"},
    {"children.config", "children.reward_box", "children.volume"},
    {"children.metadata"},
    {"inputs", "kept", "pods", "suspension", "times", "metrics"},
    {"model", "settings", "names", "kinds"},
    {"job_defaults"},
    {"job_policy", "specs"},
]
"""Modules from the edge to the core: a module imports only from below."""
PURE = sorted(name for layer in LAYERS[5:] for name in layer if name != "metrics")
ALLOWED_LIBRARIES = {"__future__", "collections", "dataclasses", "datetime", "hashlib", "json", "pydantic", "typing"}
ALLOWED_LIBRARIES |= {"ast", "decimal", "enum", "functools", "operator", "re", "reasoning_contract"}


def modules() -> dict[str, Path]:
    paths = [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in paths}


def imported(name: str, path: Path) -> Iterator[tuple[bool, str]]:
    """Yield what a module imports: whether it is of this package, and its name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((False, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield False, node.module or ""
        elif isinstance(node, ast.ImportFrom):
            parents = name.split(".")[: -node.level]
            base = [*parents, *(node.module.split(".") if node.module else [])]
            for alias in node.names:
                full = ".".join([*base, alias.name])
                yield True, full if full in modules() else ".".join(base)


def layer_of(name: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if name in layer)


def test_every_module_has_a_layer() -> None:
    assert set(modules()) == set().union(*LAYERS)


@pytest.mark.parametrize("name", modules())
def test_module_imports_only_from_below(name: str) -> None:
    own = [other for inside, other in imported(name, modules()[name]) if inside]
    assert [other for other in own if layer_of(other) <= layer_of(name)] == []


@pytest.mark.parametrize("name", PURE)
def test_what_decides_is_pure(name: str) -> None:
    outside = {other.split(".")[0] for inside, other in imported(name, modules()[name]) if not inside}
    assert outside <= ALLOWED_LIBRARIES
    source = modules()[name].read_text(encoding="utf-8")
    calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
    assert not calls & {"datetime.now", "datetime.utcnow", "open", "print", "input"}


def test_only_one_module_writes_to_the_cluster() -> None:
    writers = set()
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("create", "patch", "replace", "delete"):
                owner = ast.unparse(node.value)
                writers |= {name} if owner in ("cluster", "self._cluster") else set()
    assert writers == {"apply", "lease"}


def test_nothing_of_the_contract_lies_unused_in_the_operators_image() -> None:
    """The contract is copied whole: what only the trainer needs has its place there."""
    names = [f"reasoning_operator.{name}" for name in modules() if name != "__main__"]
    code = f"import importlib, sys; [importlib.import_module(name) for name in {names}]; print(*sys.modules)"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    root = PACKAGE.parents[1] / "trainer_image"
    files = {path.relative_to(root).with_suffix("") for path in (root / "reasoning_contract").rglob("*.py")}
    contract = {".".join(path.parts).removesuffix(".__init__") for path in files}
    assert contract - set(done.stdout.split()) == set()
