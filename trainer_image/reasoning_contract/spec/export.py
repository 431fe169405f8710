"""What is written at the end."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from ..rules import Part, rule
from .types import Tag

QUANTISATIONS = (
    *("f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0", "q4_k_m", "q4_k_s", "q4_1", "q4_0"),
    *("iq4_nl", "iq4_xs", "q3_k_l", "q3_k_m", "q3_k_s", "q2_k"),
)
"""Types of llama.cpp that need no importance matrix, from the largest to the smallest."""
EXPORT_FORMATS = ("lora", "merged16bit", "merged4bit", *(f"gguf:{name}" for name in QUANTISATIONS))
EXPORT_PATTERN = rf"^(lora|merged16bit|merged4bit|gguf:({'|'.join(QUANTISATIONS)}))$"


class Export(Part):
    """What is written to the volume at the end."""

    formats: Annotated[list[Tag], Field(min_length=1, max_length=16)] = ["lora"]
    """lora: the adapter. merged16bit: the whole model. merged4bit: the same in NF4 of bitsandbytes. gguf:QUANTISATION,
    such as gguf:q4_k_m: the same for llama.cpp."""

    @rule(
        "self.formats.all(format, self.formats.exists_one(other, other == format))",
        "names a format twice: remove one",
        field="formats",
    )
    def _formats_are_named_once(self) -> bool:
        return len(set(self.formats)) == len(self.formats)

    @rule(
        f"self.formats.all(format, format.matches(r'{EXPORT_PATTERN}'))",
        f"each must be lora, merged16bit, merged4bit or gguf: with one of {', '.join(QUANTISATIONS)}",
        field="formats",
    )
    def _formats_are_known(self) -> bool:
        return all(re.search(EXPORT_PATTERN, name) for name in self.formats)
