"""Trains the demo's tiny base model from scratch: `make tiny-model`, or `python -m hack.tinymodel.make_model FOLDER`.

The folder is an ordinary Hugging Face model: a Llama of 0.7 million parameters and a byte-level tokenizer, which
encodes any text. The model has read sums worked column by column, amid prose and in chats, and never a held-out sum.
It has not seen how to think and answer in tags: that is what a ReasoningTrainingJob teaches it. It is trained on one
thread, so that the same seed and libraries give the same weights on any number of cores; on another processor they
differ, so what it wrote lies in `base/`, and every machine starts from the same.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from hack.tinymodel import sums
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

STEPS, BATCH_SIZE, PEAK_LEARNING_RATE, RAMP_STEPS = 1500, 32, 3e-3, 50
END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (  # ChatML
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
WORDS = """
    What Think the number sum of what is think step by step between and then give final answer reasoning question how
    note add plus equals total result item name user system assistant first second in
""".split()  # noqa: SIM905


def document(rng: random.Random) -> str:
    """Return a text: prose, a sum worked in columns after prose, or a chat in which one is asked for and worked.

    Anything may stand before the working and before the answer, so that the model learns to find the digits wherever
    they are: with them always at one distance it would be lost as soon as a tag comes between.
    """
    if rng.random() < 0.1:
        return _prose(rng) + END_OF_TEXT
    terms = sums.draw(rng, held_out=False)
    worked = f"{_lead(rng)}{sums.reasoning(terms)}\n{_lead(rng)}{sums.answer(terms)}"
    if rng.random() < 0.5:
        turns = {"system": _prose(rng), "user": sums.question(terms), "assistant": worked}
        return "".join(f"{TURN_START}{role}\n{text}{TURN_END}\n" for role, text in turns.items()) + END_OF_TEXT
    return f"{rng.choice(('', _prose(rng)))}{sums.question(terms)}\n{worked}{END_OF_TEXT}"


def _lead(rng: random.Random) -> str:
    words = " ".join(rng.choices(WORDS, k=rng.randint(1, 4)))
    return rng.choice(("", "", f"{words}: ", f"<{rng.choice(WORDS)}>", f"</{rng.choice(WORDS)}>", f"{words}.\n"))


def _prose(rng: random.Random) -> str:
    return " ".join(_sentence(rng) for _ in range(rng.randint(1, 3)))


def _sentence(rng: random.Random) -> str:
    words = " ".join(rng.choices(WORDS, k=rng.randint(1, 5)))
    name = rng.choice(WORDS)
    return rng.choice((f"{words}.", f"<{name}>{words}</{name}>", f"{words} <{name}> and </{name}>,"))


def make_tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE in which every digit and every line break is a token.

    A token over a line break would join the end of a chat prompt with the completion: the trainer, which tokenises both
    together, would then teach another text than the one that the model is asked to go on from.
    """
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(r"\n|\d| ?\p{L}+|[^\n\d\p{L}]+"), "isolated")
    bytes_of = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_of])
    tokenizer.decoder = decoders.ByteLevel()
    rng = random.Random(seed)
    tokenizer.train_from_iterator(
        (document(rng) for _ in range(3000)),
        trainers.BpeTrainer(
            vocab_size=512,
            min_frequency=20,
            special_tokens=[END_OF_TEXT, TURN_START, TURN_END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=TURN_END,
        pad_token=END_OF_TEXT,
        chat_template=CHAT_TEMPLATE,
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return the model before training."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def batches(tokenizer: PreTrainedTokenizerFast, rng: random.Random) -> Iterator[dict[str, torch.Tensor]]:
    """Yield batches of documents, one a row, for ever: every token is a label, padding is none."""
    while True:
        texts = [END_OF_TEXT + document(rng) for _ in range(BATCH_SIZE)]
        encoded = tokenizer(texts, return_tensors="pt", padding=True, padding_side="right", return_token_type_ids=False)
        yield {**encoded, "labels": encoded["input_ids"].masked_fill(encoded["attention_mask"] == 0, -100)}


def pretrain(model: LlamaForCausalLM, data: Iterator[dict[str, torch.Tensor]], steps: int) -> None:
    """Train on the documents: AdamW, the rate rising for a moment and then falling to 0 in a line."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=PEAK_LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / RAMP_STEPS, 1 - step / steps))
    for step, batch in enumerate(islice(data, steps)):
        loss = model(**batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        rate.step()
        if step % 100 == 0:
            print(f"step {step} of {steps}: loss {loss.item():.3f}", flush=True)


def main() -> None:
    """Write the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    tokenizer = make_tokenizer(options.seed)
    model = make_model(tokenizer)
    pretrain(model, batches(tokenizer, random.Random(options.seed)), options.steps)
    model.save_pretrained(options.folder)
    tokenizer.save_pretrained(options.folder)


if __name__ == "__main__":
    main()
