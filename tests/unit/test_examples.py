"""Every example is a manifest that the contract takes."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import yaml

from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Algorithm, Spec
from reasoning_trainer.backends.support import check
from reasoning_trainer.job import read_job

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(FOLDER.rglob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_example_is_valid(path: Path) -> None:
    documents = [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]
    jobs = [each for each in documents if each["kind"] == "ReasoningTrainingJob"]
    assert jobs
    for job in jobs:
        assert job["apiVersion"] == "reasoning-operator.io/v1alpha1"
        spec = resolve(Spec.model_validate(job["spec"]))
        check(spec)


def test_there_is_an_example_for_every_algorithm() -> None:
    found = {read_job(path).spec.reinforce.algorithm for path in (FOLDER / "algorithms").glob("*.yaml")}
    assert found == set(get_args(Algorithm)) - {"none"}


def test_there_are_examples() -> None:
    assert {"minimal.yaml", "sums.yaml", "smollm2.yaml"} <= {path.name for path in EXAMPLES}
