"""Unpacked layers of the node's images: containerd's snapshots, copied from where buildah keeps a layer's files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import space
from .layout import Layout
from .shell import RefusedError, run
from .space import Cache

# Keeps a snapshot that no image leads to yet; ctr sets it where it makes one.
KEEP = "containerd.io/gc.root"
MARGIN_GIB = 0.5


@contextmanager
def copied(layout: Layout, layers: Sequence[str], folders: Sequence[Path], caches: Sequence[Cache]) -> Iterator[None]:
    """Give containerd the layers that it lacks, and keep them until an image that leads to them was made inside.

    Each is copied once, straight to where it is used: no archive of it is written. Copies, not links: a byte that is
    changed on one side must not change the other.

    Parameters
    ----------
    layers
        Digests of the layers' uncompressed archives, bottom first.
    folders
        Where each of them lies unpacked.
    caches
        Freed where there is too little room, one after the other.
    """
    chains = chain_ids(layers)
    present = _names(layout)
    lacking = [each for each in zip(chains, ["", *chains[:-1]], folders, strict=True) if each[0] not in present]
    size = sum(_gib(folder) for _, _, folder in lacking)
    space.require(layout.folder, size + MARGIN_GIB, "loading an image into the node", caches)
    for chain, below, folder in lacking:
        _copy(layout, chain, below, folder)
    yield
    for chain in chains:
        run([*_snapshots(layout), "label", chain, f"{KEEP}="])


def chain_ids(layers: Sequence[str]) -> list[str]:
    """What containerd names the unpacked layers by, bottom first.

    See the OCI image specification, "Layer ChainID":
    chain(1) = layer(1), chain(n) = sha256(chain(n-1) + " " + layer(n)).
    """
    chains: list[str] = []
    for layer in layers:
        below = f"{chains[-1]} {layer}" if chains else ""
        chains.append(f"sha256:{hashlib.sha256(below.encode()).hexdigest()}" if chains else layer)
    return chains


def upper_folder(mount: str) -> Path:
    """Where a snapshot's own files go, from the mount command that ctr prints for it."""
    found = re.search(r"upperdir=([^,\s]+)", mount) or re.search(r"-t bind (\S+)", mount)
    if not found:
        raise RefusedError(f"containerd mounts a layer in a way that is not known here: {mount}")
    return Path(found[1])


def ctr(layout: Layout) -> list[str | Path]:
    """containerd's own client, in the kubelet's namespace."""
    return ["ctr", "--address", layout.containerd_socket, "--namespace", "k8s.io"]


def _copy(layout: Layout, chain: str, below: str, folder: Path) -> None:
    key = f"copying-{chain}"
    if key in _names(layout):  # what an interrupted command left
        run([*_snapshots(layout), "rm", key])
    run([*_snapshots(layout), "prepare", key, *([below] if below else [])])
    target = upper_folder(run([*_snapshots(layout), "mounts", "/target", key]))
    run(["cp", "--archive", "--reflink=auto", f"{folder}/.", target])
    run([*_snapshots(layout), "commit", chain, key])


def _gib(folder: Path) -> float:
    return int(run(["du", "--summarize", "--block-size=1K", folder]).split()[0]) / 2**20


def _names(layout: Layout) -> set[str]:
    return {row.split()[0] for row in run([*_snapshots(layout), "list"]).splitlines()[1:]}


def _snapshots(layout: Layout) -> list[str | Path]:
    return [*ctr(layout), "snapshots"]
