"""GRPO by TRL, settings by argparse."""

import argparse
import re

from datasets import load_dataset
from peft import LoraConfig
from trl import GRPOConfig, GRPOTrainer

SYSTEM = "Think in <reasoning></reasoning>. " + "Answer in <answer></answer>."
ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


def extract(text):
    found = ANSWER.search(text)
    return found.group(1).strip() if found else ""


def correctness(prompts, completions, answer, **kwargs):
    return [2.0 if extract(each[0]["content"]) == right else 0.0 for each, right in zip(completions, answer)]


def turn(row):
    return {
        "prompt": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": row["question"]}],
        "answer": row["answer"].split("####")[1].strip(),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="Qwen/Qwen2.5-1.5B-Instruct")
    parser.add_argument("--learning-rate", type=float, default=1e-5)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--beta", type=float)
    args = parser.parse_args()
    rows = load_dataset("openai/gsm8k", "main", split="train").map(turn)
    config = GRPOConfig(
        output_dir="out",
        learning_rate=args.learning_rate,
        max_steps=args.steps,
        beta=args.beta,
        num_generations=8,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=4,
        max_prompt_length=256,
        max_completion_length=786,
        lr_scheduler_type="cosine",
        optim="adamw_torch",
        num_iterations=2,
        save_steps=100,
    )
    lora = LoraConfig(r=16, lora_alpha=64, lora_dropout=0.05, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    trainer = GRPOTrainer(model=args.model, reward_funcs=correctness, args=config, train_dataset=rows, peft_config=lora)
    trainer.train()
    trainer.push_to_hub()


if __name__ == "__main__":
    main()
