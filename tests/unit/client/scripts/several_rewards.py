"""Several rewards with weights, one of them a model, one that takes a library."""

import json

import sympy
from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer

MARKS = {"open": "<think>", "close": "</think>"}


async def tagged(completions, **kwargs):
    return [float(MARKS["open"] in each[0]["content"]) for each in completions]


def equal(completions, solution, **kwargs):
    return [float(sympy.simplify(each[0]["content"]) == sympy.simplify(right)) for each, right in zip(completions, solution)]


def brief(completions, **kwargs):
    return [-len(json.dumps(each[0]["content"])) / 1000 for each in completions]


rows = load_dataset("AI-MO/NuminaMath-TIR", split="train[:2000]")
held_out = load_dataset("AI-MO/NuminaMath-TIR", split="test")
rows = rows.map(lambda row: {"prompt": [{"role": "user", "content": row["problem"]}], "solution": row["solution"]})
rows = rows.filter(lambda row: len(row["problem"]) < 500)
trainer = GRPOTrainer(
    model="Qwen/Qwen3-0.6B",
    reward_funcs=[tagged, equal, brief, "OpenAssistant/reward-model-deberta-v3-large-v2"],
    args=GRPOConfig(reward_weights=[0.5, 2.0, 0.1, 1.0], loss_type="dr_grpo", scale_rewards=False, epsilon_high=0.28),
    train_dataset=rows,
    eval_dataset=held_out,
)
trainer.train()
