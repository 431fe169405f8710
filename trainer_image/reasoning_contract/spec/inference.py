"""How completions are generated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..rules import Part
from .types import Positive


class Inference(Part):
    """How completions are generated, during RL and in the evaluation."""

    engine: Literal["auto", "vllm", "transformers"] = "auto"
    """`auto`: vllm where the job has a GPU and backend or algorithm generate with it, else transformers."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, lt=1)] = 0.6
    """Share of the GPU's memory that vLLM may take. 0.5 to 0.8 suits most jobs. On backend transformers with weights of
    16 bits it takes no more of it than the completions of a step need."""
    max_num_seqs: Positive | None = None
    """Most sequences that vLLM decodes at once; when empty the completions of a step, 255 at most."""
    kv_cache_dtype: Literal["auto", "fp8"] = "auto"
    """Precision of vLLM's key-value cache."""
    enforce_eager: bool = False
    """Do not capture CUDA graphs: less memory, slower decoding."""
    standby: bool = False
    """Let vLLM give its memory back while the model is updated."""
