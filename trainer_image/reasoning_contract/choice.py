"""Chooses what trains a job, in which precision, and what generates. Decided once; it travels beside the spec as given.

Where both backends could train a job the memory of the GPU decides, which the trainer alone knows: until then the
choice says `auto`.
"""

from __future__ import annotations

from pydantic import ValidationError

from .defaults import fill_in
from .ranks import rank_of
from .rules import Part, faults
from .spec import GROUPED, Spec
from .unbuilt import unsupported


class Choice(Part):
    """What was chosen, and why."""

    backend: str
    """Backend that runs; `auto` where the trainer's GPU decides."""
    load_in: str
    """Precision of the frozen weights."""
    engine: str
    """What generates."""
    reason: str
    """Why these were chosen."""

    def applied(self, spec: Spec) -> Spec:
        """Return a spec with this choice made and every empty field filled in.

        Raises
        ------
        pydantic.ValidationError
            If the spec asks for what only another backend has.
        """
        document = spec.model_dump(by_alias=True, exclude_none=True)
        document["backend"] = self.backend
        document["model"]["loadIn"] = self.load_in
        document["inference"]["engine"] = self.engine
        document["lora"]["rank"] = rank_of(spec)
        document["reinforce"] = fill_in(document["reinforce"], self.backend, spec.model.max_sequence_length)
        return Spec.model_validate(document)


def choose(spec: Spec) -> Choice:
    """Choose what `auto` means for this spec, as far as it can be known without its model and its GPU."""
    backend, reason = _backend(spec)
    return on_backend(spec, backend, reason)


def on_backend(spec: Spec, backend: str, reason: str) -> Choice:
    """Return the choice of a backend, with the precision and the engine that go with it where the spec has none."""
    load_in: str = spec.model.load_in
    engine: str = spec.inference.engine
    if backend != "auto":
        load_in = {"unsloth": "4bit"}.get(backend, "16bit") if load_in == "auto" else load_in
        by_vllm = _gpus(spec) and (backend == "unsloth" or _can_sample_by_vllm(spec))
        engine = ("vllm" if by_vllm else "transformers") if engine == "auto" else engine
    return Choice(backend=backend, load_in=load_in, engine=engine, reason=reason)


def _can_sample_by_vllm(spec: Spec) -> bool:
    """Whether backend transformers trains with completions of vLLM: `unsupported` says why not."""
    return spec.reinforce.algorithm in GROUPED and spec.reinforce.loss_type != "vespo"


def _gpus(spec: Spec) -> int:
    return spec.parallelism.nodes * spec.parallelism.gpus_per_node


def _backend(spec: Spec) -> tuple[str, str]:
    gpus = _gpus(spec)
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
    return "auto", "the trainer's GPU decides: transformers if the job fits on it in 16 bits, else unsloth"


def _gap(spec: Spec, backend: str) -> str | None:
    """Return what keeps a backend from running a job, or None."""
    try:
        gaps = unsupported(on_backend(spec, backend, "").applied(spec))
    except ValidationError as error:
        return faults(error)[0].message
    return f"{gaps[0][0]}: {gaps[0][1]}" if gaps else None
