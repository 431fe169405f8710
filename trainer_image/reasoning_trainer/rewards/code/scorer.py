"""Scores programs by the tests that they pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from reasoning_contract.spec import ChatTemplate, RewardParams

from ..batch import Batch
from ..box import Box
from ..box_errors import of_box
from ..completion import final_answer
from ..failures import Failures
from .boxes import BoxFailedError, BrokenTestsError, CheckerBox, ProgramBox
from .cases import Case, InputOutput, read_cases, same_output
from .program import program_of

DEFAULT_COLUMN, ENTRY = "tests", "entry_point"
DEFAULT_SECONDS = 5.0
WORKERS = 2
PER_ROW = 4
"""How often `secondsPerTest` goes into the time that a program has for all tests of its row."""
HANGS = 2
"""Tests that may take too long: after so many the others count as not passed, for they would too."""
MEMORY = 512 * 2**20
"""Bytes that a program may map."""


class CodeScorer:
    """Runs the program of each completion on the tests of its row.

    Parameters
    ----------
    name
        Name of the reward.
    params
        Its settings.
    template
        The job's tags.
    make_box
        Makes boxes.
    failures
        Watches over what cannot be scored.
    workers
        Programs that run at a time; each has a box, and another for its tests.
    """

    def __init__(
        self,
        name: str,
        params: RewardParams,
        template: ChatTemplate,
        make_box: Callable[[], Box],
        failures: Failures,
        workers: int = WORKERS,
    ) -> None:
        self.name = name
        self._column = params.tests_column or DEFAULT_COLUMN
        self._all = params.credit == "all"
        self._seconds = params.seconds_per_test or DEFAULT_SECONDS
        self._template, self._make_box, self._failures = template, make_box, failures
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._tests: SimpleQueue[CheckerBox] = SimpleQueue()
        for _ in range(workers):
            self._tests.put(CheckerBox(make_box))

    def start(self) -> None:
        """See that there is a box.

        Raises
        ------
        TrainerError
            If there is none that is shut.
        """
        box = self._make_box()
        try:
            with of_box(self.name):
                box.start()
        finally:
            box.close()

    def score(self, batch: Batch, deadline: float) -> list[float | None]:
        """Return the share of its row's tests that each completion's program passes; 0 without a program.

        None where the row has no tests that can be run, and for what the deadline leaves over.

        Raises
        ------
        TrainerError
            If more cannot be scored than `guards.unscored` lets pass, or there is no box any more.
        """
        nothing = [None] * len(batch)
        tests, entries = (batch.columns.get(name, nothing) for name in (self._column, ENTRY))
        tags = self._template.reasoning_tags, self._template.answer_tags
        answers = [final_answer(text, *tags) for text in batch.completion_texts]
        problems: list[str] = []

        def score(row: int) -> float | None:
            if time.monotonic() > deadline:
                return None
            try:
                return self._score(answers[row], read_cases(tests[row], entries[row]), deadline)
            except (ValueError, BrokenTestsError) as error:
                problems.append(f"row {row} of its batch, column {self._column}: {error}")
                return None

        # one program is often written several times, once the model is sure of it
        same = [(answer, id(each), id(entry)) for answer, each, entry in zip(answers, tests, entries, strict=True)]
        firsts = {key: row for row, key in reversed(list(enumerate(same)))}
        with of_box(self.name):
            found = dict(zip(firsts, self._workers.map(score, firsts.values()), strict=True))
        scores = [found[key] for key in same]
        self._failures.take(scores, problems)
        return scores

    def close(self) -> None:
        """End the boxes."""
        self._workers.shutdown(cancel_futures=True)
        while not self._tests.empty():
            self._tests.get().close()

    def _score(self, answer: str | None, cases: list[Case], deadline: float) -> float | None:
        if not answer:
            return 0.0
        program, tests = ProgramBox(program_of(answer), self._make_box), self._tests.get()
        try:
            passed = self._passed(program, cases, tests, deadline)
        finally:
            self._tests.put(tests)
            program.close()
        if passed is None:
            return None
        return float(passed == len(cases)) if self._all else passed / len(cases)

    def _passed(self, program: ProgramBox, cases: list[Case], tests: CheckerBox, deadline: float) -> int | None:
        """Return how many tests a program passes in its time; None if the batch's is over before."""
        passed = hung = 0
        row_ends = time.monotonic() + PER_ROW * self._seconds
        for case in cases:
            begin = time.monotonic()
            seconds = min(begin + self._seconds, row_ends, deadline) - begin
            if seconds <= 0 or hung == HANGS:
                break
            if _passes(program, case, tests, seconds):
                passed += 1
            elif self._all:
                break
            else:
                hung += time.monotonic() - begin >= seconds
        return None if time.monotonic() >= deadline else passed


def _passes(program: ProgramBox, case: Case, tests: CheckerBox, seconds: float) -> bool:
    try:
        if isinstance(case, InputOutput):
            ended_well, printed = program.prints(case.given, seconds)
            return ended_well and same_output(case.expected, printed)
        return program.passes(tests, case.source, case.entry, seconds)
    except BoxFailedError:
        return False
