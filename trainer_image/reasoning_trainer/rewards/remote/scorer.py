"""Scores batches by a service."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from ..batch import Batch
from ..failures import Failures
from ..json_values import arguments_of
from .http import Service, ServiceError

GENERATED = ("prompts", "completions", "completion_ids")


class HttpScorer:
    """Posts each batch, whole or in parts that are sent at once.

    Parameters
    ----------
    name
        Name of the reward.
    service
        Where it is posted.
    parts
        Into how many requests it is divided.
    failures
        Watches over what cannot be scored.
    """

    def __init__(self, name: str, service: Service, parts: int, failures: Failures) -> None:
        self.name = name
        self._service, self._parts, self._failures = service, parts, failures
        self._senders = ThreadPoolExecutor(parts, thread_name_prefix=name)

    def start(self) -> None:
        """Do nothing: the first batch shows whether the service is there."""

    def score(self, batch: Batch, deadline: float) -> list[float | None]:
        """Post the batch; what no request scored in time stays unscored.

        Raises
        ------
        TrainerError
            If more fails than `guards.unscored` lets pass.
        """
        arguments = arguments_of(batch)
        problems: list[str] = []

        def ask(rows: range) -> list[float | None]:
            try:
                return self._service.score(self._document(arguments, rows), len(rows), deadline)
            except ServiceError as error:
                problems.append(str(error))
                return [None] * len(rows)

        scores = [score for part in self._senders.map(ask, divide(len(batch), self._parts)) for score in part]
        self._failures.take(scores, problems)
        return scores

    def close(self) -> None:
        """End the threads that send."""
        self._senders.shutdown(cancel_futures=True)

    def _document(self, arguments: dict[str, list[Any]], rows: range) -> dict[str, Any]:
        chosen = {name: column[rows.start : rows.stop] for name, column in arguments.items()}
        generated = {name: chosen.pop(name) for name in GENERATED if name in chosen}
        return {"reward": self.name, **generated, "columns": chosen}


def divide(rows: int, parts: int) -> Sequence[range]:
    """Return ranges of rows, as even as they can be; none is empty."""
    bounds = [rows * number // parts for number in range(parts + 1)]
    return [range(start, stop) for start, stop in pairwise(bounds) if stop > start]
