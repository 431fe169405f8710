"""Brings files of a run here, and says so only of those that are what the run wrote."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reasoning_contract.report import Artifact

from .errors import ClientError, Exit
from .volume import Entry, RunFiles

PARTIAL = ".partial"
BESIDE = ("README.md", "report.html", "evaluation")
"""What lies in a run's folder beside its artifacts and is worth having: card, report, scores and transcripts."""
Tell = Callable[[str, int, int], None]
"""Told a file's name, the bytes of it that are here, and its size."""


@dataclass(frozen=True)
class Wanted:
    """Something to bring here.

    Attributes
    ----------
    name
        Its path in the run's folder, of a folder or a file.
    artifact
        What the status says of it; None where it says nothing, and the pod is asked for the hash.
    """

    name: str
    artifact: Artifact | None = None


def wanted(artifacts: Sequence[Artifact], kinds: Sequence[str], beside: Sequence[str] = BESIDE) -> list[Wanted]:
    """Return what to bring: artifacts of these kinds, all when there are none, and what lies beside them.

    Raises
    ------
    ClientError
        If the run wrote no artifact of such a kind.
    """
    known = {each.kind: each for each in artifacts}
    missing = [kind for kind in kinds if kind not in known]
    if missing:
        has = ", ".join(known) or "none yet"
        raise ClientError(f"the run has no artifact {', '.join(missing)}; it has: {has}", code=Exit.NOT_FOUND)
    chosen = [known[kind] for kind in kinds or known]
    return [Wanted(f"artifacts/{PurePosixPath(each.path).name}", each) for each in chosen] + [
        Wanted(name) for name in beside
    ]


def download(files: RunFiles, what: Sequence[Wanted], target: Path, tell: Tell) -> list[Path]:
    """Bring files into a folder and return them.

    What is whole already is not fetched again, what was cut off goes on. What was brought is compared with what the run
    wrote, and removed where it differs.

    Raises
    ------
    ClientError
        If something differs from what the run wrote, or a name leads out of the folder.
    """
    found: list[Path] = []
    for each in what:
        entries = files.entries(each.name)
        if each.artifact and not entries:
            raise ClientError(f"the volume has no {each.name}, which the status names", code=Exit.NOT_FOUND)
        paths = {entry.path: _place(target, entry.path) for entry in entries}
        for entry in entries:
            _bring(files, entry, paths[entry.path], each.artifact is None, tell)
        if each.artifact:
            _compare(each.name, each.artifact, paths)
        found += paths.values()
    return found


def _place(target: Path, name: str) -> Path:
    path = (target / name).resolve()
    if not path.is_relative_to(target.resolve()):
        raise ClientError(f"{name} leads out of {target}: it is not fetched", code=Exit.SPOILT)
    return path


def _bring(files: RunFiles, entry: Entry, path: Path, by_hash: bool, tell: Tell) -> None:
    # files of an artifact are compared all at once
    same_size = path.is_file() and path.stat().st_size == entry.size
    if same_size and (not by_hash or sha256(path) == files.sha256(entry.path)):
        tell(entry.path, entry.size, entry.size)
        return
    partial = path.with_name(path.name + PARTIAL)
    path.parent.mkdir(parents=True, exist_ok=True)
    here = partial.stat().st_size if partial.is_file() else 0
    if here > entry.size:
        partial.unlink()
        here = 0
    with partial.open("ab") as file:
        for piece in files.read(entry.path, here) if here < entry.size or not entry.size else ():
            file.write(piece)
            here += len(piece)
            tell(entry.path, here, entry.size)
        file.flush()
        os.fsync(file.fileno())
    if here < entry.size:
        raise ClientError(
            f"{entry.path}: {here} of {entry.size} bytes came", "run the same again: it goes on", Exit.SPOILT
        )
    if by_hash and sha256(partial) != files.sha256(entry.path):
        partial.unlink()
        raise _differs(entry.path)
    partial.replace(path)


def _compare(name: str, artifact: Artifact, paths: dict[str, Path]) -> None:
    """Compare with the status; a file that differs is removed, so that the same command mends it."""
    if digest(name, paths) == artifact.sha256:
        return
    for path in paths.values():
        path.unlink()
    raise _differs(name)


def digest(name: str, paths: dict[str, Path]) -> str:
    """Return the hash that the status has of an artifact: of a file; of a folder, of the lines `HASH  NAME`."""
    if set(paths) == {name}:
        return sha256(paths[name])
    lines = sorted(f"{sha256(path)}  {PurePosixPath(found).relative_to(name)}\n" for found, path in paths.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _differs(name: str) -> ClientError:
    return ClientError(
        f"{name} is not what the run wrote: its checksum differs",
        "what differed was removed here: run the same again",
        Exit.SPOILT,
    )
