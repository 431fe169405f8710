"""Generates everything that is made from the contract: the CRD, the chart's copy of it and the API reference.

``python -m reasoning_operator.crd`` writes the files, ``--check`` only says which are stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from reasoning_contract.rules import Part, Rule
from reasoning_contract.spec import Spec
from reasoning_contract.status import Status

GROUP, VERSION, KIND, PLURAL = "reasoning-operator.io", "v1alpha1", "ReasoningTrainingJob", "reasoningtrainingjobs"
NAME_LIMIT = 50
"""Longest name of a job: its children's names add a suffix, and all must be labels of at most 63 characters."""

_COLUMNS = [
    # name, type, path, priority (1: only with -o wide)
    ("Phase", "string", ".status.phase", 0),
    ("Stage", "string", ".status.stage", 0),
    ("Progress", "string", ".status.progress.display", 0),
    ("ETA", "string", ".status.progress.eta", 0),
    ("Reward", "number", ".status.training.reward", 0),
    ("Base", "number", ".status.evaluation.heldOut.base.accuracy", 0),
    ("Final", "number", ".status.evaluation.finalAccuracy", 0),
    ("Problem", "string", ".status.failure.reason", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Algorithm", "string", ".spec.reinforce.algorithm", 1),
    ("Model", "string", ".spec.model.source", 1),
    ("Attempts", "integer", ".status.attempts", 1),
    ("Queue", "string", ".spec.queue.name", 1),
    ("GPU-Hours", "number", ".status.gpuHours", 1),
    ("Message", "string", ".status.failure.message", 1),
]
_RECIPE = [
    *("backend", "model", "lora", "chatTemplate", "inference", "data", "warmup", "reinforce", "rewards"),
    *("evaluation", "export", "guards", "checkpoint", "parallelism", "queue", "pod", "storage.cacheClaim"),
]
"""Parts of the spec that decide what a run does; they stand still once it has begun."""
_OPTIONAL = {"queue", "storage.cacheClaim"}
_CHANGEABLE = "!has(oldSelf.status) || !has(oldSelf.status.phase) || oldSelf.status.phase in ['Pending', 'Suspended']"
_ADVICE = "cannot change once the run has begun: suspend the job first, or create another one"


def structural(schema: dict[str, Any], definitions: dict[str, Any], models: dict[str, type[Part]]) -> dict[str, Any]:
    """Rewrite a schema of pydantic's as a structural schema of Kubernetes.

    References are inlined, ``anyOf`` with null becomes an optional field, ``const`` an enumeration, exclusive bounds
    take the form of OpenAPI 3.0, titles go, and the rules of each model become ``x-kubernetes-validations``.

    Parameters
    ----------
    schema
        The schema, or a part of it.
    definitions
        Its ``$defs``.
    models
        The model behind each definition, by name.
    """
    rules: list[Rule] = []
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        rules = [rule for rule, _ in models[name].rules()]
        schema = definitions[name] | {key: value for key, value in schema.items() if key != "$ref"}
    if "anyOf" in schema:
        (only,) = (branch for branch in schema["anyOf"] if branch.get("type") != "null")
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        return structural(only | rest, definitions, models)
    result = _without_bounds(schema)
    if "properties" in result:
        result["properties"] = {
            name: structural(field, definitions, models) for name, field in schema["properties"].items()
        }
        result.pop("additionalProperties", None)  # unknown fields are refused by strict decoding
    for inner in ("items", "additionalProperties"):
        if isinstance(result.get(inner), dict):
            result[inner] = structural(result[inner], definitions, models)
    if "default" in result:
        result["default"] = _default(result["default"])
    if rules:
        result["x-kubernetes-validations"] = [_validation(rule) for rule in rules]
    return result


def _without_bounds(schema: dict[str, Any]) -> dict[str, Any]:
    result = {key: value for key, value in schema.items() if key not in ("title", "const", "$defs")}
    if "const" in schema:
        result["enum"] = [schema["const"]]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in result:
            result |= {bound: result[exclusive], exclusive: True}
    return result


def _default(value: Any) -> Any:
    """Leave out nulls. Defaults of inner fields stay: rules are tried on a default before those are filled in."""
    if not isinstance(value, dict):
        return value
    return {name: _default(inner) for name, inner in value.items() if inner is not None}


def _validation(rule: Rule) -> dict[str, str]:
    validation = {"rule": rule.cel, "message": rule.message}
    return validation | {"fieldPath": f".{rule.field}"} if rule.field else validation


def _models(model: type[Part]) -> Iterator[type[Part]]:
    """Yield every part of the contract."""
    for subclass in model.__subclasses__():
        yield subclass
        yield from _models(subclass)


def schema_of(model: type[Part]) -> dict[str, Any]:
    """Return the structural schema of a part of the contract."""
    full = model.model_json_schema(by_alias=True)
    models = {each.__name__: each for each in _models(Part)}
    definitions = full.get("$defs", {}) | {model.__name__: full}
    return structural({"$ref": f"#/$defs/{model.__name__}"}, definitions, models)


def _transition_rules() -> list[dict[str, str]]:
    def unchanged(part: str) -> str:
        new, old = f"self.spec.{part}", f"oldSelf.spec.{part}"
        same = f"{new} == {old}"
        return f"(has({new}) == has({old}) && (!has({new}) || {same}))" if part in _OPTIONAL else same

    def frozen(part: str) -> dict[str, str]:
        rule = f"{_CHANGEABLE} || {unchanged(part)}"
        return {"rule": rule, "message": f"spec.{part} {_ADVICE}", "fieldPath": f".spec.{part}"}

    where = "self.spec.storage.size == oldSelf.spec.storage.size"
    for field in ("existingClaim", "storageClassName"):
        new, old = f"self.spec.storage.{field}", f"oldSelf.spec.storage.{field}"
        where += f" && has({new}) == has({old}) && (!has({new}) || {new} == {old})"
    storage = {
        "rule": f"!has(oldSelf.status) || !has(oldSelf.status.phase) || ({where})",
        "message": "spec.storage cannot change once the claim is made, except retain and, while suspended, cacheClaim: "
        "create another job",
        "fieldPath": ".spec.storage",
    }
    return [*(frozen(part) for part in _RECIPE), storage]


def crd() -> dict[str, Any]:
    """Return the CustomResourceDefinition."""
    schema = {
        "type": "object",
        "description": "Trains a reasoning model: warm-up, RL, proof of the gain, adapter on a volume.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": schema_of(Spec),
            "status": schema_of(Status),
        },
        "x-kubernetes-validations": [
            {
                "rule": f"size(self.metadata.name) <= {NAME_LIMIT} && !self.metadata.name.contains('.')",
                "message": f"metadata.name must be a DNS label of at most {NAME_LIMIT} characters, without dots: "
                "pods and claims are named after it",
            },
            *_transition_rules(),
        ],
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path, "priority": priority}
            for name, kind, path, priority in _COLUMNS
        ],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["rtj"],
            },
            "versions": [version],
        },
    }


def reference() -> str:
    """Return the API reference as Markdown: one table for each part."""
    lines = [
        "# API reference",
        "",
        f"`{GROUP}/{VERSION}`, kind `{KIND}`, short name `rtj`. Generated from `trainer_image/reasoning_contract`.",
        "",
    ]
    lines += _section("spec", schema_of(Spec)) + _section("status", schema_of(Status))
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


def generated(root: Path) -> dict[Path, str]:
    """Return the text of every generated file, by its path under the repository's root."""
    header = "# Generated from trainer_image/reasoning_contract by `make generate`; do not edit.\n"
    manifest = header + yaml.safe_dump(crd(), sort_keys=False, width=120, allow_unicode=True)
    return {
        root / "crds" / f"{PLURAL}.yaml": manifest,
        root / "helm" / "reasoning-operator" / "files" / "crd.yaml": manifest,
        root / "docs" / "api.md": reference(),
    }


def main() -> int:
    """Write the generated files, or say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the repository's root")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is stale")
    arguments = parser.parse_args()
    stale = [
        path
        for path, text in generated(arguments.root).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if arguments.check:
        for path in stale:
            print(f"{path.relative_to(arguments.root)} is stale: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(generated(arguments.root)[path], encoding="utf-8")
        print(f"wrote {path.relative_to(arguments.root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
