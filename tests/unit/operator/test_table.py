"""The table of children, and what is held to it: what is observed, names, and the rights that the chart grants."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.operator.objects import SETTINGS, training_job

from reasoning_contract.api import JOB_LABEL, NAME_LIMIT, UID_LABEL
from reasoning_operator.children.table import KINDS, TABLE, Row
from reasoning_operator.kinds import JOB, Kind
from reasoning_operator.model import Observed

HELPERS = Path(__file__).parents[3] / "helm/reasoning-operator/templates/_helpers.tpl"
NONE_WANTED = training_job(storage={"existingClaim": "mine"}, pod={"networkPolicy": False})


def granted(kind: Kind) -> set[str]:
    """Return the verbs that the chart grants for a kind."""
    found = re.search(r'define "reasoning-operator.rules" -}}(.*?){{- end', HELPERS.read_text(encoding="utf-8"), re.S)
    assert found
    rules: list[dict[str, Any]] = yaml.safe_load(found[1])
    ours = [rule for rule in rules if kind.group in rule["apiGroups"] and kind.plural in rule["resources"]]
    return {verb for rule in ours for verb in rule["verbs"]}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_chart_grants_what_the_table_needs_and_no_more(kind: Kind) -> None:
    deleted = any(row.deletable for row in TABLE if row.kind is kind)
    assert granted(kind) == {"get", "list", "watch", "create", "patch"} | ({"delete"} if deleted else set())


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.role)
def test_row_builds_what_it_says(row: Row) -> None:
    job = training_job(guards={"preflight": {"enabled": True}})
    child = row.build(job, SETTINGS)
    assert child
    assert (child["apiVersion"], child["kind"]) == row.kind[:2]
    assert child["metadata"]["name"] == row.name(job.name)
    assert len(row.name("x" * NAME_LIMIT)) <= 63
    assert {JOB_LABEL, UID_LABEL} <= child["metadata"]["labels"].keys()
    assert set(row.parts) <= child.keys()


def test_every_role_is_observed() -> None:
    assert {row.role for row in TABLE} <= {field.name for field in dataclasses.fields(Observed)}


def test_what_a_job_does_not_want_is_not_built() -> None:
    unbuilt = {row.role for row in TABLE if row.build(NONE_WANTED, SETTINGS) is None}
    assert unbuilt == {"network_policy", "claim", "preflight"}


def test_job_is_made_after_all_that_it_reads() -> None:
    assert TABLE[-1].kind is JOB


def test_data_of_a_user_is_never_deleted() -> None:
    assert not next(row for row in TABLE if row.role == "claim").deletable
