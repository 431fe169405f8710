"""The spec of a ReasoningTrainingJob: the only definition of it.

The CRD, its CEL rules, the API reference, the chart's copy and the trainer's configuration are all made from these
models. A field left empty where the right value depends on the algorithm or the backend is filled by
`reasoning_contract.resolve`, and the filled-in spec is what the trainer runs and what the run's provenance shows.
"""

from __future__ import annotations

from .chat import DEFAULT_SYSTEM_PROMPT, ChatFamily, ChatTemplate, Tags
from .data import DATA_SOURCE_PATTERN, ONE_KIND, Columns, Data, Difficulty, HeldOut, ReasoningGym, Row, Rows
from .evaluation import Evaluation, Stage
from .export import EXPORT_FORMATS, EXPORT_PATTERN, QUANTISATIONS, Export
from .guards import (
    DEFAULT_SPREAD,
    DEFAULT_WINDOW,
    ClippedCompletions,
    Divergence,
    EntropyCollapse,
    Guards,
    KLBound,
    LearningSignal,
    Preflight,
    RewardHacking,
    Stall,
    Unscored,
)
from .inference import Inference
from .job import Spec
from .limits import Checkpoint, Limits
from .model import MODEL_SOURCE_PATTERN, Lora, Model
from .placement import Parallelism, Pod, PodList, Queue, Resources
from .rewards import (
    COMPARING,
    PARAMS_OF,
    HttpReward,
    JudgeReward,
    ModelReward,
    PythonReward,
    Reward,
    RewardBox,
    RewardParams,
    WeightPoint,
)
from .storage import DEFAULT_SIZE, SIZE_PATTERN, Storage
from .tracking import DEFAULT_PROJECT, Tracking, WandB
from .training import GROUPED, PREFERENCE, Algorithm, Reinforce, Warmup
from .types import Count, KeyRef, Name, Passthrough, Positive, Probability, Quantity, Short, Source, Tag, Text

__all__ = [
    "COMPARING",
    "DATA_SOURCE_PATTERN",
    "DEFAULT_PROJECT",
    "DEFAULT_SIZE",
    "DEFAULT_SPREAD",
    "DEFAULT_SYSTEM_PROMPT",
    "DEFAULT_WINDOW",
    "EXPORT_FORMATS",
    "EXPORT_PATTERN",
    "GROUPED",
    "MODEL_SOURCE_PATTERN",
    "ONE_KIND",
    "PARAMS_OF",
    "PREFERENCE",
    "QUANTISATIONS",
    "SIZE_PATTERN",
    "Algorithm",
    "ChatFamily",
    "ChatTemplate",
    "Checkpoint",
    "ClippedCompletions",
    "Columns",
    "Count",
    "Data",
    "Difficulty",
    "Divergence",
    "EntropyCollapse",
    "Evaluation",
    "Export",
    "Guards",
    "HeldOut",
    "HttpReward",
    "Inference",
    "JudgeReward",
    "KLBound",
    "KeyRef",
    "LearningSignal",
    "Limits",
    "Lora",
    "Model",
    "ModelReward",
    "Name",
    "Parallelism",
    "Passthrough",
    "Pod",
    "PodList",
    "Positive",
    "Preflight",
    "Probability",
    "PythonReward",
    "Quantity",
    "Queue",
    "ReasoningGym",
    "Reinforce",
    "Resources",
    "Reward",
    "RewardBox",
    "RewardHacking",
    "RewardParams",
    "Row",
    "Rows",
    "Short",
    "Source",
    "Spec",
    "Stage",
    "Stall",
    "Storage",
    "Tag",
    "Tags",
    "Text",
    "Tracking",
    "Unscored",
    "WandB",
    "Warmup",
    "WeightPoint",
]
