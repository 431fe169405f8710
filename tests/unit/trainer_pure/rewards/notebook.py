# ruff: noqa: B905 - as notebooks have them
"""Reward functions of the shapes that public GRPO notebooks have, as their authors would write them for TRL."""

import asyncio
import math
import re

SYSTEM_PROMPT = """
Respond in the following format:
<reasoning>
...
</reasoning>
<answer>
...
</answer>
"""

reasoning_end, solution_start, solution_end = "</think>", "<SOLUTION>", "</SOLUTION>"
match_numbers = re.compile(solution_start + r".*?[\s]{0,}([-]?[\d\.\,]{1,})", flags=re.MULTILINE | re.DOTALL)
PRINTED_TIMES = 0
PRINT_EVERY_STEPS = 5


def extract_xml_answer(text: str) -> str:
    answer = text.split("<answer>")[-1]
    answer = answer.split("</answer>")[0]
    return answer.strip()


def tags_by_regex(completions, **kwargs):
    pattern = r"^<think>.*?</think>\s*<answer>.*?</answer>$"
    completion_contents = [completion[0]["content"] for completion in completions]
    matches = [re.match(pattern, content, re.DOTALL) for content in completion_contents]
    return [1.0 if match else 0.0 for match in matches]


def int_reward_func(completions, **kwargs) -> list[float]:
    responses = [completion[0]["content"] for completion in completions]
    extracted_responses = [extract_xml_answer(r) for r in responses]
    return [0.5 if r.isdigit() else 0.0 for r in extracted_responses]


def strict_format_reward_func(completions, **kwargs) -> list[float]:
    pattern = r"^<reasoning>\n.*?\n</reasoning>\n<answer>\n.*?\n</answer>\n$"
    responses = [completion[0]["content"] for completion in completions]
    matches = [re.match(pattern, r, flags=re.DOTALL) for r in responses]
    return [0.5 if match else 0.0 for match in matches]


def soft_format_reward_func(completions, **kwargs) -> list[float]:
    pattern = r"<reasoning>.*?</reasoning>\s*<answer>.*?</answer>"
    responses = [completion[0]["content"] for completion in completions]
    matches = [re.search(pattern, r, flags=re.DOTALL) for r in responses]
    return [0.5 if match else 0.0 for match in matches]


def count_xml(text) -> float:
    count = 0.0
    if text.count("<reasoning>\n") == 1:
        count += 0.125
    if text.count("\n</reasoning>\n") == 1:
        count += 0.125
    if text.count("\n<answer>\n") == 1:
        count += 0.125
        count -= len(text.split("\n</answer>\n")[-1]) * 0.001
    if text.count("\n</answer>") == 1:
        count += 0.125
        count -= (len(text.split("\n</answer>")[-1]) - 1) * 0.001
    return count


def xmlcount_reward_func(completions, **kwargs) -> list[float]:
    contents = [completion[0]["content"] for completion in completions]
    return [count_xml(c) for c in contents]


def correctness_reward_func(prompts, completions, answer, **kwargs) -> list[float]:
    responses = [completion[0]["content"] for completion in completions]
    q = prompts[0][-1]["content"]
    extracted_responses = [extract_xml_answer(r) for r in responses]
    print(
        "-" * 20,
        f"Question:\n{q}",
        f"\nAnswer:\n{answer[0]}",
        f"\nResponse:\n{responses[0]}",
        f"\nExtracted:\n{extracted_responses[0]}",
    )
    return [2.0 if r == a else 0.0 for r, a in zip(extracted_responses, answer)]


def cosine_length(completions, completion_ids, answer, max_len=100, **kwargs):
    rewards = []
    for completion, ids, truth in zip(completions, completion_ids, answer):
        right = extract_xml_answer(completion[0]["content"]) == truth
        progress = min(len(ids), max_len) / max_len
        cosine = math.cos(progress * math.pi)
        low, high = (0.5, 1.0) if right else (-1.0, -0.5)
        if not right:
            low, high = high, low
        rewards.append(low + 0.5 * (high - low) * (1.0 + cosine))
    return rewards


def repetition_penalty(completions, ngram_size=3, max_penalty=-1.0, **kwargs):
    rewards = []
    for completion in completions:
        words = completion[0]["content"].lower().split()
        ngrams = list(zip(*[words[i:] for i in range(ngram_size)]))
        if not ngrams:
            rewards.append(0.0)
            continue
        scaling = 1 - len(set(ngrams)) / len(ngrams)
        rewards.append(scaling * max_penalty)
    return rewards


def boxed_solution(completions, solution, **kwargs):
    matches = [re.search(r"\\boxed\{(.*?)\}", completion[0]["content"]) for completion in completions]
    contents = [match.group(1) if match else "" for match in matches]
    return [1.0 if c == gt else 0.0 for c, gt in zip(contents, solution)]


def check_numbers(prompts, completions, answer, **kwargs):
    global PRINTED_TIMES
    question = prompts[0][-1]["content"]
    responses = [completion[0]["content"] for completion in completions]
    extracted = [guess.group(1) if (guess := match_numbers.search(r)) is not None else None for r in responses]
    scores = []
    if PRINTED_TIMES % PRINT_EVERY_STEPS == 0:
        print("*" * 20 + f"Question:\n{question}", f"\nAnswer:\n{answer[0]}", f"\nExtracted:\n{extracted[0]}")
    PRINTED_TIMES += 1
    for guess, true_answer in zip(extracted, answer):
        if guess is None:
            scores.append(-2.5)
            continue
        try:
            scores.append(3.5 if float(guess.strip().replace(",", "")) == float(true_answer.strip()) else -1.5)
        except ValueError:
            scores.append(0)
    return scores


async def async_reward(completions, **kwargs):
    async def score(text):
        await asyncio.sleep(0)
        return float(len(text))

    return await asyncio.gather(*[score(completion[0]["content"]) for completion in completions])


def math_only(completions, answer, task, **kwargs):
    """Several tasks in one data set: None for rows of another task."""
    return [
        float(extract_xml_answer(completion[0]["content"]) == truth) if kind == "math" else None
        for completion, truth, kind in zip(completions, answer, task)
    ]


def plain_text(completions, **kwargs):
    return [float(len(set(completion.split()))) for completion in completions]
