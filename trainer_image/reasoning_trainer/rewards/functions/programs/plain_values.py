"""How values go between two boxes: as JSON that says what each is, never as code or pickles."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

DEPTH = 50
PLAIN = (type(None), bool, int, float, str)
SEQUENCES: dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
MAKE: dict[str, Callable[[Any], Any]] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


def dump(value: Any, otherwise: Callable[[Any], Any], depth: int = DEPTH) -> Any:
    """Return a value as JSON has it; of what is none of the plain kinds what `otherwise` makes of it."""
    if type(value) in PLAIN:
        return value
    if depth and type(value) in SEQUENCES:
        return [SEQUENCES[type(value)], [dump(each, otherwise, depth - 1) for each in value]]
    if depth and isinstance(value, dict):
        pairs = [[dump(each, otherwise, depth - 1) for each in pair] for pair in value.items()]
        return ["dict", pairs]
    if type(value) is complex:
        return ["complex", [value.real, value.imag]]
    if type(value) is bytes:
        return ["bytes", base64.b64encode(value).decode("ascii")]
    return otherwise(value)


def load(dumped: Any, otherwise: Callable[[list[Any]], Any]) -> Any:
    """Return what was dumped.

    Raises
    ------
    ValueError
        If it is no such thing.
    """
    if not isinstance(dumped, list):
        return dumped
    match dumped:
        case ["dict", list(pairs)]:
            return {load(key, otherwise): load(value, otherwise) for key, value in pairs}
        case ["complex", [real, imaginary]]:
            return complex(real, imaginary)
        case ["bytes", str(text)]:
            return base64.b64decode(text)
        case [str(kind), list(parts)] if kind in MAKE:
            return MAKE[kind]([load(each, otherwise) for each in parts])
    return otherwise(dumped)
