"""The volume."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import StringConstraints

from ..rules import Part, rule
from .nature import OPERATORS, RUN, VOLUME
from .types import Name, ObjectName

SIZE_PATTERN = r"^[0-9]+([.][0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$"


DEFAULT_SIZE = "20Gi"


class Storage(Part):
    """The volume for checkpoints, adapters and reports."""

    size: Annotated[str, StringConstraints(max_length=32), VOLUME] = DEFAULT_SIZE
    """Size of the claim that is made."""
    storage_class_name: Annotated[ObjectName | None, VOLUME] = None
    """StorageClass of the claim that is made; the cluster's default when empty."""
    existing_claim: Annotated[Name | None, VOLUME] = None
    """A claim of yours to write to, instead of one that is made."""
    retain: Annotated[bool, OPERATORS] = True
    """Keep the claim that was made when the job is deleted. A claim of yours is always kept."""
    cache_claim: Annotated[Name | None, RUN] = None
    """A claim of yours for downloaded models and compiled kernels. Jobs that trust each other may share it."""

    @rule(
        rf"self.size.matches(r'{SIZE_PATTERN}') && !self.size.matches(r'^[0.]+[A-Za-z]*$')",
        "must be a positive quantity, such as 20Gi",
        field="size",
    )
    def _size_is_positive(self) -> bool:
        return bool(re.search(SIZE_PATTERN, self.size)) and not re.search(r"^[0.]+[A-Za-z]*$", self.size)

    @rule(
        "!has(self.existingClaim) || !has(self.storageClassName)",
        "belongs to a claim that is made: remove it or existingClaim",
        field="storageClassName",
    )
    def _class_is_for_new_claims(self) -> bool:
        return self.existing_claim is None or self.storage_class_name is None

    @rule(
        f"!has(self.existingClaim) || self.size == '{DEFAULT_SIZE}'",
        "belongs to a claim that is made: remove it or existingClaim",
        field="size",
    )
    def _size_is_for_new_claims(self) -> bool:
        return self.existing_claim is None or self.size == DEFAULT_SIZE
