"""Every example is a manifest that the contract takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_is_valid(path: Path) -> None:
    documents = [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]
    jobs = [each for each in documents if each["kind"] == "ReasoningTrainingJob"]
    assert jobs
    for job in jobs:
        assert job["apiVersion"] == "reasoning-operator.io/v1alpha1"
        resolve(Spec.model_validate(job["spec"]))


def test_there_are_examples() -> None:
    assert {"minimal.yaml", "sums.yaml", "smollm2.yaml"} <= {path.name for path in EXAMPLES}
