"""How much of a volume a run takes, and what is said where there is less."""

from __future__ import annotations

from typing import Any

import pytest
from tests.manifests import TABLE, merge

from reasoning_contract.resolve import resolve
from reasoning_contract.spec import QUANTISATIONS, Spec
from reasoning_trainer.storage.room import Room, room, size_of, too_small

GIB = 1 << 30
MODEL, ADAPTER = 4 * 10**9, 10**7


def spec(**patch: Any) -> Spec:
    return resolve(Spec.model_validate(merge(TABLE["good"], {"reinforce": {"optimizer": "adamw"}} | patch)))


def test_checkpoints_of_each_stage_and_one_more_while_it_is_written() -> None:
    needed = room(spec(checkpoint={"keep": 2}), MODEL, ADAPTER)
    assert needed == Room(checkpoints=ADAPTER * (3 * (4 + 8) + 4), exports=ADAPTER * 4)
    warm = spec(checkpoint={"keep": 2}, data={"warmup": {"source": "hf://a/b"}})
    assert room(warm, MODEL, ADAPTER).checkpoints == 2 * needed.checkpoints


@pytest.mark.parametrize(
    ("formats", "bytes_a_weight"),
    [
        (["merged16bit"], 2),
        (["merged4bit"], 4.5 / 8 + 2),
        (["merged16bit", "merged4bit"], 2 + 4.5 / 8),
        (["gguf:q8_0"], 8.5 / 8 + 2 + 2),
        (["gguf:q4_k_m", "merged16bit"], 4.5 / 8 + 2 + 2),
    ],
)
def test_formats_with_what_they_are_made_from(formats: list[str], bytes_a_weight: float) -> None:
    assert room(spec(export={"formats": formats}), MODEL, 0).exports == pytest.approx(MODEL * bytes_a_weight)


def test_every_quantisation_has_a_size() -> None:
    sizes = [room(spec(export={"formats": [f"gguf:{name}"]}), MODEL, 0).exports for name in QUANTISATIONS]
    assert sizes[0] > sizes[-1] > MODEL * 4


@pytest.mark.parametrize(
    ("quantity", "size"),
    [("20Gi", 20 * GIB), ("1.5Gi", 1.5 * GIB), ("500M", 5e8), ("2k", 2000), ("7", 7), ("1Ti", 1 << 40)],
)
def test_quantities(quantity: str, size: float) -> None:
    assert size_of(quantity) == size


def test_what_is_too_small_is_said_with_the_fields_that_change_it() -> None:
    job = spec(export={"formats": ["lora", "merged16bit"]})
    assert too_small(job, Room(GIB, 2 * GIB), 3 * GIB, "storage.size") is None
    assert too_small(job, Room(GIB, 2 * GIB), 2 * GIB, "storage.size") == (
        "storage.size has 2 GiB, and the run takes 3 GiB at its largest: 1 GiB for checkpoints and 2 GiB for exports",
        "raise storage.size, or lower checkpoint.keep 2, lora.rank 16, export.formats",
    )
    theirs = job.model_copy(update={"storage": job.storage.model_copy(update={"existing_claim": "mine"})})
    told = too_small(theirs, Room(GIB, 0), 0, "the volume")
    assert told is not None
    assert told[1].startswith("free or enlarge the claim")
