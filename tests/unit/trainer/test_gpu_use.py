"""The GPU's use over a step. The GPU is a fake."""

from __future__ import annotations

from threading import Event

import pytest

from reasoning_trainer.reporting import gpu_use
from reasoning_trainer.reporting.gpu_use import GpuUse

WAIT_SECONDS = 30


class FakeGpu:
    """Tells its use when it is let."""

    def __init__(self, *told: float) -> None:
        self._told = iter(told)
        self.said: list[str] = []
        self.all_told = Event()

    def ask(self) -> float:
        for percent in self._told:
            return percent
        self.all_told.set()
        raise RuntimeError("not supported")


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_use, "INTERVAL_SECONDS", 0.001)


def test_mean_of_what_was_told_since_it_was_taken() -> None:
    gpu = FakeGpu(40, 100, 100)
    use = GpuUse(gpu.ask, gpu.said.append)
    use.start()
    assert gpu.all_told.wait(WAIT_SECONDS)
    use.stop()
    assert use.take() == 80
    assert use.take() is None


def test_gpu_that_tells_nothing_is_said_once() -> None:
    gpu = FakeGpu()
    use = GpuUse(gpu.ask, gpu.said.append)
    use.start()
    assert gpu.all_told.wait(WAIT_SECONDS)
    use.stop()
    assert use.take() is None
    assert gpu.said == ["the GPU's use is not reported: RuntimeError: not supported"]
