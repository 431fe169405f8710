"""What of a job's rewards makes another run of it, and what ends it before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer import pipeline
from reasoning_trainer.data.examples import Example, Splits
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.job import Inputs
from reasoning_trainer.storage.commits import Commits

KEPT = {"name": "kept", "python": {"configMapKeyRef": {"name": "code", "key": "kept.py"}}}
HTTP = {"name": "judge", "http": {"url": "http://judge"}}
BUILTIN = {"name": "form", "builtin": "format"}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    path = tmp_path / "code/kept.py"
    path.write_text("def score(completions, **_): return [1.0]")
    return path


def attempt(folder: Path, *rewards: dict[str, Any]) -> Any:
    given = {
        "model": {"source": "file:///model"},
        "data": {"train": {"rows": [{"prompt": "q"}]}},
        "rewards": list(rewards),
        "evaluation": {"enabled": False},
        "parallelism": {"gpusPerNode": 0},
    }
    spec = resolve(Spec.model_validate(given))
    return SimpleNamespace(spec=spec, inputs=Inputs(folder, None), say=print, commits=Commits())


def recipe(folder: Path, *rewards: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return pipeline._recipe(attempt(folder, *rewards), Splits((Example("q", columns=columns),), (), ()))


def test_code_in_a_config_map_is_part_of_the_recipe(tmp_path: Path, code: Path) -> None:
    before = recipe(tmp_path, KEPT)
    assert recipe(tmp_path, KEPT) == before
    code.write_text("def score(completions, **_): return [2.0]")
    assert recipe(tmp_path, KEPT) != before


def test_columns_are_part_of_it_where_rewards_read_them(tmp_path: Path) -> None:
    assert recipe(tmp_path, HTTP, level=1) != recipe(tmp_path, HTTP, level=2)
    assert recipe(tmp_path, BUILTIN, level=1) == recipe(tmp_path, BUILTIN, level=2)


def test_how_a_reward_is_asked_is_none(tmp_path: Path) -> None:
    patient = {"name": "judge", "http": HTTP["http"] | {"timeoutSeconds": 60, "retries": 9, "concurrency": 2}}
    assert recipe(tmp_path, patient) == recipe(tmp_path, HTTP)
    elsewhere = {"name": "judge", "http": {"url": "http://other"}}
    assert recipe(tmp_path, elsewhere) != recipe(tmp_path, HTTP)


def test_code_that_cannot_be_loaded_ends_the_run_before_rows_are_read(tmp_path: Path, code: Path) -> None:
    pipeline.load_rewards(attempt(tmp_path, KEPT, BUILTIN))
    code.write_text("import no_such_library")
    with pytest.raises(TrainerError, match=r"score \(line 1 of configmap://code/kept.py\)") as caught:
        pipeline.load_rewards(attempt(tmp_path, KEPT))
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.REWARD_FAILED, "RewardNotLoaded")
