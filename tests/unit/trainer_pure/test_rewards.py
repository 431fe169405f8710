"""Rewards by example lists, the adversarial ones first: what a policy would find if it were there."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.spec import ChatTemplate, Reward, RewardParams, Tags
from reasoning_trainer.data.examples import Example
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.rewards import Batch, Grader, RewardFunction, RewardSet, batch_of, build, correctness
from reasoning_trainer.rewards.completion import Sample, final_answer
from reasoning_trainer.rewards.cosine_length import cosine_length
from reasoning_trainer.rewards.fluency import distinctness, fluency, legibility
from reasoning_trainer.rewards.format import soft_format, strict_format, tags_in_order
from reasoning_trainer.rewards.judge import same_mathematics
from reasoning_trainer.rewards.length_penalty import length_penalty
from reasoning_trainer.rewards.linear_length import linear_length
from reasoning_trainer.rewards.samples import EachSample
from reasoning_trainer.rewards.schedule import weight_at, weights_at

TEMPLATE = ChatTemplate()
TAGS = tags_in_order(TEMPLATE)
GOOD = "<reasoning>3 and 4 make 7.</reasoning>\n<answer>7</answer>"
MILLION = 1_000_000


BOXED = ChatTemplate(reasoning_tags=Tags(start="<think>", end="</think>"), answer_tags=Tags(start="\\boxed{", end="}"))


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (r"\boxed{7}", "7"),
        (r"so \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"not \boxed{3} but \boxed{x^{2^{n}}} and {more}", r"x^{2^{n}}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ x }", r"\left\{ x"),
        (r"\boxed{\frac{1}{2}", None),
        ("7}", None),
        ("\ufdd27\ufdd3", None),
    ],
)
def test_bracket_that_ends_a_tag_is_the_one_that_matches(said: str, answer: str | None) -> None:
    text = rf"<think>maybe \boxed{{3}}, as f(x) = {{x}} has it</think>{said}"
    assert final_answer(text, BOXED.reasoning_tags, BOXED.answer_tags) == answer


def test_brackets_of_an_answer_do_not_count_as_tags() -> None:
    tags = tags_in_order(BOXED)
    good = r"<think>It is {half}.</think> \boxed{\frac{1}{2}}"
    assert (strict_format(good, tags), soft_format(good, tags)) == (True, 1.0)
    twice = good + r" or \boxed{2}"
    assert (strict_format(twice, tags), soft_format(twice, tags)) == (False, 0.5)
    assert not strict_format(good[:-1], tags)


def test_brackets_take_linear_time() -> None:
    for text in ("\\boxed{" * MILLION, "{" * MILLION + "\\boxed{" + "}" * MILLION):
        final_answer(text, BOXED.reasoning_tags, BOXED.answer_tags)


def reward(builtin: str, **params: Any) -> RewardFunction:
    given = Reward.model_validate({"name": "r", "builtin": builtin, "params": params})
    return build([given], TEMPLATE).functions[0]


def score(function: RewardFunction, completion: Any, answer: str | None = None, ids: list[int] | None = None) -> Any:
    return function.score(batch_of([Example("What?", answer)], ["What?"], [completion], ids and [ids]))[0]


def scores(function: RewardFunction, completions: list[Any]) -> list[float | None]:
    return function.score(Batch(["q"] * len(completions), completions))


ANSWERS = [
    (GOOD, "7"),
    ("<answer>7</answer>", "7"),
    ("<answer>\n 7 \n</answer> and so on", "7"),
    ("so 7</reasoning><answer>7</answer>", "7"),  # the template opened the reasoning
    ("<reasoning>maybe <answer>6</answer></reasoning><answer>7</answer>", "7"),
    ("<reasoning>maybe <answer>6</answer></reasoning>", None),
    ("<reasoning>maybe <answer>6</answer> or", None),
    ("<answer>6</answer><reasoning>because</reasoning>", None),
    ("<answer>5</answer><answer>6</answer><answer>7</answer>", "7"),
    ("<answer>6</answer><answer>7", "6"),
    ("<answer><answer>7</answer></answer>", "7"),
    ("<answer>7</answer></answer>", "7"),
    ("</answer>7<answer>", None),
    ("<answer>7", None),
    ("7", None),
    ("", None),
    ("<answer></answer>", ""),
]


@pytest.mark.parametrize(("text", "answer"), ANSWERS)
def test_final_answer(text: str, answer: str | None) -> None:
    assert final_answer(text, TEMPLATE.reasoning_tags, TEMPLATE.answer_tags) == answer


SOFT = [
    (GOOD, 1.0),
    (f"well: {GOOD} done", 1.0),
    ("", 0.0),
    ("7", 0.0),
    ("<reasoning>", 0.25),
    ("<reasoning>a</reasoning>", 0.5),
    ("<reasoning>a</reasoning><answer>7", 0.75),
    ("<answer>7</answer><reasoning>a</reasoning>", 0.5),
    ("<reasoning>" * 50, 0.0),
    (GOOD * 2, 0.0),
    (GOOD + "<answer>8</answer>", 0.5),
    ("</answer><answer></reasoning><reasoning>", 0.25),
    ("<REASONING>a</REASONING>", 0.0),
]


@pytest.mark.parametrize(("text", "share"), SOFT)
def test_soft_format(text: str, share: float) -> None:
    assert soft_format(text, TAGS) == share


STRICT = [
    (GOOD, True),
    (f" {GOOD}\n", True),
    (f"well: {GOOD}", False),
    (f"{GOOD} done", False),
    ("<reasoning>a</reasoning> so <answer>7</answer>", False),
    ("<reasoning> </reasoning><answer>7</answer>", False),
    ("<reasoning>a</reasoning><answer></answer>", False),
    ("<answer>7</answer><reasoning>a</reasoning>", False),
    ("<reasoning>a<answer>7</answer></reasoning>", False),
    (GOOD * 2, False),
    (GOOD[:-1], False),
    ("", False),
]


@pytest.mark.parametrize(("text", "well_formed"), STRICT)
def test_strict_format(text: str, well_formed: bool) -> None:
    assert strict_format(text, TAGS) is well_formed


def test_format_takes_the_jobs_own_tags() -> None:
    template = ChatTemplate(reasoning_tags=Tags(start="<think>", end="</think>"))
    function = build([Reward(name="shape", builtin="format")], template).functions[0]
    assert scores(function, ["<think>a</think><answer>7</answer>", GOOD]) == [1.0, 0.5]


def test_format_is_soft_unless_asked() -> None:
    assert score(reward("format"), "<reasoning>") == 0.25
    assert score(reward("format", strict=True), "<reasoning>") == 0.0
    assert score(reward("format", strict=True), GOOD) == 1.0


NUMBERS = [
    # answer, reference, right; None: the reference cannot be judged
    ("7", "7", True),
    ("7.0", "7", True),
    ("007", "7", True),
    ("-7", "7", False),
    ("\u22127", "-7", True),
    ("- 7", "-7", True),
    ("1,234", "1234", True),
    ("1,23", "123", False),
    ("$1,234.50", "1234.5", True),
    ("1{,}234", "1234", True),
    ("1\\,234", "1234", True),
    ("٧٢", "72", True),
    ("７２", "72", True),
    ("7²", "72", False),
    ("7²", "7", False),
    ("½", "2", False),
    ("1/2", "0.5", True),
    ("\\frac{1}{2}", "0.5", True),
    ("1 1/2", "1.5", True),
    ("2/4", "0.5", False),
    ("144/12", "12", False),
    ("7/1", "7", False),
    ("1/0", "0", False),
    ("50%", "0.5", True),
    ("50\\%", "50", True),
    ("0.333333", "1/3", True),
    ("0.3333", "1/3", False),
    ("7.0000001", "7", False),
    ("1e3", "1000", True),
    ("5 \\times 10^{6}", "5000000", True),
    ("1e999999999", "7", False),
    ("9" * 999, "9" * 999, True),
    ("9" * 999, "9" * 998 + "8", False),
    ("9" * MILLION, "7", False),
    ("x = 7", "7", True),
    ("3 + 4 = 7", "7", True),
    ("The answer is 7.", "7", True),
    ("7 apples", "7", True),
    ("7 m^2", "7", True),
    ("7 km/h", "7", True),
    ("$7/hour", "7", True),
    ("≈ 7", "7", True),
    ("7th", "7", True),
    ("7/x", "7", False),
    ("6/7/1", "7", False),
    ("7 m²", "7", True),
    ("7\\text{ cm}", "7", True),
    ("\\boxed{7}", "7", True),
    ("$7$", "7", True),
    ("**7**", "7", True),
    ("(7)", "7", True),
    ("3 + 4", "7", False),
    ("14/2", "7", False),
    ("6 or 7", "7", False),
    ("5, 6, 7", "7", False),
    ("1 2 3 4 5 6 7", "7", False),
    ("6=7=7", "7", True),
    ("7x", "7", False),
    ("7!", "7", False),
    ("sqrt(7)", "7", False),
    ("\\sqrt{7}", "7", False),
    ("2^7", "7", False),
    ("7\\pi", "7", False),
    ("H7", "7", False),
    ("seven", "7", False),
]


@pytest.mark.parametrize(("answer", "reference", "right"), NUMBERS)
@pytest.mark.parametrize("parser", ["number", "math"])
def test_numbers(parser: str, answer: str, reference: str, right: bool) -> None:
    completion = f"<reasoning>hm</reasoning><answer>{answer}</answer>"
    assert score(reward("correctness", parser=parser), completion, reference) == float(right)


@pytest.mark.parametrize("reference", ["seven", "1, 2", "9" * 2000])
def test_reference_without_a_number_cannot_be_judged_by_number(reference: str) -> None:
    function = reward("correctness", parser="number")
    assert score(function, GOOD, reference) is None
    assert function.unscored == 1


@pytest.mark.parametrize(
    ("answer", "reference", "right"),
    [
        ("Paris", "Paris", True),
        (" New\n York ", "New York", True),
        ("paris", "Paris", False),
        ("Paris!", "Paris", False),
    ],
)
def test_exact(answer: str, reference: str, right: bool) -> None:
    assert score(reward("correctness", parser="exact"), f"<answer>{answer}</answer>", reference) == float(right)


WORDS = [
    ("yes", "Yes.", True),
    ("\\text{Yes}", "yes", True),
    ("$B$", "B", True),
    ("\\boxed{B}", "B", True),
    ("act", "cat", False),  # as expressions c*a*t and a*c*t are equal
    ("no", "yes", False),
    ("yes or no", "yes", False),
    ("\\frac{1}{x}", "\\frac{1}{x}", True),
    ("x" * MILLION, "x+1", False),
    ("x" + " " * MILLION + "x", "x + 1", False),
    ("(" * MILLION, "x + 1", False),
]


@pytest.mark.parametrize(("answer", "reference", "right"), WORDS)
def test_words_and_essays(answer: str, reference: str, right: bool) -> None:
    assert same_mathematics(reference, answer.strip()) is right


def test_any_of_several_accepted_answers_is_right() -> None:
    accepted = Sample(text="", reference=["four", "4", "IV"])
    scorer = correctness.make(RewardParams(), TEMPLATE)
    for answer, right in (("4", 1.0), ("IV", 1.0), ("4.0", 1.0), ("5", 0.0)):
        assert scorer(replace(accepted, text=f"<answer>{answer}</answer>")) == right
    numbers = correctness.make(RewardParams(parser="number"), TEMPLATE)
    assert numbers(Sample(text="<answer>4</answer>", reference=["four", "4"])) == 1.0
    assert numbers(Sample(text="<answer>4</answer>", reference=["four", "IV"])) is None


def test_choices_are_judged_by_their_letter() -> None:
    function = reward("correctness", parser="choice")
    assert score(function, "<answer>Option C</answer>", "(C)") == 1.0
    assert score(function, "<answer>A or C</answer>", "(C)") == 0.0
    assert score(function, "<answer>C</answer>", "12") is None


def test_answer_in_the_reasoning_earns_nothing() -> None:
    assert score(reward("correctness"), "<reasoning><answer>7</answer></reasoning><answer>8</answer>", "7") == 0.0


@pytest.mark.parametrize("completion", ["", "7", "<answer></answer>", "<answer>7"])
def test_no_answer_is_a_wrong_answer(completion: str) -> None:
    assert score(reward("correctness"), completion, "7") == 0.0


def test_row_without_reference_is_counted_and_never_0() -> None:
    function = reward("correctness")
    rows = [Example("q", "7"), Example("q"), Example("q", "")]
    assert function.score(batch_of(rows, ["q"] * 3, [GOOD] * 3)) == [1.0, None, None]
    assert scores(function, [GOOD]) == [None]
    assert function.unscored == 3


@pytest.mark.parametrize(
    ("tokens", "penalty"), [(0, 0.0), (100, 0.0), (101, -0.01), (150, -0.5), (200, -1.0), (MILLION, -1.0)]
)
def test_length_penalty_is_a_ramp(tokens: int, penalty: float) -> None:
    assert length_penalty(tokens, 100, 200) == pytest.approx(penalty)


def test_length_penalty_takes_its_own_end_and_needs_tokens() -> None:
    assert score(reward("lengthPenalty", targetTokens=10), GOOD, ids=[1] * 15) == -0.5
    assert score(reward("lengthPenalty", targetTokens=10, maxTokens=50), GOOD, ids=[1] * 20) == -0.25
    assert score(reward("lengthPenalty", targetTokens=10), GOOD) is None


TAG_COUNTS = [
    (GOOD, 1.0),
    ("<answer>7</answer><reasoning>a</reasoning>", 1.0),
    ("<reasoning>a</reasoning>", 0.5),
    ("<reasoning>" * 50, 0.0),
    (GOOD * 2, 0.0),
    (GOOD + "<answer>8</answer>", 0.5),
    ("", 0.0),
    ("7", 0.0),
]


@pytest.mark.parametrize(("text", "share"), TAG_COUNTS)
def test_tag_count(text: str, share: float) -> None:
    assert score(reward("tagCount"), text) == share


COSINE = [(True, 0, 1.0), (True, 50, 0.75), (True, 100, 0.5), (True, MILLION, 0.5)]
COSINE += [(False, 0, -1.0), (False, 50, -0.75), (False, 100, -0.5), (False, MILLION, -0.5)]


@pytest.mark.parametrize(("right", "tokens", "value"), COSINE)
def test_cosine_length(right: bool, tokens: int, value: float) -> None:
    assert cosine_length(right, tokens, 100) == pytest.approx(value)


def test_cosine_length_judges_by_the_parser_and_needs_tokens_and_answer() -> None:
    function = reward("cosineLength", maxTokens=10, parser="exact")
    assert score(function, GOOD, "7", ids=[1] * 5) == pytest.approx(0.75)
    assert score(function, GOOD, "7.0", ids=[1] * 5) == pytest.approx(-0.75)
    assert score(function, GOOD, "7") is None
    assert score(function, GOOD, ids=[1] * 5) is None


LINEAR = [
    (True, 10, [10, 20, 30], 0.5),
    (True, 20, [10, 20, 30], 0.0),
    (True, 30, [10, 20, 30], -0.5),
    (False, 10, [10, 20, 30], 0.0),
    (False, 30, [10, 20, 30], -0.5),
    (True, 10, [10, 10], 0.0),
    (False, 10, [10], 0.0),
]


@pytest.mark.parametrize(("right", "tokens", "group", "value"), LINEAR)
def test_linear_length(right: bool, tokens: int, group: list[int], value: float) -> None:
    assert linear_length(right, tokens, group) == value


def test_linear_length_compares_completions_of_one_prompt() -> None:
    rows = [Example(prompt, "7") for prompt in ("p", "q", "p", "q")]
    ids = [[1] * length for length in (1, 100, 3, 300)]
    batch = batch_of(rows, ["p", "q", "p", "q"], [GOOD, "<answer>8</answer>", GOOD, GOOD], ids)
    assert reward("linearLength").score(batch) == [0.5, 0.0, -0.5, -0.5]
    nothing = batch_of([Example("p", "7"), Example("p")], ["p", "p"], [GOOD, GOOD], [[1], [1, 2]])
    assert reward("linearLength").score(nothing) == [0.5, None]


REPETITION = [("a b c d", 0.0), ("a b c a b c", -1 / 4), ("", 0.0), ("a b", 0.0), ("A b C a B c", -1 / 4)]


@pytest.mark.parametrize(("text", "value"), REPETITION)
def test_repetition(text: str, value: float) -> None:
    assert score(reward("repetition"), text) == value


def test_repetition_of_longer_passages() -> None:
    assert score(reward("repetition", ngram=2), "a b a b a") == 2 / 4 - 1
    assert score(reward("repetition", ngram=30), "a b " * 20) == pytest.approx(2 / 11 - 1)


STEPS = [
    ("1. Add the tens.\n2. Add the ones.\n3) Sum up.", 1.0),
    ("Step 1: add\nStep 2: sum", 2 / 3),
    ("First, add the tens. Then, add the ones. Finally, sum up.", 1.0),
    ("- add\n* sum", 2 / 3),
    ("**no step**", 0.0),
    ("1.\n2.\n3.", 0.0),
    ("- \n- \n- ", 0.0),
    ("- add\n- add\n- add", 1 / 3),
    ("I was first, then second", 0.0),
    ("<answer>1. a\n2. b\n3. c</answer>", 0.0),
    ("", 0.0),
]


@pytest.mark.parametrize(("text", "value"), STEPS)
def test_reasoning_steps(text: str, value: float) -> None:
    assert score(reward("reasoningSteps"), text) == pytest.approx(value)


def test_reasoning_steps_wants_as_many_as_it_is_told() -> None:
    assert score(reward("reasoningSteps", steps=1), "- add") == 1.0
    assert score(reward("reasoningSteps", steps=4), "- add") == 0.25


LANGUAGES = [
    ("en", "add the tens", 1.0),
    ("en", "сложим tens", 0.5),
    ("ru", "<reasoning>сложим десятки</reasoning><answer>7</answer>", 1.0),
    ("ru", "сложим x и y", 1.0),
    ("zh", "先加十位 then ones", 4 / 6),
    ("zh", r"所以 $\frac{a}{bc}$ \boxed{7}", 1.0),
    ("ja", "まず十の位を足します", 1.0),
    ("ja", "テスト", 1.0),
    ("ko", "먼저 십의 자리", 1.0),
    ("zh", "まず", 0.0),
    ("en", "", 0.0),
    ("en", "12 + 34", 0.0),
]


@pytest.mark.parametrize(("language", "text", "share"), LANGUAGES)
def test_language_consistency(language: str, text: str, share: float) -> None:
    assert score(reward("languageConsistency", language=language), text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("prompt", "text", "share"),
    [
        ("Сколько будет 23 + 36?", "сложим", 1.0),
        ("Сколько будет 23 + 36?", "add", 0.0),
        ("23たす36は?", "十の位", 1.0),
        ("23 + 36", "add", 1.0),
    ],
)
def test_language_is_that_of_the_prompt_unless_told(prompt: str, text: str, share: float) -> None:
    function = reward("languageConsistency")
    assert function.score(Batch([prompt], [text])) == [share]


FLUENT = "First add the tens, which gives fifty. Then add the ones, which gives nine. Together that is 59."


def test_fluency_of_plain_text_is_full() -> None:
    assert fluency(FLUENT, "What is 23 + 36?") == 1.0
    assert fluency("Сначала сложим десятки, затем единицы.", "Сколько будет 23 + 36?") == 1.0
    assert fluency("まず十の位を足します。", "23たす36は?") == 1.0


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("", 0.0),
        (" \n ", 0.0),
        ("the answer is the answer is " * 50, 0.05),
        ("a" * 5000, 0.05),
        ("哈" * 500, 0.05),
        ("<answer>" * 100, 0.05),
        ("!" * 500, 0.05),
        ("\x00\x01\x02\ufffd\ue000", 0.0),
        (FLUENT + " затем прибавим единицы и получим ответ", 0.8),
    ],
)
def test_fluency_of_rubbish_is_low(text: str, most: float) -> None:
    assert fluency(text, "What is 23 + 36?") <= most


def test_distinctness_is_the_share_of_ngrams_that_are_new() -> None:
    assert distinctness("a b c a b c", 3) == 3 / 4
    assert distinctness("A b", 4) == 1.0
    assert score(reward("fluency", ngram=2), "a b a b a") == 2 / 4


def test_notation_is_legible_in_every_language() -> None:
    assert legibility("πr² ≤ 𝑥 ∑ <answer>", "Чему равна площадь?") == 1.0


HOSTILE = [
    "a" * MILLION,
    " " * MILLION,
    "<answer>" * (MILLION // 8),
    "</answer>" * (MILLION // 9),
    "<reasoning><answer>" * (MILLION // 19),
    "<answer>" + "1 " * (MILLION // 2) + "</answer>",
    "<answer>" + "$" * MILLION + "</answer>",
    "<answer>" + "{" * MILLION + "</answer>",
    "\u0000" * MILLION,
    "\n" * MILLION,
    "1. " * (MILLION // 3),
    "\\" * MILLION,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.timeout(60)
def test_a_million_characters_end(text: str) -> None:
    for function in (reward("format"), reward("format", strict=True), reward("fluency"), reward("tagCount")):
        assert 0 <= score(function, text) < 1
    for function in (reward("reasoningSteps"), reward("languageConsistency", language="en")):
        assert 0 <= score(function, text) <= 1
    assert -1 <= score(reward("repetition"), text) <= 0
    for reference in ("7", "x + 1"):
        assert score(reward("correctness"), text, reference) == 0.0


def test_completions_may_be_conversations() -> None:
    message = [{"role": "assistant", "content": GOOD}]
    prompt = [{"role": "system", "content": "s"}, {"role": "user", "content": "3 + 4?"}]
    batch = Batch([prompt], [message], [[1]], {"answer": ["7"], "level": [1]})
    assert batch.prompt_texts == ["s\n3 + 4?"]
    assert reward("correctness").score(batch) == [1.0]


def test_batch_has_every_column_of_its_rows() -> None:
    rows = [
        Example("q", "7", columns={"prompt": "q", "solution": "so #### 7", "level": 1}),
        Example("r", None, columns={"prompt": "r", "tests": ["a"], "completions": "in the way"}),
    ]
    columns = batch_of(rows, ["q", "r"], ["a", "b"]).columns
    assert columns == {
        "solution": ["so #### 7", None],
        "level": [1, None],
        "answer": ["7", None],
        "tests": [None, ["a"]],
    }


def test_what_the_deadline_leaves_over_is_unscored() -> None:
    assert EachSample("mine", lambda _: 1.0).score(Batch(["q"], ["a"]), deadline=0.0) == [None]


def test_a_set_is_closed_with_what_it_started() -> None:
    closed = []

    class Scorer:
        name = "mine"

        def score(self, batch: Batch, deadline: float) -> list[float | None]:
            return [0.0] * len(batch)

        def close(self) -> None:
            closed.append(self.name)

    with RewardSet((RewardFunction(Scorer()),)) as rewards:
        assert rewards.score(Batch(["q"], ["a"])) == {"mine": [0.0]}
    assert closed == ["mine"]


def test_set_keeps_names_weights_and_counts() -> None:
    rewards = build(
        [
            Reward(name="shape", builtin="format", weight=0.5),
            Reward(name="right", builtin="correctness", weight=-2.0),
        ],
        TEMPLATE,
    )
    assert rewards.names == ("shape", "right")
    assert rewards.weights == (0.5, -2.0)
    assert rewards.score(Batch(["q"], [GOOD])) == {"shape": [1.0], "right": [None]}
    assert rewards.unscored == {"right": 1}


@pytest.mark.parametrize(
    ("step", "weight"), [(0, 1.0), (5, 0.5), (10, 0.0), (15, 2.0), (20, 4.0), (21, 4.0), (MILLION, 4.0)]
)
def test_weight_goes_in_lines_from_point_to_point(step: int, weight: float) -> None:
    points = [{"step": 10, "weight": 0.0}, {"step": 20, "weight": 4.0}]
    scheduled = Reward.model_validate({"name": "a", "builtin": "format", "weightSchedule": points})
    assert weight_at(scheduled, step) == pytest.approx(weight)
    assert weights_at([Reward(name="b", builtin="format", weight=3.0), scheduled], step) == [3.0, weight]


def test_error_in_a_reward_names_reward_row_and_text() -> None:
    function = RewardFunction(EachSample("mine", lambda sample: 1 / (len(sample.text) - 3)))
    with pytest.raises(TrainerError, match=r"reward mine failed on row 1 .*ZeroDivisionError.*'abc'") as caught:
        scores(function, ["abcd", "abc"])
    assert (caught.value.exit_code, caught.value.reason) == (ExitCode.REWARD_FAILED, "RewardFunctionError")


@pytest.mark.parametrize("rubbish", [math.nan, math.inf, -math.inf])
def test_reward_that_is_no_number_is_an_error(rubbish: float) -> None:
    with pytest.raises(TrainerError, match=f"returned {rubbish}"):
        scores(RewardFunction(EachSample("mine", lambda _: rubbish)), ["a"])


def test_batch_of_uneven_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="other lengths"):
        Batch(["q", "q"], ["a"])


def test_grader_uses_the_jobs_parser() -> None:
    exact = Reward.model_validate({"name": "right", "builtin": "correctness", "params": {"parser": "exact"}})
    answers = ["<answer>7.0</answer>", "7", GOOD]
    batch = batch_of([Example("q", "7"), Example("q", "7"), Example("q", "")], ["q"] * 3, answers)
    assert Grader([exact], TEMPLATE).are_right(batch) == [False, False, None]
    by_default = Grader([], TEMPLATE)
    assert by_default.are_right(batch) == [True, False, None]
    assert by_default.is_well_formed(GOOD)
    assert not by_default.is_well_formed("7")
