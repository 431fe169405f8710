"""Step 8, second half: what was asked for is written, hashed and described."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from reasoning_contract.outcome import ExitCode
from reasoning_contract.spec import Spec
from reasoning_contract.status import Artifact

from ..attempt import Attempt, Policy
from ..errors import TrainerError
from ..model_card import model_card
from ..run_folder import whole_folder, write_atomic

SUPPORTED = ("lora", "merged16bit")


def refuse_formats(spec: Spec) -> None:
    """Refuse formats that cannot be written, before anything is trained."""
    wrong = [name for name in spec.export.formats if name not in SUPPORTED]
    if wrong:
        raise TrainerError(
            ExitCode.NOT_SUPPORTED,
            "NotSupported",
            f"export.formats: {', '.join(wrong)} cannot be written by backend {spec.backend}",
            f"use {' or '.join(SUPPORTED)}",
        )


def export(attempt: Attempt, policy: Policy) -> None:
    """Write every format that is not there yet, the model card, and report them with their hashes.

    The merged model comes last: it consumes the model in memory.
    """
    attempt.tracker.begin("export", "writing")
    _forget_batching(policy)
    artifacts = []
    for kind in sorted(set(attempt.spec.export.formats), key=SUPPORTED.index):
        attempt.interruption.check()
        attempt.tracker.say(f"writing {kind}")
        path = attempt.folder.artifacts / kind
        if not path.exists():
            with whole_folder(path) as folder:
                _WRITERS[kind](policy, folder)
                _let_all_read(folder)
        artifacts.append(describe(kind, path))
        attempt.tracker.report(artifacts=list(artifacts))
    write_atomic(attempt.folder.path / "README.md", model_card(attempt.job, attempt.tracker.progress()))
    attempt.tracker.finish("export")


def _forget_batching(policy: Policy) -> None:
    """Take padding and truncation of the last batch out of what the tokenizer writes."""
    if policy.tokenizer.is_fast:
        policy.tokenizer.backend_tokenizer.no_padding()
        policy.tokenizer.backend_tokenizer.no_truncation()


def _write_lora(policy: Policy, folder: Path) -> None:
    policy.backend.save_adapter(policy.model, folder)
    policy.tokenizer.save_pretrained(folder)


def _write_merged(policy: Policy, folder: Path) -> None:
    policy.backend.save_merged(policy.model, policy.tokenizer, folder)


_WRITERS: dict[str, Callable[[Policy, Path], None]] = {"lora": _write_lora, "merged16bit": _write_merged}


def _let_all_read(folder: Path) -> None:
    """Let whoever serves the model read it: safetensors writes files that only the trainer's own user may read."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


def describe(kind: str, path: Path) -> Artifact:
    """Return what lies in a folder: its size, and a hash over the hashes of its files."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = sorted(f"{_sha256(file)}  {file.relative_to(path)}\n" for file in files)
    return Artifact(
        kind=kind,
        path=str(path),
        sha256=hashlib.sha256("".join(lines).encode()).hexdigest(),
        bytes=sum(file.stat().st_size for file in files),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
