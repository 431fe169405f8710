"""Takes a reward function out of a script, with all that it needs. Pure."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from .reading import Script


@dataclass(frozen=True)
class Source:
    """The source of a reward.

    Attributes
    ----------
    text
        A module with the function, and the imports, constants and functions of the script that it uses.
    foreign
        Libraries that it imports beside Python's own.
    """

    text: str
    foreign: list[str]


def reward_source(script: Script, name: str) -> Source | None:
    """Return what a function needs to run by itself; None where the script does not define it."""
    defined = _definitions(script.tree)
    if not isinstance(defined.get(name), ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    needed: list[ast.stmt] = []
    waiting, seen = [name], set()
    while waiting:
        each = waiting.pop()
        if each in seen or each not in defined:
            continue
        seen.add(each)
        node = defined[each]
        if node not in needed:
            needed.append(node)
            waiting += _used(node)
    needed.sort(key=lambda node: node.lineno)
    parts = [ast.unparse(node) for node in needed]
    imports = [part for part, node in zip(parts, needed, strict=True) if isinstance(node, ast.Import | ast.ImportFrom)]
    others = [script.source(node) for node in needed if not isinstance(node, ast.Import | ast.ImportFrom)]
    text = "\n".join(dict.fromkeys(imports)) + ("\n\n" if imports else "") + "\n\n".join(others) + "\n"
    modules = {module.split(".")[0] for node in needed for module in _modules(node)}
    return Source(text, sorted(modules - set(sys.stdlib_module_names)))


def _definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    """Return what the script defines at its top level, or in a function such as `main`, by its name."""
    found: dict[str, ast.stmt] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0]: node for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.setdefault(node.name, node)
    for node in tree.body:
        if isinstance(node, ast.Assign):
            found |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
        elif isinstance(node, ast.ClassDef):
            found[node.name] = node
    return found


def _used(node: ast.stmt) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and not hasattr(builtins, each.id):
            yield each.id


def _modules(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
