"""Who owns `suspend`, and that the operator leaves it to them."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from tests.unit.operator.objects import NOW, SETTINGS, batch_job, rtj, training_job

from reasoning_operator.acceptance import accept
from reasoning_operator.children import config, network_policy, volume
from reasoning_operator.children import training_job as batch
from reasoning_operator.model import Json, Observed
from reasoning_operator.plan import plan
from reasoning_operator.suspension import owner, wanted


def queued(*, suspended: bool) -> Json:
    """Return a batch/v1 Job that a queue of Kueue's admits."""
    job = copy.deepcopy(batch_job(batch.build(training_job(), SETTINGS)))
    job["metadata"]["labels"] |= {"kueue.x-k8s.io/queue-name": "team-a"}
    job["spec"]["suspend"] = suspended
    return job


def test_owner_is_the_user_unless_the_job_is_in_a_queue() -> None:
    assert owner(batch_job(batch.build(training_job(), SETTINGS))) == "user"
    assert owner(queued(suspended=True)) == "queue"


@pytest.mark.parametrize("asked", [True, False])
def test_wish_of_the_user_is_what_is_wanted(asked: bool) -> None:
    assert wanted(rtj(suspend=asked), batch_job(batch.build(training_job(), SETTINGS))) is asked
    assert wanted(rtj(suspend=asked), queued(suspended=True)) is None


@pytest.mark.parametrize("suspended", [True, False])
@pytest.mark.parametrize("refused", [{}, {"queue": {"name": "a"}}], ids=["accepted", "refused"])
def test_what_a_queue_decides_is_not_undone(suspended: bool, refused: Json) -> None:
    job = training_job()
    whole = Observed(
        job=rtj({"phase": "Starting"}),
        batch_job=queued(suspended=suspended),
        claim=volume.build(job),
        config_map=config.build(job),
        network_policy=network_policy.build(job, SETTINGS),
    )
    observed = replace(whole, job=rtj({"phase": "Starting"}, **refused))
    assert plan(observed, accept(observed, SETTINGS), SETTINGS, NOW).patch == ()
