"""How much memory of a GPU a job takes at most, from its spec and the model's config.json alone.

Every term is counted from what the libraries keep, and none is fitted to a measurement; docs/benchmarks.md compares
them with what was measured. Lengths are the longest that the spec allows: a job whose rows are shorter takes less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reasoning_contract.ranks import rank_of
from reasoning_contract.spec import PREFERENCE, Spec

from ..environment import LOGIT_ROWS
from .engine_sizes import batch_tokens, completions, sequences

GIB = 1 << 30
CONTEXT_GIB = 0.6
"""CUDA context, cuBLAS workspaces and kernels: what a process holds beside PyTorch's allocator. 0.5 to 0.7 is usual."""
LOGIT_BYTES = {"transformers": 16, "unsloth": 22}
"""Bytes that a logit costs at the peak, by backend.

TRL 1.12 (``GRPOTrainer._get_per_token_logps_and_entropies``) has, as the backward pass begins, the scaled logits and
three gradients of their size, of ``gather``, of every ``logsumexp`` and of their stack, in 32 bits each. Unsloth
(``chunked_hidden_states_selective_log_softmax_recompute``, as `environment` has it) keeps none: it computes them anew
by `LOGIT_ROWS` tokens, in 16 bits, with five more of their size in 32.
"""
QUANTISED_BYTES = {
    "16bit": 2.0,
    "8bit": 1.0,
    "fp8": 1.0,
    # nf4 in blocks of 64, with a scale of 32 bits a block (Dettmers et al. 2023, arXiv:2305.14314, section 3) ...
    ("transformers", "4bit"): 0.5 + 4 / 64,
    # ... or, double quantised, of 8 bits and 32 more for 256 blocks
    ("unsloth", "4bit"): 0.5 + 1 / 64 + 4 / (64 * 256),
}
"""Bytes of a weight of a linear layer, by ``model.loadIn``, and by backend where that matters."""
MOMENTS = {"adamw": 2.0, "adamw_8bit": 0.5, "paged_adamw_8bit": 0.5}
"""Size of both of AdamW's moments, in parameters of 32 bits; block-wise scales (1 in 256) are left out."""
CACHE_BLOCK = 16
"""Tokens of one block of vLLM's cache: a sequence takes whole ones."""


class UnknownShapeError(ValueError):
    """A model of which config.json does not tell enough; the message names what is missing."""


@dataclass(frozen=True)
class Shape:
    """What of a decoder's config.json decides its size.

    Attributes
    ----------
    layers, hidden, intermediate, vocabulary
        Their number, and widths in elements.
    query, key_value
        Width of all query heads, and of all heads that keys, and values, have.
    tied
        Whether the head's weights are the embedding's.
    """

    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    query: int
    key_value: int
    tied: bool

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Shape:
        """Return the shape that a config.json describes.

        Raises
        ------
        UnknownShapeError
            If it is not that of a dense decoder of attention and gated MLP layers.
        """
        text = config.get("text_config") or config
        if any(text.get(name) for name in ("num_experts", "num_local_experts", "n_routed_experts")):
            raise UnknownShapeError("a mixture of experts: only dense models are estimated")
        names = ("num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size", "num_attention_heads")
        missing = [name for name in names if not isinstance(text.get(name), int)]
        if missing:
            raise UnknownShapeError(f"config.json has no {', '.join(missing)}")
        layers, hidden, intermediate, vocabulary, heads = (text[name] for name in names)
        head = text.get("head_dim") or hidden // heads
        return cls(
            layers=layers,
            hidden=hidden,
            intermediate=intermediate,
            vocabulary=vocabulary,
            query=heads * head,
            key_value=(text.get("num_key_value_heads") or heads) * head,
            tied=bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
        )

    @property
    def modules(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of a layer's linear modules."""
        hidden, intermediate = self.hidden, self.intermediate
        return {
            "q_proj": (hidden, self.query),
            "k_proj": (hidden, self.key_value),
            "v_proj": (hidden, self.key_value),
            "o_proj": (self.query, hidden),
            "gate_proj": (hidden, intermediate),
            "up_proj": (hidden, intermediate),
            "down_proj": (intermediate, hidden),
        }

    @property
    def linear(self) -> int:
        """Weights of all layers."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.modules.values())

    @property
    def embeddings(self) -> int:
        """Weights of the embedding and, where it has its own, the head."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """Weights of the model, but for norms and biases."""
        return self.linear + self.embeddings

    def cache_bytes(self, bits: int) -> float:
        """Return the bytes of one token's keys and values."""
        return 2 * self.layers * self.key_value * bits / 8


@dataclass(frozen=True)
class Estimate:
    """Memory at the peak, GiB, by what holds it.

    Attributes
    ----------
    weights
        Frozen weights that are trained through, and the head's in 32 bits where it computes so; those that vLLM shares
        with Unsloth are counted here.
    adapter
        The adapter, its gradients, and the reference's copy where there is one.
    optimizer
        Moments.
    activations
        What the forward pass keeps for the backward pass.
    work
        The larger of logits with their gradients and one layer that is computed again.
    engine
        The rest of what vLLM holds: with a GPU of known size its share of that, or less where it is told what it needs;
        else the least that it starts with.
    rewards
        Reward models that score on the same GPU.
    context
        What the process holds beside PyTorch's allocator.
    """

    weights: float
    adapter: float
    optimizer: float
    activations: float
    work: float
    engine: float
    rewards: float = 0.0
    context: float = CONTEXT_GIB

    @property
    def total(self) -> float:
        """Sum, GiB."""
        return self.trainer + self.engine

    @property
    def trainer(self) -> float:
        """Sum of all but the engine, GiB."""
        own = self.weights + self.adapter + self.optimizer + self.activations + self.work
        return own + self.rewards + self.context

    def __str__(self) -> str:
        names = ("weights", "adapter", "optimizer", "activations", "work", "engine", "rewards", "context")
        there = (name for name in names if name != "rewards" or self.rewards)
        parts = ", ".join(f"{name} {getattr(self, name):.1f}" for name in there)
        return f"{self.total:.1f} GiB: {parts}"


def estimate(spec: Spec, config: Mapping[str, Any], gpu_gib: float | None = None, rewards_gib: float = 0.0) -> Estimate:
    """Return the memory that a job on one GPU takes at its peak.

    Parameters
    ----------
    spec
        A resolved spec, for one GPU.
    config
        The model's config.json.
    gpu_gib
        Memory of the GPU, GiB, of which vLLM takes its share; without it, the least that vLLM starts with.
    rewards_gib
        What reward models take of it, GiB: see `reward_models_gib`.

    Raises
    ------
    UnknownShapeError
        If config.json does not tell enough.
    """
    shape = Shape.read(config)
    adapter = adapter_parameters(spec, shape)
    in_bytes = 2 if spec.backend == "transformers" and spec.model.load_in in ("4bit", "8bit") else 4
    copies = 2 + (_has_reference(spec) and spec.backend == "transformers")
    weights = _weight_bytes(spec, shape)
    critic = 2 if spec.reinforce.algorithm == "PPO" else 1
    fixed = Estimate(
        weights=(critic * weights + _head_bytes(spec, shape)) / GIB,
        adapter=critic * copies * adapter * in_bytes / GIB,
        optimizer=critic * adapter * in_bytes * _moments(spec) / GIB,
        activations=0.0,
        work=0.0,
        engine=_engine(spec, shape, weights, gpu_gib) / GIB,
        rewards=rewards_gib,
    )
    peaks = [replace(fixed, activations=kept / GIB, work=work / GIB) for kept, work in _peaks(spec, shape)]
    return max(peaks, key=lambda peak: peak.total)


def fits(spec: Spec, config: Mapping[str, Any], gpu_gib: float, rewards_gib: float = 0.0) -> bool:
    """Whether a job runs on a GPU of that size: trainer and vLLM's share together, and what vLLM needs in its share.

    Parameters
    ----------
    spec, config, rewards_gib
        As for `estimate`.
    gpu_gib
        Memory of the GPU, GiB.
    """
    least, whole = estimate(spec, config), estimate(spec, config, gpu_gib, rewards_gib)
    return whole.total <= gpu_gib and least.engine <= whole.engine


def least_gpu_gib(spec: Spec, config: Mapping[str, Any], rewards_gib: float = 0.0) -> float:
    """Return the memory of the smallest GPU that a job fits on, GiB.

    Parameters
    ----------
    spec, config, rewards_gib
        As for `estimate`.
    """
    least = estimate(spec, config, rewards_gib=rewards_gib)
    if spec.inference.engine != "vllm":
        return least.total
    share = spec.inference.gpu_memory_utilization
    shared = least.weights if spec.backend == "unsloth" else 0.0
    beside = (least.trainer - shared) / (1 - share)
    if sizes_its_cache(spec):
        beside = min(beside, least.trainer - shared + _needed(spec, Shape.read(config)) / GIB)
    return max(beside, (least.engine + shared) / share)


def sizes_its_cache(spec: Spec) -> bool:
    """Whether vLLM is told how large its cache must be: not where TRL starts it, beside quantised weights."""
    return spec.inference.engine == "vllm" and (spec.backend == "unsloth" or spec.model.load_in == "16bit")


def engine_cache_bytes(spec: Spec, shape: Shape, gpu_bytes: float) -> int:
    """Return the bytes of keys and values of all completions of a step, as far as vLLM's share holds them.

    Parameters
    ----------
    spec
        A resolved spec.
    shape
        The model's.
    gpu_bytes
        Memory of the GPU.
    """
    room = spec.inference.gpu_memory_utilization * gpu_bytes - _weight_bytes(spec, shape) - _engine_work(spec, shape)
    return int(max(min(_cache_bytes(spec, shape, completions(spec)), room), _cache_bytes(spec, shape, 1)))


def _weight_bytes(spec: Spec, shape: Shape) -> float:
    load_in = spec.model.load_in
    linear = QUANTISED_BYTES.get(load_in) or QUANTISED_BYTES[spec.backend, load_in]
    return shape.linear * linear + shape.embeddings * 2


def _head_bytes(spec: Spec, shape: Shape) -> float:
    return shape.vocabulary * shape.hidden * 4 if spec.reinforce.fp32_lm_head else 0.0


def adapter_parameters(spec: Spec, shape: Shape) -> int:
    """Return the weights of the adapter.

    Hu et al. 2021 (arXiv:2106.09685): rank x (inputs + outputs) a module; a strange name counts as the largest.
    """
    modules, targets = shape.modules, spec.lora.target_modules
    named = list(modules) if targets == ["all-linear"] else targets
    largest = max(modules.values(), key=sum)
    return shape.layers * rank_of(spec) * sum(sum(modules.get(name, largest)) for name in named)


def _moments(spec: Spec) -> float:
    """Return the size of AdamW's moments in the stage whose optimizer keeps most."""
    optimizers = [spec.reinforce.optimizer, *([spec.warmup_optimizer] if spec.warms_up else [])]
    return max(MOMENTS[name] for name in optimizers)


def _has_reference(spec: Spec) -> bool:
    return bool(spec.reinforce.beta) and spec.reinforce.algorithm not in (*PREFERENCE, "none")


def _peaks(spec: Spec, shape: Shape) -> list[tuple[float, float]]:
    """Return, for each stage, the bytes that are kept for the backward pass and those that it works in."""
    reinforce, longest = spec.reinforce, spec.model.max_sequence_length
    peaks = [(0.0, _generation_bytes(spec, shape))]
    if spec.warms_up:
        peaks.append(_training_bytes(spec, shape, spec.warmup.batch_size * longest, spec.warmup.batch_size * longest))
    if reinforce.algorithm in PREFERENCE:
        pairs = 2 * reinforce.batch_size * longest
        peaks.append(_training_bytes(spec, shape, pairs, pairs))
    elif reinforce.algorithm != "none":
        prompt = reinforce.max_prompt_length or longest - reinforce.max_completion_length
        completion = reinforce.batch_size * reinforce.max_completion_length
        peaks.append(_training_bytes(spec, shape, reinforce.batch_size * prompt + completion, completion))
    return peaks


def _training_bytes(spec: Spec, shape: Shape, tokens: int, scored: int) -> tuple[float, float]:
    """Return what `tokens` tokens leave for the backward pass, of which `scored` have logits, and what it works in."""
    layer = layer_bytes(spec, shape)
    rows = min(scored / 4, LOGIT_ROWS) if spec.backend == "unsloth" else scored
    logits = rows * shape.vocabulary * LOGIT_BYTES[spec.backend]
    again = tokens * (layer + 4 * shape.intermediate)  # and the gradients of the two halves of the MLP
    inputs = tokens * shape.hidden * 2
    kept = {
        "none": (shape.layers * tokens * layer, logits),
        "standard": (shape.layers * inputs, max(logits, again)),
        # the others' inputs lie in the machine's memory: one is used, one is on its way
        "unsloth": (2 * inputs, max(logits, again)),
    }
    return kept[spec.lora.gradient_checkpointing]


def layer_bytes(spec: Spec, shape: Shape) -> float:
    """Return what one token leaves in one layer for the backward pass, bytes.

    As Korthikanti et al. 2022 (arXiv:2205.05198, section 4) count it, for layers with a gated MLP whose weights are
    frozen under an adapter: a frozen linear layer keeps nothing, its adapter keeps the input. In 16 bits but for the
    norms, which Transformers computes in 32.
    """
    hidden, query, intermediate = shape.hidden, shape.query, shape.intermediate
    if spec.backend == "unsloth":
        # its kernels keep one input for all modules that read it, norm in 16 bits, and compute the MLP's product again
        return 2 * (4 * hidden + query + 2 * intermediate) + 2 * (2 * query + 2 * shape.key_value)
    norms = 2 * 4 * hidden
    inputs = 2 * sum(inputs for inputs, _ in shape.modules.values())  # PEFT casts each module's input for itself
    attention = 2 * 4 * query  # queries, keys and values repeated for every head, output
    product = 2 * 3 * intermediate  # gate, its activation, and what that is multiplied with
    return norms + inputs + attention + product


def _generation_bytes(spec: Spec, shape: Shape) -> float:
    """Return what Transformers needs to generate all completions of a step: vLLM has its own."""
    if spec.inference.engine == "vllm":
        return 0.0
    completions = spec.reinforce.batch_size * spec.reinforce.gradient_accumulation
    return completions * (spec.model.max_sequence_length * shape.cache_bytes(16) + shape.vocabulary * 16)


def _engine(spec: Spec, shape: Shape, weights: float, gpu_gib: float | None) -> float:
    """Return the bytes of vLLM beside the weights that Unsloth shares with it.

    Kwon et al. 2023 (arXiv:2309.06180): keys and values take what is left of the share. It starts if one sequence fits.
    """
    inference = spec.inference
    if inference.engine != "vllm":
        return 0.0
    shared = weights if spec.backend == "unsloth" else 0.0
    if gpu_gib is None:
        return weights - shared + _cache_bytes(spec, shape, 1) + _engine_work(spec, shape)
    share = max(inference.gpu_memory_utilization * gpu_gib * GIB - shared, 0.0)
    return min(share, _needed(spec, shape) - shared) if sizes_its_cache(spec) else share


def _needed(spec: Spec, shape: Shape) -> float:
    """Return the bytes that vLLM takes with its weights and a cache for all completions of a step."""
    return _weight_bytes(spec, shape) + _cache_bytes(spec, shape, completions(spec)) + _engine_work(spec, shape)


def _engine_work(spec: Spec, shape: Shape) -> float:
    """Return what vLLM sets aside for one batch: an MLP's inputs and outputs, and logits with their sorted copy."""
    tokens = batch_tokens(spec) * 2 * (2 * shape.intermediate + 4 * shape.hidden)
    return tokens + sequences(spec) * shape.vocabulary * 12


def _cache_bytes(spec: Spec, shape: Shape, most: int) -> float:
    """Return the bytes of keys and values of so many sequences, as far as they are decoded at once."""
    blocks = -(-spec.model.max_sequence_length // CACHE_BLOCK) + 1
    bits = 8 if spec.inference.kv_cache_dtype == "fp8" else 16
    return min(most, sequences(spec)) * blocks * CACHE_BLOCK * shape.cache_bytes(bits)
