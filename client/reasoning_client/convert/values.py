"""Works out what expressions of a script stand for, as far as that is written down in it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


class UnknownError(ValueError):
    """An expression whose value only a run would tell."""


class Names:
    """Names of a script and what they were set to.

    A name that is set twice to different things is not known: which one holds, only a run tells. Defaults of argparse
    and of dataclasses stand for what a command line did not say.

    Parameters
    ----------
    tree
        The script.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._assigned: dict[str, list[ast.expr]] = {}
        self._attributes: dict[str, list[ast.expr]] = {}
        for node in ast.walk(tree):
            self._take(node)

    def _take(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._assign(node.target, node.value)
        elif isinstance(node, ast.ClassDef):
            self._dataclass(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            self._argument(node)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._assigned.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Call):
            for each in target.elts:
                if isinstance(each, ast.Name):
                    self._assigned.setdefault(each.id, []).append(value)

    def _dataclass(self, node: ast.ClassDef) -> None:
        for each in node.body:
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.value is not None:
                self._attributes.setdefault(each.target.id, []).append(_default(each.value))

    def _argument(self, node: ast.Call) -> None:
        names = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        default = next((word.value for word in node.keywords if word.arg == "default"), None)
        long = next((name for name in names if name.startswith("--")), None)
        if long and default is not None:
            self._attributes.setdefault(long.lstrip("-").replace("-", "_"), []).append(default)

    def assigned(self, name: str) -> list[ast.expr]:
        """Return all that a name is set to, in order."""
        return self._assigned.get(name, [])

    def value(self, node: ast.expr, depth: int = 0) -> Any:
        """Return what an expression stands for.

        Raises
        ------
        UnknownError
            If the script does not say.
        """
        if depth > 20:
            raise UnknownError(ast.unparse(node))
        reader = READERS.get(type(node))
        if reader is None:
            raise UnknownError(ast.unparse(node))
        return reader(self, node, depth + 1)

    def _only(self, found: list[ast.expr], node: ast.expr, depth: int) -> Any:
        values = [self.value(each, depth) for each in found]
        if not values or any(value != values[0] for value in values):
            raise UnknownError(ast.unparse(node))
        return values[0]


def _default(value: ast.expr) -> ast.expr:
    """Return the default of a dataclass's field."""
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "field":
        return next((word.value for word in value.keywords if word.arg == "default"), value)
    return value


def _constant(names: Names, node: ast.Constant, depth: int) -> Any:
    return node.value


def _name(names: Names, node: ast.Name, depth: int) -> Any:
    return names._only(names.assigned(node.id), node, depth)


def _attribute(names: Names, node: ast.Attribute, depth: int) -> Any:
    return names._only(names._attributes.get(node.attr, []), node, depth)


def _list(names: Names, node: ast.List | ast.Tuple, depth: int) -> list[Any]:
    return [names.value(each, depth) for each in node.elts]


def _dict(names: Names, node: ast.Dict, depth: int) -> dict[Any, Any]:
    pairs = zip(node.keys, node.values, strict=True)
    return {names.value(key, depth): names.value(value, depth) for key, value in pairs if key is not None}


def _unary(names: Names, node: ast.UnaryOp, depth: int) -> Any:
    if not isinstance(node.op, ast.USub):
        raise UnknownError(ast.unparse(node))
    return -names.value(node.operand, depth)


def _binary(names: Names, node: ast.BinOp, depth: int) -> Any:
    work = OPERATORS.get(type(node.op))
    left, right = names.value(node.left, depth), names.value(node.right, depth)
    texts = isinstance(node.op, ast.Add) and isinstance(left, str) and isinstance(right, str)
    if (
        work is None
        or not (texts or _numbers(left, right))
        or (right == 0 and isinstance(node.op, ast.Div | ast.FloorDiv))
    ):
        raise UnknownError(ast.unparse(node))
    return work(left, right)


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _joined(names: Names, node: ast.JoinedStr, depth: int) -> str:
    nodes = [each.value if isinstance(each, ast.FormattedValue) else each for each in node.values]
    return "".join(str(names.value(each, depth)) for each in nodes)


READERS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.List: _list,
    ast.Tuple: _list,
    ast.Dict: _dict,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.JoinedStr: _joined,
}


def called(node: ast.Call) -> str:
    """Return the name of what is called: `FastLanguageModel.from_pretrained`."""
    return ast.unparse(node.func)
