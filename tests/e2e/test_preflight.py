"""The preflight in a real pod: what it finds holds the training back, and is mended on the same object."""

from __future__ import annotations

import pytest
from tests.e2e.jobs import Namespace, Status, small
from tests.polling import eventually


def verdict(status: Status) -> str | None:
    found = (each["status"] for each in status.get("conditions", []) if each["type"] == "PreflightPassed")
    return next(found, None)


@pytest.mark.timeout(500)
def test_a_wrong_pattern_is_told_before_training_and_mended_on_the_same_object(namespace: Namespace) -> None:
    data, guards = small()["data"], small()["guards"] | {"preflight": {"enabled": True}}
    wrong = data | {"train": data["train"] | {"answerPattern": "#### (.*)"}}
    namespace.apply("checked", data=wrong, guards=guards)

    def failed() -> Status | None:
        status = namespace.status("checked")
        return status if verdict(status) == "False" else None

    told = eventually(failed, lambda: f"the verdict: {namespace.status('checked')}", 120)
    assert told["phase"] == "Preflight"
    assert told["failure"]["reason"] == "AnswerPatternUnmatched"
    assert "does not match in 64 of 64 rows" in told["failure"]["message"]
    assert "checked-train" not in namespace.kubectl("get", "jobs", "-o", "name")

    namespace.patch("checked", data={"train": {"answerPattern": None}})
    done = namespace.wait("checked", lambda status: status.get("phase") == "Succeeded", seconds=300)
    assert verdict(done) == "True"
