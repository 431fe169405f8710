"""How busy the GPU is: asked by a thread twice a second, averaged over a step."""

from __future__ import annotations

import threading
from collections.abc import Callable

INTERVAL_SECONDS = 0.5
"""NVML itself looks back over a sixth of a second to a second."""
PATIENCE_SECONDS = 1.0
"""How long the end of training waits for an answer: a driver that hangs must not hold it up."""


class GpuUse:
    """Asks until it is stopped.

    Parameters
    ----------
    ask
        Returns the use of this moment, percent: ``torch.cuda.utilization``.
    say
        Prints a line for people, if the use cannot be told: a part of a GPU (MIG) has none, for one.
    """

    def __init__(self, ask: Callable[[], float], say: Callable[[str], None]) -> None:
        self._ask, self._say = ask, say
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._sum, self._count = 0.0, 0
        self._thread = threading.Thread(target=self._watch, name="gpu-use", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def take(self) -> float | None:
        """Return the mean since it was taken last, percent; None if nothing was told since."""
        with self._lock:
            mean = self._sum / self._count if self._count else None
            self._sum, self._count = 0.0, 0
        return mean

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()
        self._thread.join(PATIENCE_SECONDS)

    def _watch(self) -> None:
        while not self._stopped.wait(INTERVAL_SECONDS):
            try:
                percent = self._ask()
            except Exception as error:  # NVML's own errors, and what its Python module raises without it
                self._say(f"the GPU's use is not reported: {type(error).__name__}: {error}")
                return
            with self._lock:
                self._sum, self._count = self._sum + percent, self._count + 1
