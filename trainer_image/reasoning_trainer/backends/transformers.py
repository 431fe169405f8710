"""Backend transformers: plain Transformers and PEFT, on a CPU, or on GPUs with TRL's vLLM."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    inject_adapter_in_model,
    set_peft_model_state_dict,
)
from peft.utils import load_peft_weights
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)
from transformers.utils import logging as transformers_logging

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.ranks import rank_of
from reasoning_contract.spec import Spec

from ..chat.chat import Chat
from ..errors import TrainerError
from ..resource_failures import is_out_of_gpu_memory, is_out_of_host_memory
from ..storage.engine_cache import exclusive
from . import find_gpu, gpu_uuid, transformers_arguments
from .base import Completion, Sampling
from .engine import Engine
from .gpu_memory import sizes_its_cache
from .hand_over import merged_weights
from .head import compute_in_32_bits
from .likelihood import log_likelihoods, token_likelihoods
from .tokenizer import load_tokenizer, unreadable

ADAPTER = "default"
"""PEFT's name of the one adapter that is trained; TRL looks for it by this name."""
LORA = ".lora_"
"""What the names of an adapter's matrices hold."""
COMPARED = "compared"
"""Name of an adapter that is only evaluated."""


class TransformersBackend:
    """Loads with Transformers, adapts with PEFT."""

    name = "transformers"

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._in_use: Engine | None = None

    def load(self, spec: Spec, folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        """Load safetensors: 32-bit floats on a CPU, else bfloat16 or quantised by bitsandbytes."""
        transformers_logging.disable_progress_bar()
        tokenizer = load_tokenizer(spec, folder)
        try:
            model = AutoModelForCausalLM.from_pretrained(folder, **_loading(spec))
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            if is_out_of_gpu_memory(error) or is_out_of_host_memory(error):
                raise
            raise unreadable(folder, error) from error
        return model, tokenizer

    def adapt(self, model: PreTrainedModel, spec: Spec, new_tokens: Sequence[int]) -> PeftModel:
        """Add a LoRA adapter whose first weights follow from the seed."""
        if new_tokens and spec.inference.engine == "vllm":
            raise TrainerError(
                ExitCode.NOT_SUPPORTED,
                "NotSupported",
                "vLLM has no room for tokens that the model's own vocabulary lacks",
                "set inference.engine: transformers, or use the model's tokens in chatTemplate",
                field="spec.chatTemplate.specialTokens",
            )
        config = LoraConfig(
            **transformers_arguments.adapter_arguments(spec),
            trainable_token_indices=_learned_tokens(model, new_tokens) if new_tokens else None,
        )
        set_seed(spec.reinforce.seed)
        try:
            adapted = get_peft_model(model, config)
        except ValueError as error:
            raise TrainerError(
                ExitCode.MODEL_INVALID, "AdapterInvalid", f"lora: {error}", "name modules that the model has"
            ) from error
        if spec.lora.gradient_checkpointing == "standard":
            adapted.enable_input_require_grads()  # not every trainer of TRL does it
        if spec.reinforce.fp32_lm_head:
            compute_in_32_bits(adapted.get_output_embeddings())
        # a set is written in another order by every process, and the artifact's hash would tell nothing
        config.target_modules = sorted(config.target_modules)
        return adapted

    def trainer_arguments(self, spec: Spec) -> dict[str, Any]:
        """Return device and precision."""
        return transformers_arguments.trainer_arguments(spec)

    def generation_arguments(self, spec: Spec, stops: Sequence[int] = ()) -> dict[str, Any]:
        """Return the engine that generates during RL, and where it stops."""
        return transformers_arguments.generation_arguments(spec, stops)

    def engine(self, spec: Spec) -> str:
        """Return vllm where this backend starts it. Beside quantised weights TRL does, for its trainers alone."""
        return "vllm" if sizes_its_cache(spec) else "transformers"

    @contextmanager
    def generating(self, spec: Spec, model: PeftModel, folder: Path, say: Callable[[str], None]) -> Iterator[None]:
        """Hand the weights over to vLLM, once, where that generates."""
        if self.engine(spec) != "vllm":
            yield
            return
        engine = self._started(spec, folder, say)
        engine.take(merged_weights(model))
        self._in_use = engine
        try:
            yield
        finally:
            self._in_use = None
            engine.rest()

    @contextmanager
    def lending(self, spec: Spec, folder: Path, say: Callable[[str], None]) -> Iterator[None]:
        """Lend vLLM to TRL, which hands it the weights before each generation."""
        if self.engine(spec) == "vllm":
            with self._started(spec, folder, say).lent():
                yield
            return
        with exclusive(say, when=spec.inference.engine == "vllm", gpu=gpu_uuid()):
            yield

    def _started(self, spec: Spec, folder: Path, say: Callable[[str], None]) -> Engine:
        if self._engine is None:
            from . import vllm_engine

            config = json.loads((folder / "config.json").read_text("utf-8"))
            with exclusive(say, when=True, gpu=gpu_uuid()):
                self._engine = vllm_engine.build(spec, folder, config, find_gpu())
        return self._engine

    def generate(
        self, model: PeftModel, chat: Chat, prompts: Sequence[str], sampling: Sampling
    ) -> list[list[Completion]]:
        """Generate with the engine in use, or one padded batch with the model itself."""
        tokenizer = chat.tokenizer
        if self._in_use is not None:
            tokens = [chat.tokens(prompt) for prompt in prompts]
            drawn = self._in_use.generate(tokens, sampling, [tokenizer.eos_token_id])
            return [[_completion(chat, each.tokens) for each in group] for group in drawn]
        batch = tokenizer(
            list(prompts), return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
        ).to(model.device)
        batch.pop("token_type_ids", None)
        config = _generation_config(tokenizer, sampling)
        model.eval()
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(sampling.seed)
            output = model.generate(**batch, generation_config=config)
        completions = [_completion(chat, row) for row in output[:, batch["input_ids"].shape[1] :].tolist()]
        return [completions[index : index + sampling.count] for index in range(0, len(completions), sampling.count)]

    def log_likelihoods(
        self,
        model: PeftModel,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Sequence[str],
        completions: Sequence[str],
    ) -> list[float]:
        """Score one padded batch."""
        return log_likelihoods(model, tokenizer, prompts, completions)

    def token_likelihoods(
        self,
        model: PeftModel,
        padding: int,
        prompts: Sequence[Sequence[int]],
        completions: Sequence[Sequence[int]],
        temperature: float,
    ) -> list[list[float]]:
        """Score padded batches."""
        return token_likelihoods(model, padding, prompts, completions, temperature)

    def switch_adapter(self, model: PeftModel, folder: Path) -> None:
        """Read the adapter with its own rank and modules, beside the one that is trained."""
        if COMPARED in model.peft_config:
            model.set_adapter(ADAPTER)
            model.delete_adapter(COMPARED)
        try:
            found = model.load_adapter(str(folder), COMPARED)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise _no_adapter(folder, str(error)) from error
        # PEFT warns of the one and says nothing of the other; what is left is the base model, or a part of the adapter
        strange = [*found.missing_keys, *(name for name in found.unexpected_keys if LORA in name)]
        if strange:
            raise _no_adapter(folder, f"{len(strange)} weights are in one of the two alone, such as {strange[0]}")
        model.set_adapter(COMPARED)

    def load_adapter(self, model: PeftModel, folder: Path) -> None:
        """Read the adapter's weights into the adapter that is trained."""
        set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"), adapter_name=ADAPTER)

    def copy_adapter(self, model: PeftModel, name: str) -> None:
        """Add an adapter of another name with the same weights."""
        weights = get_peft_model_state_dict(model, adapter_name=ADAPTER)
        model.add_adapter(name, model.peft_config[ADAPTER])
        set_peft_model_state_dict(model, weights, adapter_name=name)
        model.set_adapter(ADAPTER)

    def value_model(self, spec: Spec, folder: Path) -> PreTrainedModel:
        """Load the model a second time, with a LoRA adapter of its own and a trained head for one number."""
        with _errors_only():  # that the files have no such head is no news
            model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1, **_loading(spec))
        model.requires_grad_(False)
        lora = LoraConfig(r=rank_of(spec), lora_alpha=spec.lora.alpha, target_modules="all-linear", task_type="SEQ_CLS")
        set_seed(spec.reinforce.seed)
        inject_adapter_in_model(lora, model)
        nn.init.zeros_(model.score.weight)
        model.score.requires_grad_(True)
        return model

    def save_adapter(self, model: PeftModel, folder: Path) -> None:
        """Write the adapter alone: a reference that TRL keeps beside it is none of the result."""
        model.save_pretrained(folder, selected_adapters=[ADAPTER])
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's form of a model card, not filled in

    def save_merged(self, model: PeftModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
        """Merge in the precision of training, a quantised base read anew, and round once, to bfloat16."""
        if getattr(model.get_base_model(), "is_quantized", False):
            model = _on_unquantised_base(model)
        merged = model.merge_and_unload(safe_merge=True, adapter_names=[ADAPTER])
        merged.to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _learned_tokens(model: PreTrainedModel, tokens: Sequence[int]) -> dict[str, list[int]]:
    """Return the tokens that are learned by module: where they are read, and where they are written.

    Of tied weights PEFT learns one copy for both.
    """
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    names = {module: name for name, module in model.named_modules()}
    return {names[module]: list(tokens) for module in ends}


def _no_adapter(folder: Path, what: str) -> TrainerError:
    return TrainerError(
        ExitCode.MODEL_INVALID,
        "AdapterInvalid",
        f"{folder} is no adapter for this model: {what}",
        "give a folder with the adapter_config.json and weights of an adapter for the manifest's model.source",
    )


def _on_unquantised_base(model: PeftModel) -> PeftModel:
    """Load the base a second time, in 32 bits into main memory, and put the adapter on it."""
    quantised = model.get_base_model()
    base = type(quantised).from_pretrained(quantised.name_or_path, dtype=torch.float32, use_safetensors=True)
    if base.vocab_size != quantised.vocab_size:
        base.resize_token_embeddings(quantised.vocab_size)
    base.generation_config = quantised.generation_config
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder, selected_adapters=[ADAPTER])
        return PeftModel.from_pretrained(base, folder)


def _loading(spec: Spec) -> dict[str, Any]:
    precision = transformers_arguments.precision_arguments(spec)
    quantised = transformers_arguments.quantisation_arguments(spec)
    dtype = getattr(torch, precision["dtype"])
    arguments = transformers_arguments.model_arguments(spec) | {"dtype": dtype}
    if "device" in precision:
        arguments["device_map"] = {"": precision["device"]}
    if quantised:
        arguments["quantization_config"] = BitsAndBytesConfig(**quantised, bnb_4bit_compute_dtype=dtype)
    return arguments


@contextmanager
def _errors_only() -> Iterator[None]:
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)


def _generation_config(tokenizer: PreTrainedTokenizerBase, sampling: Sampling) -> GenerationConfig:
    drawn = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
    }
    return GenerationConfig(
        max_new_tokens=sampling.max_tokens,
        do_sample=sampling.temperature > 0,
        num_return_sequences=sampling.count,
        # the model's own generation settings would make a greedy evaluation something else
        repetition_penalty=1.0,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **(drawn if sampling.temperature > 0 else {}),
    )


def _completion(chat: Chat, tokens: list[int]) -> Completion:
    end_token = chat.tokenizer.eos_token_id
    end = tokens.index(end_token) + 1 if end_token in tokens else len(tokens)
    return Completion(chat.text(tokens[:end]), end, tuple(tokens[:end]))
