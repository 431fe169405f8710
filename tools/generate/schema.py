"""Structural schemas of Kubernetes from the contract's models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reasoning_contract.rules import Part, Rule
from reasoning_contract.spec import Spec
from reasoning_contract.unbuilt import UNBUILT


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
    if rule.figures:
        # by format: the sum of texts of unknown length is more than the API server lets an expression cost
        validation["messageExpression"] = f"'{rule.message}: {rule.figures.text}'.format([{rule.figures.cel}])"
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


def spec_schema() -> dict[str, Any]:
    """Return the schema of the spec, with what is not built marked at its field."""
    schema = schema_of(Spec)
    for each in UNBUILT:
        field = schema
        for name in each.field.split("."):
            field = field["properties"][name.removesuffix("[]")]
            field = field["items"] if name.endswith("[]") else field
        field["description"] += f" {each.mark}"
    return schema
