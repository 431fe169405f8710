"""The base model of the demo, which lies in the repository, is the one that hack/tinymodel makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hack.tinymodel import make_data, make_model, sums
from transformers import AutoModelForCausalLM, AutoTokenizer

BASE = Path(__file__).parents[2] / "hack/tinymodel/base"


def test_its_tokenizer_and_shape_are_those_that_are_made(tmp_path: Path) -> None:
    tokenizer = make_model.make_tokenizer(0)
    tokenizer.save_pretrained(tmp_path)
    make_model.make_model(tokenizer).save_pretrained(tmp_path)
    made, kept = (
        {name: json.loads((folder / name).read_text("utf-8")) for name in ("config.json", "tokenizer.json")}
        for folder in (tmp_path, BASE)
    )
    assert made["tokenizer.json"]["model"] == kept["tokenizer.json"]["model"]
    assert made["config.json"] | {"transformers_version": ""} == kept["config.json"] | {"transformers_version": ""}


@pytest.mark.parametrize("held_out", [False, True])
def test_it_can_add(held_out: bool) -> None:
    tokenizer = AutoTokenizer.from_pretrained(BASE, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(BASE)
    drawn = make_data.make_files(0)["heldout" if held_out else "train"][:32]
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": sums.question(terms)}], add_generation_prompt=True, tokenize=False
        )
        for terms in drawn
    ]
    inputs = tokenizer(texts, return_tensors="pt", padding=True, return_token_type_ids=False, add_special_tokens=False)
    output = model.generate(**inputs, max_new_tokens=64, do_sample=False, pad_token_id=tokenizer.pad_token_id)
    written = tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    right = [text.strip().endswith(sums.answer(terms)) for text, terms in zip(written, drawn, strict=True)]
    assert sum(right) >= 28, written[:4]
