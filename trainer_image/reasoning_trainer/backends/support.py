"""What each backend can do: pure, so that a job is refused before any library is imported."""

from __future__ import annotations

from reasoning_contract.outcome import ExitCode
from reasoning_contract.spec import Inference, Spec

from ..errors import TrainerError
from ..families import FAMILIES


def check(spec: Spec) -> None:
    """Refuse what the backend of a resolved spec cannot do.

    Raises
    ------
    TrainerError
        With reason NotSupported, the field and a way out.
    """
    if spec.backend == "unsloth":
        _check_unsloth(spec)
    else:
        _check_transformers(spec)


def _check_transformers(spec: Spec) -> None:
    """Refuse what neither Transformers nor TRL can be told."""
    parallelism = spec.parallelism
    if parallelism.nodes * parallelism.gpus_per_node > 1 or parallelism.vllm == "server":
        raise _refusal(spec, "parallelism of more than one GPU", "set nodes and gpusPerNode to 1, vllm to colocate")
    if spec.model.load_in == "fp8":
        raise _refusal(spec, "model.loadIn fp8", "use 4bit, 8bit or 16bit, or backend unsloth")
    unheard = ["max_num_seqs", "kv_cache_dtype", "enforce_eager", "standby"]
    unheard += ["gpu_memory_utilization"] if spec.inference.engine == "transformers" else []
    changed = [name for name in unheard if getattr(spec.inference, name) != Inference.model_fields[name].default]
    if changed:
        names = ", ".join(Inference.model_fields[name].alias or name for name in changed)
        raise _refusal(spec, f"inference.{names}", "remove it, or use backend unsloth")
    family = spec.chat_template.family
    if family is not None and family not in FAMILIES:
        raise _refusal(
            spec,
            f"chatTemplate.family {family}",
            "leave family empty to use the template of the model's tokenizer, give jinja, or use backend unsloth",
        )


def _check_unsloth(spec: Spec) -> None:
    if spec.inference.engine == "vllm" and spec.model.trust_remote_code:
        what = "model.trustRemoteCode with inference.engine vllm"
        raise _refusal(spec, what, "use inference.engine transformers")
    if spec.reinforce.algorithm == "PPO":
        raise _refusal(spec, "reinforce.algorithm PPO", "use GRPO, or backend transformers")
    if spec.inference.kv_cache_dtype == "fp8" and spec.inference.engine != "vllm":
        raise _refusal(spec, "inference.kvCacheDtype without vLLM", "use inference.engine vllm")
    reference = spec.reinforce.beta and spec.reinforce.algorithm not in ("DPO", "ORPO")
    if reference and spec.data.warmup and not spec.warmup.skip:
        raise _refusal(
            spec,
            "reinforce.beta above 0 after a warm-up",
            "Unsloth measures the divergence from the base model, not from the warmed-up one: set beta to 0, skip "
            "the warm-up, or use backend transformers",
        )


def _refusal(spec: Spec, what: str, hint: str) -> TrainerError:
    message = f"{what} is not supported by backend {spec.backend}"
    return TrainerError(ExitCode.NOT_SUPPORTED, "NotSupported", message, hint)
