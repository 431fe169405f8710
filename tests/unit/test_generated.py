"""What is generated from the contract is up to date, and is what Kubernetes calls structural."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tools.generate.crd import crd
from tools.generate.files import generated

from reasoning_contract.unbuilt import UNBUILT

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", generated(ROOT), ids=lambda path: str(path.relative_to(ROOT)))
def test_generated_file_is_fresh(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generated(ROOT)[path], "stale: run `make generate`"


def _schemas(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from _schemas(field, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            yield from _schemas(schema[inner], f"{path}[]")


def _spec_fields() -> list[tuple[str, dict[str, Any]]]:
    version = crd()["spec"]["versions"][0]
    return list(_schemas(version["schema"]["openAPIV3Schema"]["properties"]["spec"], "spec"))


@pytest.mark.parametrize(("path", "schema"), [pair for pair in _spec_fields() if "[]" not in pair[0]])
def test_every_field_has_a_type_and_a_text(path: str, schema: dict[str, Any]) -> None:
    assert "type" in schema or schema.get("x-kubernetes-int-or-string")
    assert schema.get("description"), path
    assert not {"$ref", "anyOf", "const", "title"} & set(schema)


def test_printer_columns_point_at_fields_that_exist() -> None:
    version = crd()["spec"]["versions"][0]
    fields = {path for path, _ in _schemas(version["schema"]["openAPIV3Schema"], "")}
    for column in version["additionalPrinterColumns"]:
        if not column["jsonPath"].startswith(".metadata"):
            assert column["jsonPath"] in fields


def test_refused_change_of_a_finished_job_does_not_ask_to_suspend_it() -> None:
    schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    rules = [each for each in schema["x-kubernetes-validations"] if "suspend" in each["message"]]
    assert rules
    for each in rules:
        done = re.match(r"oldSelf\.status\.phase == 'Succeeded' \? '([^']*)' : ", each["messageExpression"])
        assert done, each["message"]
        assert "this job has succeeded" in done[1]
        assert "suspend" not in done[1]
        assert each["messageExpression"].endswith(f": '{each['message']}'")


def test_what_is_not_built_is_marked_where_it_is_read_and_nowhere_else() -> None:
    fields = [(path, schema.get("description", "")) for path, schema in _spec_fields()]
    marked = {path.removeprefix("spec.") for path, text in fields if "Not built" in text}
    assert marked == {each.field for each in UNBUILT}
    rows = (ROOT / "docs/api.md").read_text(encoding="utf-8").splitlines()
    for each in UNBUILT:
        (name,) = each.field.split(".")[-1:]
        assert any(row.startswith(f"| `{name}` |") and row.endswith(f"{each.mark} |") for row in rows), each.field
