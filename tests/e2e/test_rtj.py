"""`rtj` with real pods: a run is watched while it goes, and read afterwards out of its claim."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.e2e.jobs import MODEL, Namespace
from tests.polling import eventually

from reasoning_contract.report import Artifact

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("client", "trainer_image"))}


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Client:
    """`rtj` in one namespace of the cluster."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.environment = os.environ | ENVIRONMENT | {"KUBECONFIG": str(kubeconfig)}
        self.namespace = namespace

    def command(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-u", "-m", "reasoning_client", *map(str, words), "-n", self.namespace]

    def __call__(self, *words: str | Path) -> Done:
        done = subprocess.run(
            self.command(*words), env=self.environment, capture_output=True, text=True, check=False, timeout=240
        )
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def rtj(cluster: Path, namespace: Namespace) -> Client:
    namespaced = json.loads(namespace.kubectl("get", "serviceaccount", "default", "-o", "json"))
    return Client(cluster, namespaced["metadata"]["namespace"])


@pytest.mark.timeout(600)
def test_a_run_is_watched_while_it_goes_and_read_afterwards(rtj: Client, namespace: Namespace, tmp_path: Path) -> None:
    namespace.apply("whole", storage={"size": "1Gi", "retain": False})
    with subprocess.Popen(
        rtj.command("watch", "whole", "--timeout", "500"), env=rtj.environment, stdout=subprocess.PIPE, text=True
    ) as watching:
        namespace.wait("whole", lambda status: status.get("stage") == "reinforce", 240)
        # of the pod that trains: no other is started
        early = rtj("report", "whole", "--no-open", "--file", tmp_path / "early.html")
        assert early.code == 0, early.err
        assert "starting pod" not in early.err
        assert rtj("logs", "whole", "--tail", "1").out
        output, _ = watching.communicate(timeout=400)
    assert watching.returncode == 0, output
    assert "reinforce" in output
    assert output.splitlines()[-1].startswith("Succeeded")

    target = tmp_path / "whole"
    done = rtj("download", "whole", "--to", target)
    assert done.code == 0, done.err
    status = namespace.status("whole")
    for artifact in map(Artifact.model_validate, status["artifacts"]):
        assert artifact.sha256 in done.out
        assert list((target / "artifacts" / artifact.kind).iterdir())
    again = rtj("download", "whole", "lora", "--only", "--to", target)
    assert again.code == 0, again.err
    assert "accuracy" in (target / "report.html").read_text("utf-8")
    shown = json.loads(rtj("samples", "whole", "--model", "base", "-c", "2", "-o", "json").out)
    assert [each["model"] for each in shown] == ["base", "base"]
    eventually(
        lambda: namespace.kubectl("get", "pods", "-l", "app.kubernetes.io/name=reasoning-reader", "-o", "name") == "",
        "the readers' end",
    )
    assert json.loads(rtj("why", "whole", "-o", "json").out)[0]["level"] == "ok"


@pytest.mark.timeout(300)
def test_a_failed_job_is_explained(rtj: Client, namespace: Namespace) -> None:
    namespace.apply("broken", model={"source": f"{MODEL}-not-there", "maxSequenceLength": 128})
    failure = namespace.wait_for_failure("broken")["failure"]
    assert rtj("watch", "broken").code == 7
    (first, *_) = json.loads(rtj("why", "broken", "-o", "json").out)
    assert first["what"] == f"it failed: {failure['reason']}"
    told, _, command = first["fix"].rpartition(": ")
    assert failure["hint"].startswith(told)
    where = namespace.kubectl("get", "rtj", "broken", "-o", "jsonpath={.metadata.namespace}")
    assert command == f"rtj retry broken -n {where}"
