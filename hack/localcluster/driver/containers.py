"""Runs one command in an image that was built here, as strictly as a pod would: an image is tried without a cluster."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import builder, machine
from .layout import Layout
from .shell import RefusedError, run, succeeds


def run_image(layout: Layout, name: str, program: str | None, arguments: Sequence[str]) -> int:
    """Run a program with the image's user and environment, and return its exit code.

    The root file system is read-only, /tmp is an empty folder of the disk, there is no network but a loopback that is
    down, and no capability. Input and output are the caller's.

    Parameters
    ----------
    name
        The image.
    program
        What is run; the image's entry point when None.
    arguments
        Its arguments.
    """
    machine.require_root()
    machine.install_packages({"runc": machine.NODE_PACKAGES["runc"]} | machine.IMAGE_PACKAGES)
    machine.mount_state(layout)
    if not succeeds([*builder.buildah(layout), "inspect", "--type", "image", name]):
        raise RefusedError(f"there is no image {name} here: build it first, with `build-image {name}`")
    image = json.loads(run([*builder.buildah(layout), "inspect", "--type", "image", name]))["OCIv1"]["config"]
    container = run([*builder.buildah(layout), "from", "--pull=never", name]).strip()
    try:
        root = run([*builder.buildah(layout), "mount", container]).strip()
        with tempfile.TemporaryDirectory(prefix="run-image-") as folder:
            scratch = Path(folder, "tmp")
            scratch.mkdir()
            scratch.chmod(0o1777)
            Path(folder, "config.json").write_text(json.dumps(configuration(image, program, arguments, root, scratch)))
            return subprocess.run(["runc", "run", f"--bundle={folder}", container], check=False).returncode
    finally:
        run([*builder.buildah(layout), "rm", container])


def configuration(
    image: dict[str, Any], program: str | None, arguments: Sequence[str], root: str, scratch: Path
) -> dict[str, Any]:
    """The runtime's configuration: see the OCI runtime specification 1.0.

    Parameters
    ----------
    image
        `config` of the image: Env, User, WorkingDir, Entrypoint, Cmd.
    program, arguments
        As for `run_image`.
    root
        Path of the root file system.
    scratch
        Folder that becomes /tmp.
    """
    entry = [program] if program else list(image.get("Entrypoint") or [])
    user, _, group = str(image.get("User") or "0").partition(":")
    safe = ["nosuid", "noexec", "nodev"]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": int(user), "gid": int(group or user)},
            "args": [*entry, *arguments],
            "env": list(image.get("Env") or []),
            "cwd": image.get("WorkingDir") or "/",
            "noNewPrivileges": True,
        },
        "root": {"path": root, "readonly": True},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": [*safe, "mode=1777"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*safe, "ro"]},
            {"destination": "/tmp", "type": "bind", "source": str(scratch), "options": ["bind", "rw"]},
        ],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")]},
    }
