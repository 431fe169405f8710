"""Specs that change in real pods: a rate in mid-run, and a job that failed, mended and trained in the same folder."""

from __future__ import annotations

import pytest
from tests.e2e.jobs import Namespace, Status, small
from tests.polling import eventually

from reasoning_contract.api import RETRY


def applied(status: Status) -> str | None:
    found = (each["message"] for each in status.get("conditions", []) if each["type"] == "SpecApplied")
    return next(found, None)


@pytest.mark.timeout(600)
def test_a_changed_rate_is_taken_over_by_a_pod_that_goes_on_from_the_checkpoint(namespace: Namespace) -> None:
    longer = small()["reinforce"] | {"steps": 60}
    namespace.apply("rate", reinforce=longer, limits={"maxAttempts": 1})
    namespace.wait("rate", lambda status: (status.get("lastCheckpoint") or {}).get("stage") == "reinforce", seconds=240)
    namespace.patch("rate", reinforce={"learningRate": 2e-5, "steps": 16})
    told = namespace.wait("rate", applied)
    assert "reinforce.learningRate: 1e-05 -> 2e-05" in (applied(told) or "")
    done = namespace.wait("rate", lambda status: status.get("phase") == "Succeeded", seconds=300)
    (change,) = done["specChanges"]
    assert change["stage"] == "reinforce"
    assert change["step"] == done["resumedFromStep"] > 0
    assert "reinforce.steps: 60 -> 16" in change["changed"]
    assert done["attempts"] == 2


@pytest.mark.timeout(600)
def test_a_failed_job_is_mended_and_trained_in_the_same_folder(namespace: Namespace) -> None:
    data = small()["data"]
    namespace.apply("mended", data=data | {"train": data["train"] | {"answerPattern": "#### (.*)"}})
    failed = namespace.wait_for_failure("mended")
    assert f"kubectl annotate rtj mended --overwrite {RETRY}=1" in failed["failure"]["hint"]
    namespace.patch("mended", data={"train": {"answerPattern": None}})
    namespace.kubectl("annotate", "rtj", "mended", "--overwrite", f"{RETRY}=1")
    eventually(
        lambda: namespace.status("mended").get("phase") != "Failed", lambda: f"{namespace.status('mended')}", 120
    )
    done = namespace.wait("mended", lambda status: status.get("phase") == "Succeeded", seconds=300)
    assert done["storage"]["path"] == failed["storage"]["path"]
    assert (done["retry"], done["attempts"]) == ("1", 2)
