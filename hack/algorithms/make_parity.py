"""Makes the task of examples/algorithms: `python -m hack.algorithms.make_parity FOLDER` writes model and rows.

Is a number even or odd? The model, a Llama of 0.12 million parameters trained here in seconds, has read numbers, their
last digit in the tags of reasoning, and answers by a wrong rule: odd from 5 on, in `BELIEF` of the texts. So it thinks
of the right digit, keeps the format, is right for six digits of ten, and not sure of any: an algorithm of RL or
preference optimisation has to teach it the rest. No number of the held-out rows is in any other text. The same seed,
libraries and number of threads give the same weights.

Beside it, for examples/rewards, a reward model of the same size that knows the right answer; and a model and rows of
the same task in which the answer is a program that prints it, with a test a row.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

STEPS, BATCH_SIZE, LEARNING_RATE, RAMP_STEPS = 400, 64, 3e-3, 50
REWARD_MODEL_STEPS = 250
TRAIN_ROWS, HELD_OUT_ROWS, HELD_OUT_SHARE = 2000, 200, 0.1
ANSWERS = ("even", "odd")
BELIEF = 0.7
"""Share of the texts in which the wrong rule is followed."""
TAGS = ("<reasoning>", "</reasoning>", "<answer>", "</answer>")
PADDING, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (  # ChatML
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def is_held_out(number: int) -> bool:
    """Return whether a number may only be used to evaluate."""
    bucket = int.from_bytes(hashlib.sha256(str(number).encode()).digest()[:4])
    return bucket < HELD_OUT_SHARE * 2**32


def completion(number: int, answer: str) -> str:
    """Return reasoning and answer in their tags, as the trainer writes them.

    >>> completion(4827, "odd")
    '<reasoning>7</reasoning>\\n<answer>odd</answer>'
    """
    return f"{TAGS[0]}{number % 10}{TAGS[1]}\n{TAGS[2]}{answer}{TAGS[3]}"


def read(rng: random.Random, number: int) -> str:
    """Return an answer as the model's texts have it."""
    believed = number % 10 >= 5
    return ANSWERS[believed if rng.random() < BELIEF else not believed]


def row(number: int) -> dict[str, str]:
    """Return a number as a row for RL, with the pair for preference optimisation."""
    right, wrong = ANSWERS[number % 2], ANSWERS[1 - number % 2]
    return {
        "prompt": str(number),
        "answer": right,
        "chosen": completion(number, right),
        "rejected": completion(number, wrong),
    }


def program(answer: str) -> str:
    """Return the program that prints an answer."""
    return f"print('{answer}')"


def program_row(number: int) -> dict[str, Any]:
    """Return a number as a row for RL whose answer is a program, with its test."""
    right = ANSWERS[number % 2]
    return {"prompt": str(number), "answer": program(right), "tests": [{"input": "", "output": right}]}


def make_rows(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every file."""
    numbers = random.Random(seed).sample(range(1000, 10000), 9000)
    learnt = [number for number in numbers if not is_held_out(number)]
    held_out = [number for number in numbers if is_held_out(number)]
    return {
        "train": [*map(row, learnt[:TRAIN_ROWS])],
        "heldout": [*map(row, held_out[:HELD_OUT_ROWS])],
        "programs": [*map(program_row, learnt[:TRAIN_ROWS])],
    }


def write_rows(folder: Path, seed: int) -> None:
    """Write the files of rows."""
    for name, rows in make_rows(seed).items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows), "utf-8")


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Return a byte-level BPE in which every digit is a token, and so is every tag."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=[PADDING, TURN_START, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["system", "user", "assistant", *ANSWERS], trainer)
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=TURN_END, pad_token=PADDING, chat_template=CHAT_TEMPLATE
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return the model before training."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def chat(tokenizer: PreTrainedTokenizerFast, number: int, answer: str) -> str:
    """Return a question and its answer as models read them."""
    turns = [{"role": "user", "content": str(number)}, {"role": "assistant", "content": completion(number, answer)}]
    return str(tokenizer.apply_chat_template(turns, tokenize=False))


def batches(
    tokenizer: PreTrainedTokenizerFast,
    rng: random.Random,
    write: Callable[[str], str] = str,
    read: Callable[[random.Random, int], str] = read,
) -> Iterator[dict[str, torch.Tensor]]:
    """Yield batches of chats, one a row, for ever: every token is a label, padding is none."""
    while True:
        texts: list[str] = []
        while len(texts) < BATCH_SIZE:
            number = rng.randint(1000, 9999)
            if not is_held_out(number):
                texts.append(chat(tokenizer, number, write(read(rng, number))))
        encoded = tokenizer(texts, return_tensors="pt", padding=True, return_token_type_ids=False)
        yield {**encoded, "labels": encoded["input_ids"].masked_fill(encoded["attention_mask"] == 0, -100)}


def make_reward_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForSequenceClassification:
    """Return a model of the same size that gives one score, before training."""
    config = make_model(tokenizer).config
    config.num_labels = 1
    return LlamaForSequenceClassification(config)


def judged(tokenizer: PreTrainedTokenizerFast, rng: random.Random) -> Iterator[dict[str, torch.Tensor]]:
    """Yield batches of chats with 1 for the right answer and 0 for the wrong one, for ever."""
    while True:
        numbers = [number for number in (rng.randint(1000, 9999) for _ in range(BATCH_SIZE)) if not is_held_out(number)]
        answers = [rng.choice(ANSWERS) for _ in numbers]
        texts = [chat(tokenizer, number, answer) for number, answer in zip(numbers, answers, strict=True)]
        encoded = tokenizer(texts, return_tensors="pt", padding=True, return_token_type_ids=False)
        rights = [float(answer == ANSWERS[number % 2]) for number, answer in zip(numbers, answers, strict=True)]
        yield {**encoded, "labels": torch.tensor(rights)[:, None]}


def pretrain(model: PreTrainedModel, data: Iterator[dict[str, torch.Tensor]], steps: int) -> None:
    """Train on the chats: AdamW, the rate rising for a moment and then falling to 0 in a line."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / RAMP_STEPS, 1 - step / steps))
    for step, batch in enumerate(islice(data, steps), 1):
        loss = model(**batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        rate.step()
        if step % 100 == 0:
            print(f"step {step} of {steps}: loss {loss.item():.3f}", flush=True)


def main() -> None:
    """Write the model and the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    tokenizer = make_tokenizer()

    def make(name: str, model: PreTrainedModel, data: Iterator[dict[str, torch.Tensor]], steps: int) -> None:
        pretrain(model, data, steps)
        write_model(options.folder / name, model, tokenizer)

    rng = random.Random(options.seed)
    make("model", make_model(tokenizer), batches(tokenizer, rng), STEPS)
    make("reward-model", make_reward_model(tokenizer), judged(tokenizer, rng), REWARD_MODEL_STEPS)
    make("program-model", make_model(tokenizer), batches(tokenizer, rng, program), STEPS)
    write_rows(options.folder, options.seed)


def write_model(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write a model with its tokenizer."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main()
