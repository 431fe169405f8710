"""The chart's schema and the table of its values: types from the schema, texts and defaults from values.yaml.

What jobs may be given by default, and what they may ask for, is stated by the contract and the operator, and written
into the schema from there.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from reasoning_contract.unbuilt import UNBUILT
from reasoning_operator.job_defaults import fields
from reasoning_operator.job_policy import JobPolicy

from .schema import spec_schema

_LINE = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z]\w*):(?P<value>.*)")
_VERSION = re.compile(
    r"(?m)(^(?:version|appVersion): |^ARG VERSION=|reasoning-trainer:)\d+\.\d+\.\d+[-.\w]*?(?=-cpu|$)"
)
"""Where the version stands beside pyproject.toml: in the chart, in its default images, and in the images' labels."""
_BEGIN, _END = "<!-- values, by `make generate` -->", "<!-- end of the values -->"
_WHOLE = ("resources",)
"""A value that is one thing though it takes several lines."""
_OF_JSON_SCHEMA = ("type", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "maxProperties")


class Value(NamedTuple):
    """A value of the chart."""

    path: tuple[str, ...]
    text: str
    default: Any


def chart_files(chart: Path) -> dict[Path, str]:
    """Return the files of the chart, and the Dockerfiles, of which parts are generated.

    Parameters
    ----------
    chart
        Its folder.
    """
    project = tomllib.loads((chart.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    version = project["project"]["version"]
    values = list(read_values(_versioned(chart / "values.yaml", version)))
    schema = _described(json.loads((chart / "values.schema.json").read_text(encoding="utf-8")), values)
    readme = (chart / "README.md").read_text(encoding="utf-8")
    before, _, rest = readme.partition(_BEGIN)
    after = rest.partition(_END)[2]
    dockerfiles = (chart.parents[1] / "Dockerfile", chart.parents[1] / "trainer_image/Dockerfile")
    versioned = (chart / "Chart.yaml", chart / "values.yaml", *dockerfiles)
    return {path: _versioned(path, version) for path in versioned} | {
        chart / "values.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
        chart / "README.md": f"{before}{_BEGIN}\n{_table(values, schema)}{_END}{after}",
    }


def _versioned(path: Path, version: str) -> str:
    """Return the text of a file with the version that pyproject.toml states."""
    return _VERSION.sub(rf"\g<1>{version}", path.read_text(encoding="utf-8"))


def read_values(text: str) -> Iterator[Value]:
    """Yield the values of a values.yaml, each with the comment above it.

    Raises
    ------
    ValueError
        If one has no comment.
    """
    document, comment, above = yaml.safe_load(text), [], list[tuple[int, str]]()
    for line in text.splitlines():
        if line.strip().startswith("#"):
            comment.append(line.strip().removeprefix("#").strip())
        elif found := _LINE.fullmatch(line):
            indent = len(found["indent"])
            above = [*(each for each in above if each[0] < indent), (indent, found["key"])]
            path = tuple(key for _, key in above)
            default = _at(document, path)
            if path == _WHOLE or (path[0] != _WHOLE[0] and found["value"].strip()):
                if not comment:
                    raise ValueError(f"values.yaml: {'.'.join(path)} has no comment that says what it does")
                yield Value(path, " ".join(comment), default)
            comment = []
        else:
            comment = []


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def _described(schema: dict[str, Any], values: list[Value]) -> dict[str, Any]:
    jobs = schema["properties"]["jobs"]["properties"]
    jobs["defaults"] = _schema_of_defaults()
    jobs["policy"] = _schema_of_policy()
    for value in values:
        part = _part(schema, value.path)
        rest = {name: inner for name, inner in part.items() if name != "description"}
        part.clear()
        part.update({"description": value.text} | rest)
        for depth in range(1, len(value.path)):  # a part that is set to null would be gone
            around, name = _part(schema, value.path[: depth - 1]), value.path[depth - 1]
            around["required"] = sorted({*around.get("required", []), name})
    return schema


def _part(schema: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for key in path:
        schema = schema["properties"][key]
    return schema


def _schema_of_defaults() -> dict[str, Any]:
    """Return the schema of a part of a spec with no other fields than those that may have a default."""
    whole = _closed()
    for name in _offered():
        source, target = spec_schema(), whole
        *around, last = name.split(".")
        for key in around:
            source = source["properties"][key]
            target = target["properties"].setdefault(key, _closed())
        target["properties"][last] = _json_schema(source["properties"][last])
    return whole


def _offered() -> list[str]:
    """Return the fields that may have a default: one that is not built would have every job refused."""
    unbuilt = {each.field for each in UNBUILT}
    return [name for name in fields() if name not in unbuilt]


def _closed() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _json_schema(source: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of Kubernetes as one of JSON Schema, draft 7."""
    result = {key: source[key] for key in _OF_JSON_SCHEMA if key in source}
    for bound in ("minimum", "maximum"):
        if bound in source:
            is_exclusive = source.get(f"exclusive{bound.capitalize()}")
            result[f"exclusive{bound.capitalize()}" if is_exclusive else bound] = source[bound]
    if source.get("x-kubernetes-int-or-string"):
        result["type"] = ["integer", "string"]
    if "properties" in source:
        result |= _closed() | {"required": source.get("required", [])}
        result["properties"] = {name: _json_schema(inner) for name, inner in source["properties"].items()}
    for inner in ("items", "additionalProperties"):
        if isinstance(source.get(inner), dict):
            result[inner] = _json_schema(source[inner])
    return result


def _schema_of_policy() -> dict[str, Any]:
    whole = JobPolicy.model_json_schema(by_alias=True)
    properties = {}
    for name, field in whole["properties"].items():
        (only,) = (each for each in field.get("anyOf", [field]) if each.get("type") != "null")
        kept = {key: value for key, value in only.items() if key not in ("title", "default")}
        properties[name] = {"description": field["description"]} | kept
    return _closed() | {"properties": properties}


def _table(values: list[Value], schema: dict[str, Any]) -> str:
    lines = ["| value | type | default | |", "| --- | --- | --- | --- |"]
    for value in values:
        kind = _kind(_part(schema, value.path))
        default = json.dumps(value.default, ensure_ascii=False).replace("|", "\\|")
        lines.append(f"| `{'.'.join(value.path)}` | {kind} | `{default}` | {value.text.replace('|', chr(92) + '|')} |")
    policy = schema["properties"]["jobs"]["properties"]["policy"]["properties"]
    lines += [
        "",
        "`jobs.defaults` takes these fields of a spec: " + ", ".join(f"`{name}`" for name in _offered()) + ".",
    ]
    lines += ["", "`jobs.policy` takes:", "", "| field | type | |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {_kind(field)} | {field['description']} |" for name, field in policy.items()]
    return "\n".join(lines) + "\n"


def _kind(part: dict[str, Any]) -> str:
    if "enum" in part:
        return ", ".join(f"`{each}`" for each in part["enum"])
    if part["type"] == "array":
        return f"list of {_kind(part['items'])}"
    bounds = [f"{sign} {part[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in part]
    return " ".join([part["type"], *bounds])
