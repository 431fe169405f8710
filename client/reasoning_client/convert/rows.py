"""Reads what a script makes of the rows: which columns mean what, and what the model is told to do. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .reading import Script
from .values import Names, UnknownError

ANSWERS = ("answer", "ground_truth", "solution", "target", "reference")
GSM8K = "####"


def columns_of(script: Script, names: Names) -> dict[str, str]:
    """Return the columns of the data set that become prompt, answer, chosen and rejected, where a `map` says so."""
    found: dict[str, str] = {}
    for mapped in _mapped(script.tree):
        for key, value in mapped:
            role = "answer" if key in ANSWERS else key
            if role in ("prompt", "answer", "chosen", "rejected") and role not in found:
                column = _column(value)
                if column is not None:
                    found[role] = column
    return {role: column for role, column in found.items() if role != "prompt" or column != "prompt"}


def _mapped(tree: ast.Module) -> Iterator[list[tuple[str, ast.expr]]]:
    """Yield the keys and values of what functions that are given to `map` return."""
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "map"):
            continue
        given = call.args[0] if call.args else next((w.value for w in call.keywords if w.arg == "function"), None)
        body: ast.AST | None = functions.get(given.id) if isinstance(given, ast.Name) else given
        if body is None:
            continue
        yield [pair for node in ast.walk(body) if isinstance(node, ast.Dict) for pair in _pairs(node)]
        yield list(_assigned(body))


def _assigned(body: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield what is written into a row: `row["answer"] = ...`."""
    for node in ast.walk(body):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            key = target.slice if isinstance(target, ast.Subscript) else None
            if isinstance(node, ast.Assign) and isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, node.value


def _pairs(node: ast.Dict) -> Iterator[tuple[str, ast.expr]]:
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value, value


def _column(value: ast.expr) -> str | None:
    """Return the one column that a value is made of."""
    columns = {
        node.slice.value
        for node in ast.walk(value)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    }
    return columns.pop() if len(columns) == 1 else None


def answer_pattern(script: Script) -> str | None:
    """Return the pattern of the answer in GSM8K's rows, where the script splits them by its mark."""
    for node in ast.walk(script.tree):
        splits = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "split"
        words = [each.value for each in getattr(node, "args", []) if isinstance(each, ast.Constant)] if splits else []
        if GSM8K in (str(word).strip() for word in words):
            return f"{GSM8K} (.*)"
    return None


def system_prompt(script: Script, names: Names) -> str | None:
    """Return what the model is told to do in a turn of role system; "" where conversations have none; else None."""
    conversations = False
    for node in ast.walk(script.tree):
        if not isinstance(node, ast.Dict):
            continue
        pairs = dict(_pairs(node))
        role = pairs.get("role")
        if not isinstance(role, ast.Constant) or "content" not in pairs:
            continue
        conversations = conversations or role.value == "user"
        if role.value == "system":
            try:
                return str(names.value(pairs["content"]))
            except UnknownError:
                return None
    return "" if conversations else None
