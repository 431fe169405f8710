"""Jobs from Python, as far as they need no cluster; the cluster here is a fake that remembers what it was asked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from kubernetes.client import ApiException

from reasoning_client import ClientError, Job, JobFailedError
from reasoning_client.errors import Exit
from reasoning_client.exec import _body as exec_body
from reasoning_contract.spec import Model, Reinforce

EXAMPLE = Path(__file__).parents[3] / "examples/minimal.yaml"
PARTS: dict[str, Any] = {
    "model": {"source": "hf://a/b"},
    "data": {"train": {"source": "hf://c/d"}, "heldOut": {"fraction": 0.1}},
    "rewards": [{"name": "correct", "builtin": "correctness"}],
}


class FakeCluster:
    """Shows a job in one state after the other, and keeps what is asked of it."""

    namespace = "demo"

    def __init__(self, *statuses: dict[str, Any]) -> None:
        self.statuses = statuses
        self.asked: list[tuple[Any, ...]] = []

    def follow(self, name: str, timeout: float) -> Iterator[dict[str, Any]]:
        for number, status in enumerate(self.statuses):
            yield {"metadata": {"name": name, "resourceVersion": str(number)}, "status": status}

    def apply(self, document: dict[str, Any], **options: bool) -> None:
        self.asked.append(("apply", document["kind"], options))

    def apply_config_map(self, document: dict[str, Any], **options: bool) -> None:
        self.asked.append(("apply", document["kind"], options))

    def patch(self, name: str, change: dict[str, Any]) -> None:
        self.asked.append(("patch", name, change))

    def delete(self, name: str) -> None:
        self.asked.append(("delete", name))


def job(*statuses: dict[str, Any]) -> tuple[Job, FakeCluster]:
    made, cluster = Job("sums", **PARTS), FakeCluster(*statuses)
    made._cluster = cluster  # type: ignore[assignment]
    return made, cluster


def test_a_job_of_dictionaries_and_one_of_models_are_the_same() -> None:
    typed = Job("x", **PARTS | {"model": Model(source="hf://a/b"), "reinforce": Reinforce(steps=9)})
    plain = Job("x", **PARTS, reinforce={"steps": 9})
    assert typed.document == plain.document
    assert plain.document["spec"] == PARTS | {"reinforce": {"steps": 9}}


def test_a_wrong_field_is_told_at_once() -> None:
    with pytest.raises(ClientError, match=r"spec\.reinforce\.stepz") as error:
        Job("x", **PARTS, reinforce={"stepz": 9})
    assert error.value.code == Exit.INVALID
    with pytest.raises(ClientError, match=r"metadata\.name"):
        Job("No Name", **PARTS)


def test_a_manifest_is_read_and_written_back_as_it_was() -> None:
    read = Job.from_yaml(EXAMPLE)
    assert yaml.safe_load(read.to_yaml()) == yaml.safe_load(EXAMPLE.read_text())
    assert Job.from_yaml(read.to_yaml()).document == read.document


def test_config_maps_are_applied_before_the_job() -> None:
    text = "kind: ConfigMap\nmetadata: {name: rows}\n---\n" + EXAMPLE.read_text()
    made, cluster = Job.from_yaml(text), FakeCluster()
    made._cluster = cluster  # type: ignore[assignment]
    made.apply(dry_run=True)
    options = {"dry_run": True, "force": False}
    assert cluster.asked == [("apply", "ConfigMap", options), ("apply", "ReasoningTrainingJob", options)]


def test_wait_returns_the_status_of_a_job_that_succeeded() -> None:
    made, _ = job({"phase": "Running"}, {"phase": "Succeeded", "attempts": 1})
    assert made.wait().attempts == 1


def test_wait_raises_for_a_job_that_failed_and_has_its_status() -> None:
    failure = {"reason": "DataInvalid", "message": "no rows", "hint": "give some"}
    made, _ = job({"phase": "Failed", "failure": failure})
    with pytest.raises(JobFailedError, match="DataInvalid: no rows") as error:
        made.wait()
    assert error.value.hint == "give some"
    assert error.value.status.phase == "Failed"


def test_wait_gives_up_when_the_time_is_over() -> None:
    made, _ = job({"phase": "Running"})
    with pytest.raises(ClientError, match="had not ended") as error:
        made.wait(timeout=0.01)
    assert error.value.code == Exit.TIMED_OUT


def test_suspend_resume_retry_and_delete_ask_for_it() -> None:
    made, cluster = job()
    made.suspend()
    made.resume()
    made.retry()
    made.delete()
    changes = [asked[-1] for asked in cluster.asked]
    assert changes[:2] == [{"spec": {"suspend": True}}, {"spec": {"suspend": False}}]
    assert list(changes[2]["metadata"]["annotations"]) == ["reasoning-operator.io/retry"]
    assert cluster.asked[3] == ("delete", "sums")


def test_a_job_without_a_cluster_draws_its_manifest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    assert "ReasoningTrainingJob" in Job("x", **PARTS)._repr_html_()


def test_a_drawing_brings_its_font_and_no_background_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    drawn = Job("x", **PARTS)._repr_html_()
    assert "monospace" in drawn, "boxes of another font fall apart"
    assert "background-color" not in drawn, "black on black, on a light page"


class FakeNotebook(ModuleType):
    """Stands in for IPython.display: remembers what a cell showed."""

    def __init__(self) -> None:
        super().__init__("IPython.display")
        self.shown: list[str] = []

    def HTML(self, text: str) -> str:  # noqa: N802 - IPython's own name
        return text

    def display(self, first: str, *, display_id: bool) -> FakeNotebook:
        assert display_id
        return self

    def update(self, text: str) -> None:
        self.shown.append(text)


def test_watch_draws_anew_in_one_cell_of_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = FakeNotebook()
    monkeypatch.setitem(sys.modules, "IPython.display", notebook)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    made, _ = job({"phase": "Running"}, {"phase": "Succeeded"})
    assert made.watch().phase == "Succeeded"
    assert ["Running" in notebook.shown[0], "Succeeded" in notebook.shown[-1]] == [True, True]


def test_watch_of_a_job_that_is_not_there_draws_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    made, cluster = job()

    def gone(name: str, timeout: float) -> Iterator[dict[str, Any]]:
        raise ClientError(f"there is no ReasoningTrainingJob {name}")
        yield {}

    cluster.follow = gone  # type: ignore[method-assign]
    with pytest.raises(ClientError, match="there is no"):
        made.watch()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("body", ["{answer}", "b'{answer}'"])
def test_refused_handshake_is_told_in_the_words_of_the_api_server(body: str) -> None:
    answer = '{"kind":"Status","message":"pod x does not have a host assigned"}'
    text = f"Handshake status 400 Bad Request -+-+- {{'audit-id': '4'}} -+-+- {body.format(answer=answer)}"
    assert exec_body(ApiException(status=0, reason=text)) == answer
