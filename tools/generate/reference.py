"""The API reference, in Markdown."""

from __future__ import annotations

from typing import Any

from reasoning_contract.api import GROUP, KIND, VERSION
from reasoning_contract.job_status import Status

from .schema import schema_of, spec_schema


def reference() -> str:
    """Return the API reference as Markdown: one table for each part."""
    lines = [
        "# API reference",
        "",
        f"`{GROUP}/{VERSION}`, kind `{KIND}`, short name `rtj`. Generated from `trainer_image/reasoning_contract`.",
        "",
    ]
    lines += _section("spec", spec_schema()) + _section("status", schema_of(Status))
    return "\n".join(lines).rstrip() + "\n"


def _section(path: str, schema: dict[str, Any]) -> list[str]:
    fields = schema["properties"]
    lines = [f"## {path}", "", schema.get("description", ""), ""]
    lines += ["| field | type | default | |", "| --- | --- | --- | --- |"]
    for name, field in fields.items():
        mark = "**required**" if name in schema.get("required", []) else _default_text(field)
        text = field.get("description", "").replace("|", "\\|").replace("\n", " ")
        lines.append(f"| `{name}` | {_type_text(field)} | {mark} | {text} |")
    lines.append("")
    for validation in schema.get("x-kubernetes-validations", []):
        where = f"`{validation['fieldPath'][1:]}`: " if "fieldPath" in validation else ""
        lines.append(f"- Rule: {where}{validation['message']}.")
    lines.append("")
    for name, field in fields.items():
        inner = field.get("items", field)
        if "properties" in inner:
            lines += _section(f"{path}.{name}" + ("[]" if inner is not field else ""), inner)
    return lines


def _default_text(field: dict[str, Any]) -> str:
    default = field.get("default")
    return "" if default in (None, {}, []) else f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _type_text(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "quantity"
    kind: str = field.get("type", "object")
    if kind == "array":
        return f"list of {_type_text(field['items'])}"
    bounds = [f"{sign} {field[key]}" for key, sign in _bounds(field)]
    return ", ".join([kind, *bounds])


def _bounds(field: dict[str, Any]) -> list[tuple[str, str]]:
    low, high = ("minimum", "exclusiveMinimum", "≥", ">"), ("maximum", "exclusiveMaximum", "≤", "<")
    return [(key, strict if field.get(flag) else loose) for key, flag, loose, strict in (low, high) if key in field]
