"""A control plane without a node, on loopback, for tests and benchmarks: no root, no packages, a few seconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from . import controlplane, daemons
from .controlplane import LOOPBACK, ControlPlane
from .shell import RefusedError, say


def up(folder: Path, binary: Path) -> None:
    """Start the control plane of a folder unless it runs."""
    plane = _plane(folder, binary)
    _refuse_taken_ports(plane)
    controlplane.make_credentials(plane)
    controlplane.start(plane)
    say(f"{plane.url} is ready; kubeconfig: {plane.kubeconfig}")


def down(folder: Path) -> None:
    """End the control plane and delete what it kept."""
    daemons.end_all(folder)
    for content in folder.iterdir():
        if content.name != "lock":
            shutil.rmtree(content) if content.is_dir() else content.unlink()


def status(folder: Path) -> str:
    """One line per process."""
    running = sorted((process.name, process.pid) for process in daemons.found(folder))
    return "\n".join(f"{name}: pid {pid}" for name, pid in running) or "not running"


def kubeconfig(folder: Path) -> Path:
    """The kubeconfig's path; `RefusedError` if there is no cluster."""
    path = folder / "super-admin.conf"
    if not path.exists():
        raise RefusedError("there is no control plane here: run `up --control-plane-only` first")
    return path


def _plane(folder: Path, binary: Path) -> ControlPlane:
    """The control plane on the ports it got when it was first started."""
    kept = folder / "ports.json"
    if not kept.exists():
        kept.write_text(json.dumps({"port": controlplane.free_port(), "etcd_port": controlplane.free_port()}))
    return ControlPlane(folder=folder, marked=folder, binary=binary, address=LOOPBACK, **json.loads(kept.read_text()))


def _refuse_taken_ports(plane: ControlPlane) -> None:
    own = {process.name for process in daemons.found(plane.folder)}
    for name, port in (("etcd", plane.etcd_port), ("kube-apiserver", plane.port)):
        if name not in own and controlplane.is_listened_on(port):
            raise RefusedError(f"port {port} of {LOOPBACK}, which {name} had, is taken by another process: run `down`")
