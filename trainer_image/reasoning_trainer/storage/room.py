"""How much of the volume a run takes at its largest: pure, from the numbers of parameters."""

from __future__ import annotations

from dataclasses import dataclass

from reasoning_contract.ranks import rank_of
from reasoning_contract.spec import Spec

GIB = 1 << 30
UNITS = {"": 0, "k": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4, "P": 1000**5}
BINARY = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50}
ADAPTER_BYTES = 4
"""Of a weight of the adapter in a checkpoint: both backends train it in 32 bits."""
MOMENT_BYTES = {"adamw": 8, "adamw_8bit": 2, "paged_adamw_8bit": 2, "auto": 8}
"""Of AdamW's two moments, for each of those weights; the larger where the backend is still to choose the optimizer."""
BITS = {
    "f32": 32.0,
    "f16": 16.0,
    "bf16": 16.0,
    "q8_0": 8.5,
    "q6_k": 6.6,
    "q5": 5.5,
    "q4": 4.5,
    "iq4": 4.25,
    "q3": 3.4,
    "q2": 2.6,
}
"""Least bits a weight of llama.cpp's types, by the beginning of their names."""
NF4_BITS = 4.5


@dataclass(frozen=True)
class Room:
    """What a run writes, bytes.

    Attributes
    ----------
    checkpoints
        Checkpoints of all stages, and the adapters at their ends; one more than is kept while it is written.
    exports
        Every format that is asked for, and what the formats are made from.
    """

    checkpoints: float
    exports: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.checkpoints + self.exports

    def __str__(self) -> str:
        return f"{_gib(self.checkpoints)} for checkpoints and {_gib(self.exports)} for exports"


def room(spec: Spec, parameters: int, trained: int) -> Room:
    """Return what a run takes of its volume at its largest.

    Parameters
    ----------
    spec
        A resolved spec.
    parameters
        Of the model, without its adapter.
    trained
        Of the adapter.
    """
    stages = [
        *([MOMENT_BYTES[spec.warmup_optimizer]] if spec.warms_up else []),
        *([MOMENT_BYTES[spec.reinforce.optimizer]] if spec.reinforces else []),
    ]
    kept = spec.checkpoint.keep + 1
    checkpoints = sum(trained * (kept * (ADAPTER_BYTES + moments) + ADAPTER_BYTES) for moments in stages)
    return Room(checkpoints, _exports(spec.export.formats, parameters, trained))


def _exports(formats: list[str], parameters: int, trained: int) -> float:
    written = {name: parameters * _bits(name) / 8 for name in set(formats) if name != "lora"}
    converted = [name for name in written if name != "merged16bit"]
    aside = 0.0
    if converted and "merged16bit" not in written:
        aside += parameters * 2
    if any(name.startswith("gguf:") for name in converted):
        aside += parameters * 2
    return sum(written.values()) + aside + (trained * ADAPTER_BYTES if "lora" in formats else 0)


def _bits(name: str) -> float:
    kind = name.removeprefix("gguf:")
    if kind in ("merged16bit", "merged4bit"):
        return 16.0 if kind == "merged16bit" else NF4_BITS
    return next(bits for beginning, bits in BITS.items() if kind.startswith(beginning))


def size_of(quantity: str) -> float:
    """Return the bytes of a quantity of ``storage.size``, such as 20Gi."""
    unit = quantity.lstrip("0123456789.")
    number = float(quantity.removesuffix(unit))
    return number * ((BINARY | UNITS)[unit] or 1)


def too_small(spec: Spec, needed: Room, available: float, what: str) -> tuple[str, str] | None:
    """Return what is wrong with the room that there is, and what to do; None if it is enough.

    Parameters
    ----------
    spec
        The job.
    needed
        What the run takes.
    available
        Bytes that there are.
    what
        Of what, for people.
    """
    if needed.total <= available:
        return None
    fields = [f"checkpoint.keep {spec.checkpoint.keep}", f"lora.rank {rank_of(spec)}"]
    fields += ["export.formats"] if set(spec.export.formats) != {"lora"} else []
    claim = "free or enlarge the claim" if spec.storage.existing_claim else "raise storage.size"
    return (
        f"{what} has {_gib(available)}, and the run takes {_gib(needed.total)} at its largest: {needed}",
        f"{claim}, or lower {', '.join(fields)}",
    )


def _gib(size: float) -> str:
    return f"{size / GIB:.3g} GiB"
