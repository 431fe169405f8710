"""vLLM's look at a model ahead of time. What looks is a stand-in for vLLM: a package that keeps a file as it does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reasoning_trainer.storage import engine_inspection

REGISTRY = """
import os, pathlib
class Seen:
    def inspect_model_cls(self):
        assert _run_in_subprocess(lambda: 7) == 7, "another process was begun"
        cache = pathlib.Path(os.environ["VLLM_CACHE_ROOT"], "modelinfos")
        cache.mkdir(parents=True, exist_ok=True)
        (cache / "vllm-model_executor-models-llama-LlamaForCausalLM.json").write_text("{}")
def _run_in_subprocess(look):
    raise RuntimeError("the engine's own way")
class ModelRegistry:
    models = {"LlamaForCausalLM": Seen()}
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model's folder, with the stand-in where Python finds it and an empty cache."""
    package = tmp_path / "libraries/vllm/model_executor/models"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    (package / "registry.py").write_text(REGISTRY)
    paths = [str(tmp_path / "libraries"), str(Path(__file__).parents[3] / "trainer_image")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("VLLM_CACHE_ROOT", str(tmp_path / "cache"))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    return folder


def test_what_was_seen_is_there_when_the_block_ends(model: Path, tmp_path: Path) -> None:
    said: list[str] = []
    with engine_inspection.begun(model, said.append):
        pass
    assert list((tmp_path / "cache/modelinfos").iterdir())
    assert said == []


def test_a_look_that_fails_is_said_and_harms_nothing(model: Path, tmp_path: Path) -> None:
    (tmp_path / "libraries/vllm/model_executor/models/registry.py").write_text("raise ImportError('no libcudart')")
    said: list[str] = []
    with engine_inspection.begun(model, said.append):
        pass
    assert said == [
        "vLLM's look at LlamaForCausalLM ahead of time failed, and is taken again: ImportError: no libcudart"
    ]


@pytest.mark.parametrize("config", ["{}", '{"architectures": null}', None])
def test_a_model_that_names_no_class_is_not_looked_at(
    model: Path, config: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (model / "config.json").unlink() if config is None else (model / "config.json").write_text(config)
    monkeypatch.setattr(engine_inspection, "COMMAND", ("false",))
    said: list[str] = []
    with engine_inspection.begun(model, said.append):
        pass
    assert said == []


def test_a_class_that_is_known_is_not_looked_at_again(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with engine_inspection.begun(model, print):
        pass
    monkeypatch.setattr(engine_inspection, "COMMAND", ("false",))
    said: list[str] = []
    with engine_inspection.begun(model, said.append):
        pass
    assert said == []


def test_a_look_ends_with_what_it_was_taken_beside(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_inspection, "COMMAND", ("tail", "-f", "/dev/null"))
    with pytest.raises(ZeroDivisionError), engine_inspection.begun(model, print):
        raise ZeroDivisionError


@pytest.mark.parametrize("config", ["{", "[]", '{"architectures": "LlamaForCausalLM"}', "\udcff", None])
def test_a_model_that_does_not_say_what_it_is_is_left_to_its_loader(model: Path, config: str | None) -> None:
    (model / "config.json").unlink()
    if config is not None:
        (model / "config.json").write_bytes(config.encode("utf-8", "surrogateescape"))
    said: list[str] = []
    with engine_inspection.begun(model, said.append):
        pass
    assert said == []
