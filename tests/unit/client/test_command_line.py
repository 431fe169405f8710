"""The commands that need no cluster, what all of them say of themselves, and what they say where there is none."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import typer
import yaml
from tests.manifests import TABLE, merge
from tests.unit.client.command_line import rtj

from reasoning_client import local
from reasoning_client.cli.main import app
from reasoning_client.errors import Exit

ROOT = Path(__file__).parents[3]
GROUP = typer.main.get_command(app)
COMMANDS = sorted(GROUP.commands)  # type: ignore[attr-defined]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = rtj(command, "--help")
    assert done.code == 0
    assert re.search(rf"Examples:\s+(rtj|kubectl rtj|helm .* \| rtj) {command}|rtj {command}", done.out)


def test_the_documents_name_every_command_and_exit_code() -> None:
    text = (ROOT / "docs/rtj.md").read_text("utf-8")
    assert re.findall(r"^\| `rtj ([a-z-]+)", text, re.MULTILINE) == list(GROUP.commands)  # type: ignore[attr-defined]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == {int(code) for code in Exit}


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["watch", "x"],
        ["logs", "x"],
        ["why", "x"],
        ["report", "x", "--no-open"],
        ["samples", "x"],
        ["compare", "x", "y"],
        ["suspend", "x"],
        ["resume", "x"],
        ["retry", "x"],
        ["cancel", "x", "-y"],
        ["download", "x"],
        ["apply", str(EXAMPLES[0])],
    ],
    ids=lambda words: words[0],
)
def test_without_a_cluster_each_command_says_how_to_name_one(words: list[str]) -> None:
    done = rtj(*words)
    assert done.code == Exit.NO_CLUSTER
    assert "KUBECONFIG" in done.err


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT / "examples")))
def test_every_example_is_valid(path: Path) -> None:
    assert rtj("validate", str(path)).code == 0


@pytest.mark.parametrize("row", TABLE["bad"], ids=lambda row: row["name"])
def test_what_the_api_server_refuses_is_not_valid(row: dict[str, object]) -> None:
    document = {"apiVersion": "reasoning-operator.io/v1alpha1", "kind": "ReasoningTrainingJob"}
    document |= {"metadata": {"name": "x"}, "spec": merge(TABLE["good"], row["patch"])}
    done = rtj("validate", "-", "-o", "json", stdin=json.dumps(document))
    assert done.code == Exit.INVALID
    assert json.loads(done.out)[0]["faults"]


def test_a_fault_is_told_with_its_field(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text((ROOT / "examples/minimal.yaml").read_text().replace("rewards:", "reward:"))
    done = rtj("validate", str(path))
    assert done.code == Exit.INVALID
    assert "spec.reward:" in done.out


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [", "cannot be read"), ("kind: ConfigMap", "holds no object of kind"), ("- 1", "is no object")],
)
def test_what_is_no_manifest_is_told_so(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(text)
    done = rtj("validate", str(path))
    assert done.code == Exit.INVALID
    assert words in done.err


@pytest.mark.parametrize("kind", ["math", "multiple-choice", "code", "preferences"])
@pytest.mark.parametrize("gpus", ["0", "1"])
def test_init_writes_a_manifest_that_is_valid(tmp_path: Path, kind: str, gpus: str) -> None:
    path = tmp_path / "job.yaml"
    answers = ["--model", "Qwen/Qwen3-4B-Base", "--data", "openai/gsm8k", "--kind", kind, "--gpus", gpus]
    assert rtj("init", str(path), *answers).code == 0
    assert rtj("validate", str(path)).code == 0
    assert yaml.safe_load(path.read_text())["spec"]["model"] == {"source": "hf://Qwen/Qwen3-4B-Base"}


def test_the_answers_that_init_offers_name_a_data_set_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    assert rtj("init", str(path), stdin="\n\n\n\n").code == 0
    train = yaml.safe_load(path.read_text())["spec"]["data"]["train"]
    assert (train["config"], train["answerPattern"]) == ("main", "#### (.*)")


def test_init_does_not_write_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("mine")
    answers = ["--model", "a/b", "--data", "c/d", "--kind", "math", "--gpus", "1"]
    assert rtj("init", str(path), *answers).code == Exit.REFUSED
    assert path.read_text() == "mine"


CONFIG = {
    "num_hidden_layers": 36,
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "vocab_size": 151936,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "tie_word_embeddings": True,
}


def test_an_estimate_tells_steps_hours_price_and_memory(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    manifest = str(ROOT / "examples/minimal.yaml")
    options = ["--model-config", str(config), "--step-seconds", "36", "--price", "2", "-o", "json"]
    found = json.loads(rtj("estimate", manifest, *options).out)
    assert (found["steps"], found["completions"]) == ("250", "2,000")
    assert (found["GPU-hours of RL"], found["price of RL"]) == ("2.50", "5.00")
    assert "fits on a GPU of" in found["memory"]


def test_an_estimate_counts_what_is_measured_before_rl(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    options = ["--model-config", str(config), "-o", "json"]
    found = json.loads(rtj("estimate", str(ROOT / "examples/data/difficulty.yaml"), *options).out)
    assert found["completions before RL, at the most"] == "16,000"


def test_an_estimate_does_not_make_up_the_seconds_of_a_step(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    done = rtj("estimate", str(ROOT / "examples/minimal.yaml"), "--model-config", str(config))
    assert "not known: give --step-seconds" in done.out


def test_a_training_here_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "missing", lambda names: ["torch", "trl"])
    done = rtj("run", "--local", str(ROOT / "examples/minimal.yaml"))
    assert done.code == Exit.NOT_FOUND
    assert "torch, trl" in done.err
    assert "pip install" in done.err


@pytest.mark.parametrize(
    ("example", "library"), [("minimal.yaml", "datasets"), ("data/reasoning-gym.yaml", "reasoning_gym")]
)
def test_rewards_tried_here_say_what_reads_their_rows(
    example: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "missing", lambda names: [each for each in names if each == library])
    done = rtj("try-rewards", str(ROOT / "examples" / example))
    assert done.code == Exit.NOT_FOUND
    assert library in done.err
    assert "'.[client,trainer]'" in done.err


def test_rewards_are_tried_here(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    done = rtj("try-rewards", str(ROOT / "tests/unit/client/rewards.yaml"))
    assert done.code == 0
    assert "correct" in capfd.readouterr().out


def test_an_unknown_command_is_a_usage_error() -> None:
    assert rtj("wotch").code == Exit.USAGE


def test_the_shells_completion_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    # which shell it is typer tells by the processes around it, and tests may have none
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")
    done = rtj("--show-completion")
    assert done.code == 0
    assert "complete" in done.out


def test_versions_are_told_without_a_cluster() -> None:
    done = rtj("version", "-o", "json")
    assert done.code == 0
    assert json.loads(done.out)["operator"]["fits"] is None
