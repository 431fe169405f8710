"""Fills the fields that a user left empty with what the algorithm's authors published, and chooses the backend.

Nothing is filled in anywhere else: what this returns is what is trained, and it is what users are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from .gpu_memory import UnknownShapeError, estimate, fits
from .rules import Part
from .spec import GROUPED, Spec
from .support import unsupported

DEFAULT_STEPS = 250

_GRPO = {
    "beta": 0.0,
    "epsilon": 0.2,
    "epsilonHigh": 0.2,
    "lossType": "grpo",
    "importanceSampling": "token",
    "scaleRewards": "group",
    "maskTruncated": False,
    "updatesPerGeneration": 1,
}
ALGORITHM_DEFAULTS: dict[str, dict[str, Any]] = {
    # Shao et al. 2024 (arXiv:2402.03300), without the KL term, as in arXiv:2503.20783 and 2503.14476
    "GRPO": _GRPO,
    # Zheng et al. 2025 (arXiv:2507.18071), section 5.1
    "GSPO": _GRPO | {"importanceSampling": "sequence", "epsilon": 3e-4, "epsilonHigh": 4e-4, "updatesPerGeneration": 4},
    # Liu et al. 2025 (arXiv:2503.20783)
    "DrGRPO": _GRPO | {"lossType": "dr_grpo", "scaleRewards": "none"},
    # Yu et al. 2025 (arXiv:2503.14476)
    "DAPO": _GRPO | {"lossType": "dapo", "epsilonHigh": 0.28, "maskTruncated": True},
    # Ahmadian et al. 2024 (arXiv:2402.14740)
    "RLOO": {"beta": 0.05, "epsilon": 0.2, "epsilonHigh": 0.2, "maskTruncated": False, "updatesPerGeneration": 1},
    # Ouyang et al. 2022 (arXiv:2203.02155), clipping of Schulman et al. 2017 (arXiv:1707.06347)
    "PPO": {"beta": 0.05, "epsilon": 0.2},
    # Rafailov et al. 2023 (arXiv:2305.18290)
    "DPO": {"beta": 0.1},
    # Hong et al. 2024 (arXiv:2403.07691)
    "ORPO": {"beta": 0.1},
    "none": {},
}
"""Values by algorithm, under the names of the spec."""


class Choice(Part):
    """The backend, the precision and the engine that were chosen, and why; `auto` where the trainer's GPU decides."""

    backend: str
    load_in: str
    engine: str
    reason: str


@dataclass(frozen=True)
class Room:
    """What decides between two backends that could both train a job: known to the trainer alone.

    Attributes
    ----------
    config
        The model's config.json.
    gpu_gib
        Memory of its GPU, GiB.
    """

    config: Mapping[str, Any]
    gpu_gib: float


def choose(spec: Spec, room: Room | None = None) -> Choice:
    """Choose what `auto` means for this spec.

    Parameters
    ----------
    spec
        The job.
    room
        Model and GPU; without them, what they decide stays open.
    """
    backend, reason = _backend(spec, room)
    gpus = spec.parallelism.nodes * spec.parallelism.gpus_per_node
    load_in: str = spec.model.load_in
    engine: str = spec.inference.engine
    if backend != "auto":
        load_in = {"unsloth": "4bit"}.get(backend, "16bit") if load_in == "auto" else load_in
        by_vllm = gpus and (backend == "unsloth" or spec.reinforce.algorithm in GROUPED)
        engine = ("vllm" if by_vllm else "transformers") if engine == "auto" else engine
    return Choice(backend=backend, load_in=load_in, engine=engine, reason=reason)


def _backend(spec: Spec, room: Room | None) -> tuple[str, str]:
    gpus = spec.parallelism.nodes * spec.parallelism.gpus_per_node
    if spec.backend != "auto":
        return spec.backend, "spec.backend asks for it"
    if gpus != 1:
        return "transformers", "no GPU: trains on the CPU" if gpus == 0 else f"{gpus} GPUs: unsloth trains on one only"
    if spec.model.load_in not in ("auto", "16bit"):
        return "unsloth", f"model.loadIn {spec.model.load_in}: unsloth needs the least memory"
    if gap := _gap(spec, "transformers"):
        return "unsloth", f"transformers cannot run it: {gap}"
    if gap := _gap(spec, "unsloth"):
        return "transformers", f"unsloth cannot run it: {gap}"
    if room is None:
        return "auto", "the trainer's GPU decides: transformers if the job fits on it in 16 bits, else unsloth"
    return _by_memory(spec, room)


def _gap(spec: Spec, backend: str) -> str | None:
    """Return what keeps a backend from running a job, or None."""
    try:
        gaps = unsupported(resolve(on_backend(spec, backend)))
    except ValidationError as error:
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return f"{gaps[0][0]}: {gaps[0][1]}" if gaps else None


def _by_memory(spec: Spec, room: Room) -> tuple[str, str]:
    """Prefer the faster backend where the job fits: TRL's steps with vLLM took half the time of Unsloth's, or less.

    docs/benchmarks.md has the figures.
    """
    whole = resolve(on_backend(spec, "transformers"))
    try:
        needed = estimate(whole, room.config, room.gpu_gib)
    except UnknownShapeError as error:
        return "unsloth", f"unsloth needs the least memory, and how much the job takes is not known: {error}"
    found = f"in 16 bits it takes {needed.total:.1f} of {room.gpu_gib:.1f} GiB by estimate"
    if fits(whole, room.config, room.gpu_gib):
        return "transformers", f"{found}, and its steps are faster than unsloth's"
    return "unsloth", f"{found}, or vLLM's share is too small for it: unsloth needs the least memory"


def on_backend(spec: Spec, backend: str) -> Spec:
    """Return a spec for a backend.

    Raises
    ------
    pydantic.ValidationError
        If the spec asks for what only another has.
    """
    return Spec.model_validate(spec.model_dump(by_alias=True, exclude_none=True) | {"backend": backend})


def resolve(spec: Spec, room: Room | None = None) -> Spec:
    """Return the spec with every choice made: no `auto` and no empty field whose value the algorithm decides.

    Fields that the algorithm does not have stay empty. `resolve` of a resolved spec is the same spec. What only the
    trainer's GPU decides (`choose`) stays `auto` without a `room`.
    """
    choice = choose(spec, room)
    document = spec.model_dump(by_alias=True, exclude_none=True)
    document["backend"] = choice.backend
    document["model"]["loadIn"] = choice.load_in
    document["inference"]["engine"] = choice.engine
    document["reinforce"] = _resolve_reinforce(document["reinforce"], choice.backend, spec.model.max_sequence_length)
    return Spec.model_validate(document)


def _resolve_reinforce(given: dict[str, Any], backend: str, max_sequence_length: int) -> dict[str, Any]:
    filled = ALGORITHM_DEFAULTS[given["algorithm"]] | given
    if "epsilon" in given and "epsilonHigh" not in given and "epsilonHigh" in filled:
        filled["epsilonHigh"] = given["epsilon"]  # a user who sets one range means a symmetric one
    if "steps" not in given and "epochs" not in given:
        filled["steps"] = DEFAULT_STEPS
    if filled["optimizer"] == "auto" and backend != "auto":
        filled["optimizer"] = "adamw_8bit" if backend == "unsloth" else "adamw"
    filled.setdefault("maxPromptLength", max_sequence_length - filled["maxCompletionLength"])
    return filled
