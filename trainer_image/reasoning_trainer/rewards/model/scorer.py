"""Scores batches by a reward model, whose weights are loaded once, when the first batch comes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from reasoning_contract.spec import ModelReward

from ..batch import Batch
from ..completion import Conversation
from ..failures import Failures
from .files import config_of


class Classifier(Protocol):
    """A model that is loaded."""

    def score(self, pairs: list[tuple[str | Conversation, str | Conversation]]) -> list[float]:
        """Return the score of each prompt with its completion, as the model gives it."""


Load = Callable[[str, Path, ModelReward, str], Classifier]
"""Loads a reward's model by name, folder, settings and device."""


def load(name: str, folder: Path, settings: ModelReward, device: str) -> Classifier:
    """Load it with Transformers."""
    from .classifier import SequenceClassifier

    return SequenceClassifier(name, folder, settings, device)


class ModelScorer:
    """Reads prompts and completions in batches of its own.

    Parameters
    ----------
    name
        Name of the reward.
    settings
        Its settings.
    fetch
        Brings the model's files, and returns their folder.
    device
        Where it is loaded: `cpu`, or the GPU.
    failures
        Watches over what cannot be scored.
    """

    def __init__(
        self,
        name: str,
        settings: ModelReward,
        fetch: Callable[[], Path],
        device: str,
        failures: Failures,
        load: Load = load,
    ) -> None:
        self.name = name
        self._settings, self._fetch, self._device, self._failures = settings, fetch, device, failures
        self._load = load
        self._model: Classifier | None = None

    def start(self) -> None:
        """Bring the files and look at them; the weights stay where they are.

        Raises
        ------
        TrainerError
            If they cannot be had, or are those of another kind of model.
        """
        config_of(self.name, self._fetch())

    def score(self, batch: Batch, deadline: float) -> list[float | None]:
        """Return the model's scores; None for what it gives no finite number for, or what the deadline leaves over.

        Raises
        ------
        TrainerError
            If the model cannot be loaded, or more fails than `guards.unscored` lets pass.
        """
        if self._model is None:
            self._model = self._load(self.name, self._fetch(), self._settings, self._device)
        texts = list(zip(batch.prompts, batch.completions, strict=True))
        # those of like length together, so that little is padding
        lengths = [len(text) for text in batch.completion_texts]
        order = sorted(range(len(texts)), key=lengths.__getitem__, reverse=True)
        scores: list[float | None] = [None] * len(texts)
        size = self._settings.batch_size
        for start in range(0, len(order), size):
            if start and time.monotonic() > deadline:
                break
            rows = order[start : start + size]
            for row, score in zip(rows, self._model.score([texts[row] for row in rows]), strict=True):
                scores[row] = score if math.isfinite(score) else None
        missing = scores.count(None)
        told = [f"its model gives {missing} of {len(scores)} completions no number"] if missing else []
        self._failures.take(scores, told)
        return scores

    def close(self) -> None:
        """Give its memory back."""
        self._model = None
