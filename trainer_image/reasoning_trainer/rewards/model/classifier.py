"""A reward model in Transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BitsAndBytesConfig

from reasoning_contract.spec import ModelReward

from ..completion import Conversation, text_of
from .files import invalid

HEADS = ["score", "classifier", "classification_head", "v_head"]
"""Modules that give the score, which are never quantised."""


class SequenceClassifier:
    """A model that is loaded; it takes no part in the training, and draws no random numbers of it.

    Parameters
    ----------
    name
        Name of the reward, for messages.
    folder
        Its files.
    settings
        The reward's settings.
    device
        Where it is loaded.

    Raises
    ------
    TrainerError
        If the weights lack the head that scores.
    """

    def __init__(self, name: str, folder: Path, settings: ModelReward, device: str) -> None:
        self._longest, self._device = settings.max_length, device
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._tokenizer.padding_side, self._tokenizer.truncation_side = "right", "left"
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        with torch.random.fork_rng(devices=[] if device == "cpu" else [torch.device(device)]):
            self._model, loading = AutoModelForSequenceClassification.from_pretrained(
                folder,
                device_map={"": device},
                output_loading_info=True,
                use_safetensors=True,
                **precision(settings.load_in, device),
            )
        if loading["missing_keys"]:
            raise invalid(name, f"its files lack the weights {', '.join(sorted(loading['missing_keys'])[:3])}")
        self._model.config.get_text_config().pad_token_id = self._tokenizer.pad_token_id
        self._model.config.pad_token_id = self._tokenizer.pad_token_id
        self._model.eval()

    def score(self, pairs: list[tuple[str | Conversation, str | Conversation]]) -> list[float]:
        """Return the score of each prompt with its completion."""
        ids = [self._tokens(prompt, completion) for prompt, completion in pairs]
        padded = self._tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            logits = self._model(input_ids=padded["input_ids"], attention_mask=padded["attention_mask"]).logits
        return [float(score) for score in logits[:, 0].float().cpu()]

    def _tokens(self, prompt: str | Conversation, completion: str | Conversation) -> list[int]:
        """Return a conversation as the model's own template writes it; texts, or without a template, one after the
        other with a line between.
        """
        if self._tokenizer.chat_template is None or isinstance(prompt, str) or isinstance(completion, str):
            ids: list[int] = self._tokenizer(f"{text_of(prompt)}\n{text_of(completion)}")["input_ids"]
        else:
            written = self._tokenizer.apply_chat_template([*prompt, *completion], tokenize=False)
            ids = self._tokenizer(written, add_special_tokens=False)["input_ids"]
        return ids[-self._longest :]


def precision(load_in: str, device: str) -> dict[str, Any]:
    """Return how Transformers is to load weights: on a CPU it computes in 32-bit floats, on a GPU in bfloat16."""
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    if load_in == "8bit":
        return {
            "dtype": dtype,
            "quantization_config": BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=HEADS),
        }
    if load_in == "4bit":
        settings = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=HEADS,
        )
        return {"dtype": dtype, "quantization_config": settings}
    return {"dtype": dtype}
