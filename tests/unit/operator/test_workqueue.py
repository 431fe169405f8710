"""The queue: one worker a key, nothing lost, failures spaced out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from reasoning_operator import workqueue
from reasoning_operator.workqueue import RetryError, WorkQueue

Work = Callable[[str], Awaitable[float | None]]


def serve(work: Work, scenario: Callable[[WorkQueue[str]], Awaitable[None]], workers: int = 4) -> None:
    """Run a queue for as long as a scenario takes."""

    async def main() -> None:
        queue = WorkQueue(work, workers)
        server = asyncio.create_task(queue.run())
        async with asyncio.timeout(10):
            await scenario(queue)
        server.cancel()

    asyncio.run(main())


def test_key_that_is_added_often_is_worked_on_once() -> None:
    done: list[str] = []
    finished = asyncio.Event()

    async def work(key: str) -> None:
        done.append(key)
        if key == "last":
            finished.set()

    async def scenario(queue: WorkQueue[str]) -> None:
        for key in ("a", "a", "a", "b", "a", "last"):
            queue.add(key)
        await finished.wait()

    serve(work, scenario, workers=1)
    assert done == ["a", "b", "last"]


def test_key_is_never_worked_on_twice_at_once_and_again_if_added_meanwhile() -> None:
    active, runs, most = 0, 0, 0
    started, go_on, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(_: str) -> None:
        nonlocal active, runs, most
        active, runs = active + 1, runs + 1
        most = max(most, active)
        started.set()
        await go_on.wait()
        active -= 1
        if runs == 2:
            finished.set()

    async def scenario(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await started.wait()
        queue.add("a")
        queue.add("a")
        go_on.set()
        await finished.wait()

    serve(work, scenario)
    assert (runs, most) == (2, 1)


@pytest.mark.parametrize("error", [RetryError("the server is away"), ValueError("a defect")])
def test_failure_is_tried_again_and_does_not_stop_others(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workqueue, "FIRST_BACKOFF_SECONDS", 0.001)
    attempts: list[str] = []
    finished = asyncio.Event()

    async def work(key: str) -> None:
        attempts.append(key)
        if key == "bad" and attempts.count("bad") < 4:
            raise error
        if attempts.count("bad") == 4:
            finished.set()

    async def scenario(queue: WorkQueue[str]) -> None:
        queue.add("bad")
        queue.add("good")
        await finished.wait()

    serve(work, scenario, workers=1)
    assert attempts.count("good") == 1


def test_backoff_doubles_up_to_a_limit_and_success_resets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda _, high: high)
    queue: WorkQueue[str] = WorkQueue(None, 1)  # type: ignore[arg-type]
    pauses = [queue._backoff("a") for _ in range(12)]
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == workqueue.LAST_BACKOFF_SECONDS


def test_pause_that_work_asks_for_is_kept() -> None:
    runs = 0
    finished = asyncio.Event()

    async def work(_: str) -> float | None:
        nonlocal runs
        runs += 1
        if runs == 3:
            finished.set()
            return None
        return 0.001

    async def scenario(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await finished.wait()

    serve(work, scenario)
    assert runs == 3


def test_later_pause_takes_the_place_of_the_earlier() -> None:
    done: list[str] = []
    finished = asyncio.Event()

    async def work(key: str) -> None:
        done.append(key)
        finished.set()

    async def scenario(queue: WorkQueue[str]) -> None:
        queue.add_after("a", 3600)
        queue.add_after("a", 0.001)
        await finished.wait()

    serve(work, scenario)
    assert done == ["a"]
