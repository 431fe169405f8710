"""A volume that fills up at a chosen moment: a real file system of a few megabytes, filled to its last block."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.trainer.attempts import last_checkpoint, progress, result, wrap
from tests.trainer.conftest import rows

from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome

Manifest = Callable[..., Path]
Train = Callable[..., Outcome]
JOB: dict[str, Any] = {
    "reinforce": {"steps": 6, "numGenerations": 4, "batchSize": 8, "maxCompletionLength": 12, "learningRate": 1e-3},
    "data": {
        "train": {"rows": rows(32, 1)},
        "warmup": {"rows": rows(16, 2)},
        "heldOut": {"rows": rows(8, 3, first=5, last=9)},
    },
    "export": {"formats": ["lora", "merged16bit"]},
}
MIB = 1 << 20


class Volume:
    """A small file system."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = path / "run"

    def mount(self, *options: str) -> str:
        """Mount it, or change it, and return what went wrong."""
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(self.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stderr.strip()

    def fill(self, left: int) -> None:
        """Leave room for some bytes."""
        free = shutil.disk_usage(self.path).free
        (self.path / "ballast").write_bytes(bytes(free - left))

    def grow(self) -> None:
        """Make it larger: what fills it stays."""
        assert not self.mount("remount", f"size={128 * MIB}")


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    """Mounts a volume."""
    path = tmp_path / "volume"
    path.mkdir()
    volume = Volume(path)
    if wrong := volume.mount(f"size={32 * MIB}"):
        pytest.skip(f"no file system can be mounted here, which takes root: {wrong}")
    yield volume
    subprocess.run(["umount", "--lazy", str(path)], check=True)


BACKEND = "reasoning_trainer.backends.transformers:TransformersBackend"
MOMENTS = {
    # two checkpoints of the warm-up come before those of RL
    "a checkpoint's first file": ("transformers:Trainer._save_checkpoint", 4, 0),
    "a checkpoint's optimizer": ("transformers:Trainer._save_optimizer_and_scheduler", 4, 64 << 10),
    "a checkpoint's last file": ("transformers:TrainerState.save_to_json", 4, 0),
    "the end of a stage": (f"{BACKEND}.save_adapter", 2, 0),
    "an evaluation": ("reasoning_trainer.stages.evaluate:keep", 2, 0),
    "the export of the adapter": (f"{BACKEND}.save_adapter", 3, 0),
    "the export of the merged model": (f"{BACKEND}.save_merged", 1, 64 << 10),
}
"""Moment -> function whose call fills the volume, which call, and the bytes that are left."""


@pytest.fixture
def fill_at(volume: Volume, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Fills the volume at a moment; the list that it returns then holds the last checkpoint's fingerprint."""

    def plant(moment: str) -> list[str]:
        target, call, left = MOMENTS[moment]
        module, _, path = target.partition(":")
        *owners, name = path.split(".")
        owner: Any = importlib.import_module(module)
        for each in owners:
            owner = getattr(owner, each)
        monkeypatch.setattr(owner, name, getattr(owner, name))  # has it undone at the end
        calls: list[None] = []
        seen: list[str] = []

        def fill(arguments: object) -> None:
            calls.append(None)
            if len(calls) == call:
                seen.append(fingerprint(volume.run))
                volume.fill(left)

        wrap(target, fill)
        return seen

    return plant


def fingerprint(run: Path) -> str:
    """Return what tells the last complete checkpoint apart."""
    from reasoning_trainer.stages.export import describe

    stage = "reinforce" if list((run / "reinforce").glob("checkpoint-*/complete")) else "warmup"
    return describe("checkpoint", run / stage / f"checkpoint-{last_checkpoint(run, stage)}").sha256


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_full_volume(
    manifest: Manifest, train: Train, volume: Volume, fill_at: Callable, unbroken: Callable, moment: str
) -> None:
    """The error says so, the last checkpoint is whole, and with more room the run ends like an unbroken one."""
    job = manifest(**JOB)
    checkpoint = fill_at(moment)
    outcome = train(job, volume.run)
    assert (outcome.exit_code, outcome.reason) == (ExitCode.STORAGE_FULL, "StorageFull"), outcome
    assert "the volume is full, " in outcome.message
    assert "of 0.0312 GiB are free" in outcome.message
    assert "storage.size" in outcome.hint
    again = train(job, volume.run)  # finds the volume still full, at its beginning where it can tell
    assert again.exit_code == ExitCode.STORAGE_FULL, again
    assert again.reason in ("StorageFull", "StorageTooSmall")
    assert "storage.size" in again.hint
    assert [fingerprint(volume.run)] == checkpoint

    volume.grow()
    assert train(job, volume.run).exit_code == 0
    assert result(volume.run) == unbroken(**JOB)
    if "checkpoint" in moment:
        assert progress(volume.run).resumed_from_step == 2
