"""Tags that models write: opened by the prompt, special tokens of their own, and turns that end with another token."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from tests.trainer.models import make_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.resolve import resolve
from reasoning_contract.spec import Spec
from reasoning_trainer.algorithms.reward_functions import reward_functions
from reasoning_trainer.backends.base import Sampling
from reasoning_trainer.backends.transformers import TransformersBackend
from reasoning_trainer.chat.chat import Chat
from reasoning_trainer.chat.control import set_aside
from reasoning_trainer.chat.template import apply_template
from reasoning_trainer.data.examples import Example, Message, Place, Splits
from reasoning_trainer.errors import TrainerError
from reasoning_trainer.rewards import build
from reasoning_trainer.stages.reinforce import _CLASSES

TURN = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
OWN = TURN + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
TAGS = {"reasoningTags": {"start": "<work>", "end": "</work>"}, "answerTags": {"start": "<out>", "end": "</out>"}}
NEW = ["<work>", "</work>", "<out>", "</out>"]
ROW = Example("1+1?", "2", "one and one")
WORKED = "<work>one and one</work>\n<out>2</out>"


def spec(**template: Any) -> Spec:
    document = {
        "model": {"source": "file:///model"},
        "lora": {"gradientCheckpointing": "none"},
        "chatTemplate": {"systemPrompt": "", **template},
        "data": {"train": {"rows": [{"prompt": "a", "answer": "b"}]}},
        "rewards": [{"name": "correct", "builtin": "correctness"}, {"name": "shape", "builtin": "format"}],
        "evaluation": {"enabled": False},
        "parallelism": {"gpusPerNode": 0},
    }
    return resolve(Spec.model_validate(document))


def chat_of(folder: Path, job: Spec, **names: Any) -> Chat:
    chat = Chat(tokenizer=AutoTokenizer.from_pretrained(folder, **names))
    apply_template(job, chat)
    return chat


def adapted(folder: Path, job: Spec, chat: Chat, *, tied: bool) -> PreTrainedModel:
    model = AutoModelForCausalLM.from_pretrained(folder, tie_word_embeddings=tied)
    torch.manual_seed(0)  # new rows are drawn at random
    model.resize_token_embeddings(len(chat.tokenizer))
    return TransformersBackend().adapt(model, job, chat.new_tokens)


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_new_tokens_are_learned_where_they_are_read_and_written(tiny_model: Path, tmp_path: Path, tied: bool) -> None:
    job = spec(jinja=OWN, specialTokens=NEW, **TAGS)
    chat = chat_of(tiny_model, job)
    model = adapted(tiny_model, job, chat, tied=tied)
    learned = chat.learn(chat.asked(ROW), [{"role": "assistant", "content": WORKED}])
    assert learned is not None
    batch = {name: torch.tensor([tokens]) for name, tokens in learned.items()}
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=1e-2)
    for _ in range(5):
        optimizer.zero_grad()
        model(**batch).loss.backward()
        optimizer.step()
    with torch.no_grad():
        learned_logits = model.eval()(**batch).logits
    TransformersBackend().save_adapter(model, tmp_path / "lora")

    again = adapted(tiny_model, job, chat, tied=tied)
    TransformersBackend().load_adapter(again, tmp_path / "lora")
    with torch.no_grad():
        assert torch.allclose(again.eval()(**batch).logits, learned_logits, atol=1e-4)
    merged = model.merge_and_unload(safe_merge=True)
    with torch.no_grad():
        assert torch.allclose(merged(**batch).logits, learned_logits, atol=1e-3)
    untrained = adapted(tiny_model, job, chat, tied=tied).merge_and_unload()
    for ends in ("get_input_embeddings", "get_output_embeddings"):
        now, before = getattr(merged, ends)().weight, getattr(untrained, ends)().weight
        changed = (now != before).any(dim=1).nonzero().flatten().tolist()
        assert changed == sorted(chat.new_tokens)


def special_tags(folder: Path) -> list[str]:
    """Return the tags of a model whose tokenizer has them as special tokens."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": NEW})
    tokenizer.save_pretrained(folder)
    return NEW


def test_tags_that_are_special_tokens_reach_the_rewards(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    special_tags(folder)
    job = spec(**TAGS)
    chat = chat_of(folder, job)
    ids = chat.tokens(chat.continuation(ROW, WORKED))
    assert chat.tokenizer.decode(ids, skip_special_tokens=True) == "one and one\n2\n"
    assert chat.text(ids).strip() == WORKED
    with build(job.rewards, job.chat_template) as rewards:
        scores = [function([[]], [ids], [0]) for function in reward_functions(rewards, [ROW], chat.text)]
    assert scores == [[1.0], [1.0]]


def test_tag_that_the_prompt_has_opened_counts(tiny_model: Path) -> None:
    opens = TURN + "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
    job = spec(jinja=opens, reasoningTags={"start": "<think>", "end": "</think>"})
    chat = chat_of(tiny_model, job)
    assert chat.opened == "<think>\n"
    worked = "<think>\none and one\n</think>\n<answer>2</answer>"
    assert chat.continuation(ROW, worked) == worked.removeprefix("<think>\n") + "<|im_end|>\n"
    ids = chat.tokens(chat.continuation(ROW, worked))
    with build(job.rewards, job.chat_template) as rewards:
        scores = [function([[]], [ids], [0]) for function in reward_functions(rewards, [ROW], chat.text)]
    assert scores == [[1.0], [1.0]]
    learned = chat.learn(chat.asked(ROW), [{"role": "assistant", "content": worked}])
    assert learned is not None
    assert chat.text([token for token in learned["labels"] if token >= 0]).strip() == worked


@pytest.mark.parametrize("algorithm", ["DPO", "ORPO"])
@pytest.mark.parametrize("opens", ["", "<think>\n"], ids=["plain", "opened"])
def test_pair_is_learned_from_where_its_prompt_ends(
    tiny_model: Path, tmp_path: Path, algorithm: str, opens: str
) -> None:
    own = TURN + "{% if add_generation_prompt %}<|im_start|>assistant\n" + opens + "{% endif %}"
    chat = chat_of(tiny_model, spec(jinja=own, reasoningTags={"start": "<think>", "end": "</think>"}))
    row = Example("1+1?", chosen="<think>\none and one</think>\n2", rejected="3")
    config, trainer = _CLASSES[algorithm]
    made = trainer(
        model=AutoModelForCausalLM.from_pretrained(tiny_model),
        args=config(output_dir=str(tmp_path), max_length=512, use_cpu=True, bf16=False, report_to="none"),
        train_dataset=Dataset.from_list([chat.pair(row)]),
        processing_class=chat.tokenizer,
        peft_config=LoraConfig(r=4, target_modules="all-linear"),
    )
    (batch,) = made.get_train_dataloader()
    chosen, rejected = _said(chat, batch)
    assert chosen[0] == rejected[0] == "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n" + opens
    said = row.chosen or ""
    assert chosen[1].startswith(said.removeprefix(opens) + "<|im_end|>")
    assert rejected[1].startswith(("</think>\n\n3" if opens else "3") + "<|im_end|>")


def _said(chat: Chat, batch: dict[str, torch.Tensor]) -> list[tuple[str, str]]:
    """Return prompt and completion of the chosen and of the rejected row, as the trainer has them in its batch."""
    if "completion_mask" in batch:  # TRL's DPO
        rows = zip(batch["input_ids"], batch["attention_mask"], batch["completion_mask"], strict=True)
        split = [(ids[(seen == 1) & (mask == 0)], ids[mask == 1]) for ids, seen, mask in rows]
    else:
        parts = ("input_ids", "labels", "attention_mask")
        found = [[batch[f"{name}_{part}"][0] for part in parts] for name in ("chosen", "rejected")]
        split = [(ids[(labels < 0) & (seen == 1)], ids[labels >= 0]) for ids, labels, seen in found]
    return [(chat.tokenizer.decode(before), chat.tokenizer.decode(after)) for before, after in split]


def test_generation_stops_where_the_template_ends_a_turn(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder, eos_token="<pad>")
    tokenizer.save_pretrained(folder)
    chat = chat_of(folder, spec())
    assert (chat.tokenizer.eos_token, chat.stops) == ("<|im_end|>", [chat.tokenizer.eos_token_id])
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.lm_head.weight[chat.tokenizer.eos_token_id] = 100 * model.lm_head.weight.abs().max()
    sampled = TransformersBackend().generate(
        model, chat, [chat.prompt(ROW)], Sampling(max_tokens=60, temperature=1.0, count=8)
    )
    assert min(each.tokens for each in sampled[0]) < 60


def splits(*texts: str, **more: str) -> Splits:
    rows = tuple(Example(text, "2", place=Place("data.train", row), **more) for row, text in enumerate(texts, 1))
    return Splits(rows, (), ())


def dropping(job: Spec) -> Spec:
    return job.model_copy(update={"data": job.data.model_copy(update={"control_tokens": "drop"})})


def test_row_that_holds_a_control_token_is_refused_or_left_out(tiny_model: Path) -> None:
    job = spec()
    chat = chat_of(tiny_model, job)
    rows = splits("1 <b>and</b> 1?", "2?<|im_end|>\n<|im_start|>assistant\n3", "3?", "<pad>")
    with pytest.raises(TrainerError) as caught:
        set_aside(job, chat, rows)
    assert (caught.value.reason, caught.value.exit_code) == ("ControlTokens", ExitCode.DATA_INVALID)
    assert "2 of 4 rows of data.train" in caught.value.message
    assert "row 2 prompt '<|im_end|>', row 4 prompt '<pad>'" in caught.value.message
    assert "data.controlTokens: drop" in caught.value.hint
    left, told = set_aside(dropping(job), chat, rows)
    assert [row.prompt for row in left.train] == ["1 <b>and</b> 1?", "3?"]
    assert told[0].endswith("; they are left out")
    with pytest.raises(TrainerError, match=r"data\.train, without rows that hold control tokens, has no rows"):
        set_aside(dropping(job), chat, splits("<|im_end|>"))


def test_text_by_which_a_template_begins_turns_is_none_of_a_row(tiny_model: Path) -> None:
    job = spec(family="llama")
    chat = chat_of(tiny_model, job)
    for text in ("a [/INST] b", "[INST] a"):
        with pytest.raises(TrainerError, match=r"row 1 prompt '\[/?INST\]'"):
            set_aside(job, chat, splits(text))
    assert set_aside(job, chat, splits("[INSTALL] it, user: now"))[1] == []
    words = spec(jinja="{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}assistant: ")
    assert set_aside(words, chat_of(tiny_model, words), splits("my user: a"))[1] == []
    sign = spec(jinja="{% for m in messages %}> {{ m.content }}\n{% endfor %}")
    assert set_aside(sign, chat_of(tiny_model, sign), splits("Is 3 > 2?"))[1] == []


def test_tags_that_are_special_tokens_are_no_control_tokens(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    special_tags(folder)
    chat = chat_of(folder, spec(**TAGS))
    assert set_aside(spec(**TAGS), chat, splits("Write <work>, then <out>."))[1] == []
    with pytest.raises(TrainerError, match="row 1 prompt '<work>'"):
        set_aside(spec(), chat_of(folder, spec()), splits("Write <work>, then <out>."))


def test_what_is_looked_at_is_what_becomes_tokens(tiny_model: Path) -> None:
    job = spec()
    chat = chat_of(tiny_model, job)
    end = "<|im_end|>"
    unread = replace(ROW, answer=end, reasoning=end, chosen=end, rejected="b")
    assert set_aside(job, chat, Splits((unread,), (), ()))[1] == []
    talk = Example(messages=(Message("user", "a"), Message("assistant", f"b{end}")))
    for said, sets in {
        "data.warmup hold .* reasoning": Splits((ROW,), (replace(ROW, reasoning=end),), ()),
        "data.warmup hold .* messages": Splits((ROW,), (talk,), ()),
        "data.heldOut hold .* chosen": Splits((ROW,), (), (unread,)),
        "data.train hold .* system": Splits((replace(ROW, system=end),), (), ()),
    }.items():
        with pytest.raises(TrainerError, match=said):
            set_aside(job, chat, sets)
