"""MLflow's tracking server."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from reasoning_contract.spec import Tracking

from .sink import Identity

LABEL = "reasoning-operator.run"
"""Tag that attempts find the run by."""
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "20", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""Of the library's own, 120 s and 7 times, a step would wait a quarter of an hour for a server that does not answer."""


class MLflow:
    """A run that attempts go on with by its tag."""

    settles = True

    def __init__(self, settings: Tracking, identity: Identity) -> None:
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        from mlflow.entities import Metric
        from mlflow.tracking import MlflowClient

        if settings.mlflow is None:
            raise AssertionError("there are settings where there is a tracker")
        self._metric = Metric
        self._client = MlflowClient(settings.mlflow.url)
        experiment = self._client.get_experiment_by_name(settings.project)
        number = experiment.experiment_id if experiment else self._client.create_experiment(settings.project)
        known = self._client.search_runs([number], f"tags.`{LABEL}` = '{identity.run}'", max_results=1)
        run = known[0] if known else self._client.create_run(number, tags={LABEL: identity.run})
        self._run = run.info.run_id
        self._client.update_run(self._run, status="RUNNING", name=identity.title)

    def log(self, group: str, step: int, figures: Mapping[str, float]) -> None:
        """Send figures."""
        moment = int(time.time() * 1000)
        metrics = [self._metric(f"{group}/{name}", value, moment, step) for name, value in figures.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def close(self, *, done: bool) -> None:
        """Say how it ended."""
        self._client.set_terminated(self._run, "FINISHED" if done else "KILLED")
