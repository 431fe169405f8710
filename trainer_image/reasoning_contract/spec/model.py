"""The model and its adapter."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ..rules import Part, rule
from .nature import RUN
from .types import UPWARDS_PATTERN, KeyRef, Revision, Source

HUB_NAME = "[A-Za-z0-9._-]+"
CLAIM_NAME = "[a-z0-9]([-a-z0-9.]*[a-z0-9])?"
MODEL_SOURCE_PATTERN = rf"^(hf://{HUB_NAME}/{HUB_NAME}|pvc://{CLAIM_NAME}/.+|file:///.+)$"


class ModelSource(Part):
    """A model that lies somewhere."""

    source: Source
    """Where it lies: `hf://owner/name` on the Hub, `pvc://claim/path` on a claim, `file:///path` in the image."""
    revision: Revision | None = None
    """Branch, tag or commit of a Hub repository; resolved to a commit, which the status shows."""

    @rule(
        f"self.source.matches(r'{MODEL_SOURCE_PATTERN}')",
        "must be hf://owner/name, pvc://claim/path or file:///path",
        field="source",
    )
    def _source_has_known_scheme(self) -> bool:
        return bool(re.search(MODEL_SOURCE_PATTERN, self.source))

    @rule(
        f"!self.source.matches(r'{UPWARDS_PATTERN}')", "a path leads down from its volume: remove '..'", field="source"
    )
    def _path_leads_down(self) -> bool:
        return not re.search(UPWARDS_PATTERN, self.source)

    @rule(
        "!has(self.revision) || self.source.startsWith('hf://')",
        "only a Hub model (hf://owner/name) has a revision: remove it",
        field="revision",
    )
    def _only_hub_models_have_a_revision(self) -> bool:
        return self.revision is None or self.source.startswith("hf://")


class Model(ModelSource):
    """The model to train."""

    load_in: Literal["auto", "4bit", "8bit", "16bit", "fp8"] = "auto"
    """Precision of the frozen weights. `auto`: 4bit on backend unsloth, else 16bit. A CPU computes in 32-bit floats."""
    max_sequence_length: Annotated[int, Field(ge=16, le=1048576)] = 2048
    """Longest prompt and completion together, in tokens."""
    token_secret_ref: Annotated[KeyRef | None, RUN] = None
    """Secret with a Hub token, for gated or private repositories."""
    trust_remote_code: bool = False
    """Run Python code that the model's repository carries. It runs with the rights of the training pod."""


Module = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern="^[-A-Za-z0-9_.]+$")]


class Lora(Part):
    """The low-rank adapter that is trained on the frozen model."""

    rank: Annotated[int, Field(ge=1, le=512)] | None = None
    """Rank of the adapter's matrices. When empty 16 for RL alone, 32 where a warm-up comes before it, 64 for a warm-up
    alone; the status says which and why."""
    alpha: Annotated[int, Field(ge=1, le=2048)] = 32
    """Scaling numerator: the adapter's output is multiplied by alpha / rank (alpha / sqrt(rank) if rank-stabilised).
    Learning rates that are left open are those for 32: what an adapter learns in a step goes with alpha x rate."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout on the adapter's input during training."""
    target_modules: Annotated[list[Module], Field(min_length=1, max_length=64)] = ["all-linear"]
    """`[all-linear]`, or the names of the modules that get an adapter, such as q_proj."""
    gradient_checkpointing: Literal["none", "standard", "unsloth"] = "standard"
    """Recompute activations in the backward pass; `unsloth` also offloads them (backend unsloth only)."""
    rank_stabilized: bool = False
    """Scale by alpha / sqrt(rank) (rsLoRA) instead of alpha / rank."""

    @rule(
        "!self.targetModules.exists(name, name == 'all-linear') || size(self.targetModules) == 1",
        "all-linear already means every linear layer: remove it or the other names",
        field="targetModules",
    )
    def _all_linear_stands_alone(self) -> bool:
        return "all-linear" not in self.target_modules or len(self.target_modules) == 1
