"""Who holds a GPU's memory at its peak, from the history that PyTorch's allocator keeps.

    python tests/bench/gpu/peak.py PEAK.json run JOB.yaml --output DIR

runs the trainer with that history on, which slows it, and writes the peak to PEAK.json.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

GIB = 1 << 30
WORKER = "--worker"
"""Says to be the process that trains."""
OWNERS = (
    ("engine: keys and values", ("kv_cache", "gpu_model_runner.py:initialize")),
    (
        "logits and their gradients",
        ("selective_log_softmax", "log_softmax", "logsumexp", "_get_per_token_logps", "lm_head"),
    ),
    ("optimizer", ("/optim/", "bitsandbytes/optim")),
    ("adapter", ("/peft/", "get_peft_model")),
    ("weights", ("load_weights", "from_pretrained", "model_loader", "bitsandbytes/nn", "convert_vllm_to_huggingface")),
    ("engine: the rest", ("/vllm/",)),
    ("checkpointed inputs", ("checkpoint",)),
    ("attention and MLP", ("modeling_", "models/llama.py", "fast_lora", "unsloth/kernels")),
)
"""Who an allocation belongs to -> texts of which one stands in its call stack; the first that fits counts."""
Event = Mapping[str, Any]


def peak(events: Sequence[Event]) -> dict[str, Any]:
    """Return what was allocated when most was, GiB, by owner.

    Parameters
    ----------
    events
        ``torch.cuda.memory._snapshot()["device_traces"][0]``: ``alloc`` and ``free_completed`` with address, size and
        stack, in their order. What was allocated before the history began is not in it.
    """
    live: dict[int, int] = {}
    most, at, held = 0, -1, 0
    for index, event in enumerate(events):
        held += _apply(live, event)
        if held > most:
            most, at = held, index
    owners: Counter[str] = Counter()
    for event in _live_at(events[: at + 1]):
        owners[owner(event.get("frames", ()))] += event["size"]
    return {
        "allocated_gib": round(most / GIB, 2),
        "by": {name: round(size / GIB, 2) for name, size in owners.most_common()},
    }


def owner(frames: Iterable[Mapping[str, Any]]) -> str:
    """Return who a call stack belongs to."""
    stack = " ".join(f"{frame.get('filename', '')}:{frame.get('name', '')}" for frame in frames)
    return next((name for name, texts in OWNERS if any(text in stack for text in texts)), "other")


def _apply(live: dict[int, int], event: Event) -> int:
    """Take an event into account and return by how much more is held."""
    if event["action"] == "alloc":
        live[event["addr"]] = event["size"]
        return int(event["size"])
    return -live.pop(event["addr"], 0) if event["action"] == "free_completed" else 0


def _live_at(events: Sequence[Event]) -> Iterable[Event]:
    live: dict[int, Event] = {}
    for event in events:
        if event["action"] == "alloc":
            live[event["addr"]] = event
        elif event["action"] == "free_completed":
            live.pop(event["addr"], None)
    return live.values()


def main() -> int:
    """Run the trainer with a worker that writes the peak."""
    from reasoning_trainer import command_line
    from reasoning_trainer.supervisor import process

    target, arguments = sys.argv[1], sys.argv[2:]
    if arguments[0] == WORKER:
        return work(Path(target), arguments[1:])
    process.COMMAND = (sys.executable, __file__, target, WORKER)
    return command_line.main(arguments)


def work(target: Path, order: list[str]) -> int:
    """Train with the allocator's history on, and write the peak."""
    import torch

    from reasoning_trainer import worker

    if torch.cuda.is_available():
        torch.cuda.memory._record_memory_history(max_entries=2_000_000, context="alloc", stacks="python")
    code = worker.main(order)
    traces = torch.cuda.memory._snapshot()["device_traces"] if torch.cuda.is_available() else [[]]
    target.write_text(json.dumps(peak(traces[0])), "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
