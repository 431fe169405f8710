"""What the report says of runs that are made up, and what it must never let through."""

from __future__ import annotations

from typing import Any

import pytest
from tests.documents import Document

from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_contract.report import TrainingStatus
from reasoning_trainer.reporting.attempts import NO_WORD, AttemptRecord
from reasoning_trainer.reporting.page.chart import Line, chart, thinned, ticks_of
from reasoning_trainer.reporting.page.figures import Figures, HeldOut, Sample
from reasoning_trainer.reporting.page.page import page
from reasoning_trainer.reporting.page.sections import MOST_CHARACTERS, Axis, attempts, changed, prompts, shortened
from reasoning_trainer.reporting.page.verdict import tone, verdict

MOMENT = "2026-11-24T12:00:00Z"
DONE = Outcome(exit_code=0, reason="Completed", message="held-out accuracy 0.600")
STOPPED = Outcome(exit_code=64, reason="NoLearningSignal", message="all rewards are alike", hint="give easier rows")
BASE = {"accuracy": 0.1, "ci95": [0.05, 0.18], "format": 0.2, "meanLength": 90.4}
FINAL = {"accuracy": 0.6, "ci95": [0.5, 0.69], "format": 1.0, "meanLength": 40.0, "passAtK": {"4": 0.8}}
EVALUATION = {
    "heldOut": {"size": 100, "base": BASE, "reinforce": FINAL},
    "finalAccuracy": 0.6,
    "improvement": 0.5,
    "pValue": 0.0000001,
}
HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>\"' & <reasoning>"


def progress(**more: Any) -> Progress:
    document = {
        "attempt": 1,
        "startedAt": MOMENT,
        "stage": "reinforce",
        "progress": {"percent": 40, "display": "40% (4/10)", "updatedAt": MOMENT},
    }
    return Progress.model_validate(document | more)


def figures(report: Progress | None = None, **more: Any) -> Figures:
    return Figures("sums", "hf://owner/model", report or progress(), **more)


def sample(completion: str, right: bool | None = False, prompt: str | None = "1+1") -> Sample:
    return Sample(prompt, "2", completion, right)


def test_run_that_has_only_begun() -> None:
    document = Document(page(figures(progress(stage="load"))))
    assert "Running, load at 40% (4/10)." in document.text
    assert "svg" not in document.tags
    assert "the start" in document.text
    assert "runs" in document.text


def test_run_that_is_done_says_its_gain() -> None:
    run = figures(progress(evaluation=EVALUATION), outcome=DONE)
    assert verdict(run) == (
        "The trained model answers 60.0% of 100 held-out rows rightly, the base 10.0%: better, and hardly by chance "
        "(one-sided exact McNemar test, p = 1e-07)."
    )
    assert tone(run) == "good"
    document = Document(page(run))
    assert verdict(run) in document.text
    assert "5.0% to 18.0%" in document.text
    assert "pass@4 80.0%" in document.text


@pytest.mark.parametrize(
    ("evaluation", "told", "colour"),
    [
        (None, "no held-out rows say whether it is better", "open"),
        (EVALUATION | {"improvement": 0.01, "pValue": 0.4}, "not shown to be better", "open"),
        (
            EVALUATION | {"reinforceImprovement": -0.27, "reinforcePValue": 1.0},
            "RL lost 27.0 points of what the warm-up had reached.",
            "good",
        ),
        (
            EVALUATION | {"reinforceImprovement": 0.05, "reinforcePValue": 0.03},
            "RL alone gained 5.0 points over the warm-up (p = 0.03).",
            "good",
        ),
        (
            {
                "heldOut": {"size": 8, "base": BASE | {"preferred": 0.5}, "reinforce": FINAL | {"preferred": 1.0}},
                "preferredImprovement": 0.5,
                "preferredPValue": 0.06,
            },
            "prefers the chosen completion in 100.0% of 8 held-out rows, the base in 50.0%: not shown",
            "open",
        ),
    ],
)
def test_verdicts(evaluation: dict[str, Any] | None, told: str, colour: str) -> None:
    run = figures(progress(evaluation=evaluation), outcome=DONE)
    assert told in verdict(run)
    assert tone(run) == colour


def test_run_that_failed_in_its_second_attempt_says_why_and_what_to_do() -> None:
    resumed = progress(attempt=2, resumedFromStep=50, resumedFromStage="reinforce", evaluation=EVALUATION)
    document = Document(page(figures(resumed, outcome=STOPPED)))
    assert "Attempt 2 ended: NoLearningSignal: all rewards are alike." in document.text
    assert "give easier rows" in document.text
    assert "reinforce, step 50" in document.text


def test_self_checks_are_told_with_what_they_found() -> None:
    checks = [{"name": "engine", "message": "97% alike"}, {"name": "merged", "message": "all of 4 answers alike"}]
    text = Document(page(figures(progress(selfChecks=checks)))).text
    assert all(words in text for check in checks for words in check.values())
    assert "Self-checks" not in Document(page(figures(progress()))).text


def test_guards_say_their_verdicts() -> None:
    guards = [
        {"condition": "KLBounded", "ok": False, "reason": "KLTooHigh", "message": "KL 12 is above 10"},
        {"condition": "EntropyKept", "ok": True, "reason": "Kept", "message": "entropy 0.9"},
    ]
    document = Document(page(figures(progress(guards=guards))))
    assert all(text in document.text for guard in guards for text in (guard["condition"], guard["message"]))
    assert "No guard has given a verdict" in Document(page(figures())).text


def test_whatever_a_run_says_stays_text() -> None:
    held_out = [
        HeldOut(name, right=[False], samples=[sample(HOSTILE, prompt=HOSTILE)]) for name in ("base", "reinforce")
    ]
    step = TrainingStatus(reward=1.0, rewards={HOSTILE: 0.5})
    run = Figures(
        HOSTILE,
        HOSTILE,
        progress(
            evaluation=EVALUATION,
            guards=[{"condition": HOSTILE, "ok": False, "reason": HOSTILE, "message": HOSTILE}],
            selfChecks=[{"name": HOSTILE, "message": HOSTILE}],
            dataRevisions={"data.train": HOSTILE},
            artifacts=[{"kind": HOSTILE, "path": HOSTILE, "sha256": HOSTILE, "bytes": 1}],
        ),
        outcome=Outcome(exit_code=64, reason="Failed", message=HOSTILE, hint=HOSTILE),
        curves={"reinforce": [(1, step), (2, step)]},
        held_out=held_out,
        rows={HOSTILE: {"count": 1, "content": HOSTILE}},
        versions={HOSTILE: HOSTILE},
        image=HOSTILE,
        given=HOSTILE,
        resolved=HOSTILE,
    )
    document = Document(page(run))
    assert not {"script", "img", "reasoning", "link", "iframe"} & set(document.tags)
    assert not [attributes for _, attributes in document.elements if any(name.startswith("on") for name in attributes)]
    assert document.text.count("alert(1)") > 10


def test_page_asks_for_nothing() -> None:
    document = Document(page(figures(progress(evaluation=EVALUATION), outcome=DONE)))
    assert not [attributes for _, attributes in document.elements if {"src", "href", "srcset"} & attributes.keys()]
    assert "url(" not in page(figures())
    assert "default-src 'none'; style-src 'unsafe-inline'" in document.values("meta", "content")


def test_what_no_html_may_hold_is_replaced() -> None:
    text = page(figures(held_out=[HeldOut("base", right=[False], samples=[sample("a\x00b\ud800c\x1b[0m")])]))
    text.encode("utf-8")
    assert "a\ufffdb\ufffdc\ufffd[0m" in text


def test_curves_of_every_figure() -> None:
    step = TrainingStatus(
        reward=1.0,
        rewards={"correct": 0.5, "format": 1.0},
        kl=0.1,
        entropy=2.0,
        completion_length=9.0,
        learning_rate=1e-5,
        zero_variance_share=0.0,
    )
    held_out = [
        HeldOut("base", [False, False]),
        HeldOut("reinforce-1", [True, False]),
        HeldOut("reinforce", [True, True]),
    ]
    document = Document(page(figures(curves={"reinforce": [(1, step), (2, step)]}, held_out=held_out)))
    titles = document.values("svg", "aria-label")
    assert titles == [
        "Held-out accuracy",
        "Reward, weighted sum",
        "Rewards, each unweighted",
        "Groups without spread, share",
        "KL from the reference",
        "Entropy, nats",
        "Completion length, tokens",
        "Learning rate",
    ]


def test_curves_of_rl_lie_over_the_completions_that_were_spent() -> None:
    shared = TrainingStatus(reward=0.6)  # an update that was made with the completions of the one before
    curve = [(1, TrainingStatus(reward=0.2, completions=640)), (2, shared), (3, TrainingStatus(completions=1600))]
    axis = Axis.of(curve)
    assert [axis.at(step) for step in range(5)] == [0, 640, 640, 1600, 1600]
    held_out = [HeldOut("base", [False]), HeldOut("reinforce-1", [True]), HeldOut("reinforce", [True])]
    document = Document(page(figures(curves={"reinforce": curve}, held_out=held_out)))
    assert "completions 0" in document.text
    assert "completions 640" in document.text
    assert "1,600 (step 3)" in document.text


@pytest.mark.parametrize("counts", [(None, None), (None, 8)])
def test_curves_lie_over_steps_where_an_earlier_version_did_not_count_all_completions(
    counts: tuple[int | None, ...],
) -> None:
    axis = Axis.of([(step, TrainingStatus(completions=count)) for step, count in enumerate(counts, 1)])
    assert [axis.at(step) for step in range(3)] == [0, 1, 2]


def test_difficulty_of_the_rows_is_drawn_where_it_was_measured() -> None:
    counts = {"never": 600, "25-50%": 400, "always": 0}
    found = {"rows": 1000, "of": 4000, "samples": 8, "completions": 8000, "seconds": 194.2, "setAside": 600}
    document = Document(page(figures(progress(difficulty=found | {"histogram": counts, "meanShare": 0.16}))))
    assert "Rows by the share of right completions, before RL" in document.values("svg", "aria-label")
    assert "8 completions each of 1,000 of 4,000 rows of train, 8,000 in 3m14s: 16.0% of them right" in document.text
    assert document.tags.count("rect") == 3
    unjudged = Document(page(figures(progress(difficulty=found | {"histogram": dict.fromkeys(counts, 0)}))))
    assert "right on average" not in unjudged.text
    assert "How hard the rows were" not in page(figures())


def test_wins_and_losses_are_counted_on_the_same_rows() -> None:
    base, last = HeldOut("base", [True, True, False, False]), HeldOut("reinforce", [True, False, True, True])
    found = changed(figures(held_out=[base, last]))
    assert found is not None
    assert (found.won, found.lost, found.rows) == (2, 1, 4)
    assert changed(figures(held_out=[base])) is None
    assert changed(figures(held_out=[base, HeldOut("reinforce", [True])])) is None


def test_prompts_stand_side_by_side_with_few_models_on_the_way() -> None:
    names = ["base", *(f"reinforce-{step}" for step in range(10, 100, 10)), "reinforce"]
    held_out = [HeldOut(name, [name == "reinforce"], samples=[sample(name, name == "reinforce")]) for name in names]
    (shown,) = prompts(figures(held_out=held_out))
    assert [title for title, _ in shown.written] == [
        "Base model",
        "RL, step 30",
        "RL, step 60",
        "RL, step 90",
        "After RL",
    ]
    assert shown.change == "won"


def test_prompts_that_were_won_come_first_then_those_that_were_lost() -> None:
    base = HeldOut("base", samples=[sample("same"), sample("to be lost", True), sample("to be won")])
    last = HeldOut("reinforce", samples=[sample("same"), sample("lost"), sample("won", True)])
    shown = prompts(figures(held_out=[base, last]))
    assert [each.written[-1][1].completion for each in shown] == ["won", "lost", "same"]


def test_attempts_stand_in_a_table_with_what_each_lost() -> None:
    killed = AttemptRecord.model_validate(
        {"attempt": 1, "startedAt": MOMENT, "updatedAt": MOMENT, "stage": "reinforce", "step": 14, "message": NO_WORD}
    )
    resumed = {"resumedFromStage": "reinforce", "resumedFromStep": 10}
    now = progress(attempt=2, **resumed)
    table = attempts(figures(now, attempts=[killed]))
    assert [(each.record.attempt, each.lost, each.runs) for each in table] == [(1, 4, False), (2, None, True)]
    told = Document(page(figures(now, attempts=[killed], outcome=STOPPED))).text
    assert "reinforce, step 14" in told
    assert NO_WORD in told
    assert "NoLearningSignal" in told


def test_conversations_without_a_prompt_are_shown() -> None:
    held_out = [HeldOut("base", samples=[sample("hello", None, prompt=None)])]
    assert "a conversation, row 1" in Document(page(figures(held_out=held_out))).text


def test_long_texts_are_shortened_and_say_so() -> None:
    assert shortened("a" * MOST_CHARACTERS) == "a" * MOST_CHARACTERS
    assert shortened("a" * (MOST_CHARACTERS + 1500)).endswith("\n[1,500 more characters]")


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0.0, 0.5, 1.0]),
        (0.0, 0.0, [0.0, 0.5, 1.0]),
        (5.0, 5.0, [0.0, 5.0, 10.0]),
        (-2.0, -2.0, [-4.0, -3.0, -2.0, -1.0, 0.0]),
        (3.0, 17.0, [0.0, 5.0, 10.0, 15.0, 20.0]),
    ],
)
def test_ticks_are_round_and_enclose_the_figures(low: float, high: float, ticks: list[float]) -> None:
    assert ticks_of(low, high) == pytest.approx(ticks)


def test_chart_of_one_point_and_of_none() -> None:
    assert "<circle" in chart([Line("reward", [(1, 0.5)])], "Reward")
    assert chart([Line("reward", [])], "Reward") == ""


def test_many_points_are_averaged() -> None:
    few = thinned([(float(at), float(at % 2)) for at in range(1000)], most=250)
    assert len(few) == 250
    assert few[0] == (1.5, 0.5)
