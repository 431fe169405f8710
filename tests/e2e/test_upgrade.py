"""Upgrade, rollback, uninstall and installation around a run at work: its pod never notices."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.jobs import Namespace, Status, small
from tests.e2e.release import CHART, NAME, Release
from tests.polling import eventually

EARLIER = "0.0.1"


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The chart under the number of an earlier version."""
    chart = tmp_path / CHART.name
    shutil.copytree(CHART, chart)
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    about |= {"version": EARLIER, "appVersion": EARLIER}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
    return chart


@pytest.fixture
def release(operator: Release) -> Iterator[Release]:
    yield operator
    operator.install()  # as the other tests expect it


def step(status: Status) -> int:
    return int(status.get("progress", {}).get("step", 0))


def pods(release: Release) -> set[str]:
    """Return the operator's pods that are not going, by UID."""
    selector = f"--selector=app.kubernetes.io/instance={NAME}"
    found = json.loads(release.kubectl("get", "pods", selector, "-o", "json"))["items"]
    return {each["metadata"]["uid"] for each in found if not each["metadata"].get("deletionTimestamp")}


class Run:
    """A job at work."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        namespace.apply("long", reinforce=small()["reinforce"] | {"steps": 5000}, evaluation={"enabled": False})
        namespace.wait("long", lambda status: step(status) > 0, seconds=150)
        self._at_first = self._children()

    def _get(self, kind: str) -> Any:
        return json.loads(self._namespace.kubectl("get", kind, "--selector=reasoning-operator.io/job", "-o", "json"))

    def _children(self) -> set[tuple[str, str]]:
        kinds = "pods,jobs,configmaps,networkpolicies,persistentvolumeclaims"
        return {(each["kind"], each["metadata"]["uid"]) for each in self._get(kinds)["items"]}

    def goes_on(self) -> None:
        """Demand that all is as it was at first, that the pod works, and that it was never started anew."""
        assert self._children() == self._at_first
        (pod,) = self._get("pods")["items"]
        assert pod["status"]["phase"] == "Running"
        assert [each["restartCount"] for each in pod["status"]["containerStatuses"]] == [0]

    def is_followed(self) -> None:
        """Demand that, and that the operator hears of it."""
        before = step(self._namespace.status("long"))
        status = self._namespace.wait("long", lambda status: step(status) > before, seconds=60)
        assert (status["phase"], status["attempts"]) == ("Running", 1)
        self.goes_on()


@pytest.mark.timeout(500)
def test_a_run_notices_nothing_of_its_operator_coming_and_going(
    release: Release, earlier: Path, namespace: Namespace
) -> None:
    release.install(earlier)
    run = Run(namespace)

    release.install(replicas=2)
    run.is_followed()

    manifest, operators = release.helm("get", "manifest", NAME), pods(release)
    release.install(replicas=2)
    assert release.helm("get", "manifest", NAME) == manifest
    assert pods(release) == operators, "the same version, and other pods"

    release.helm("rollback", NAME, "--wait")
    release.wait()
    run.is_followed()

    release.helm("rollback", NAME, revision_of(release, EARLIER), "--wait")
    release.wait()
    run.is_followed()

    release.helm("uninstall", NAME, "--wait")
    seen = step(namespace.status("long"))
    run.goes_on()

    release.install()
    run.is_followed()
    namespace.patch("long", suspend=True)
    status = namespace.wait("long", lambda status: status.get("phase") == "Suspended", seconds=100)
    assert step(status) > seen
    namespace.kubectl("delete", "rtj", "long", "--cascade=foreground", "--timeout=60s")
    eventually(lambda: not namespace.kubectl("get", "jobs,pods,pvc", "--ignore-not-found"), "nothing left", 60)


def revision_of(release: Release, version: str) -> str:
    """Return the last revision of a version of the chart."""
    history = json.loads(release.helm("history", NAME, "-o", "json"))
    return str(max(each["revision"] for each in history if each["chart"] == f"{NAME}-{version}"))
