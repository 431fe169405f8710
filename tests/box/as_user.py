"""Runs Python as an ordinary user, where root's interpreter and this repository may lie where nobody else can read.

``python as_user.py UID FOLDER ARGUMENT...``, as root: in a mount namespace of its own the interpreter, its libraries
and the trainer's packages are bound below the folder; then it becomes the user and runs Python with the arguments.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "trainer_image"))

from reasoning_trainer.rewards.box.inside import libc  # noqa: E402

BIND = 4096
NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"


def bind(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    libc.mount(str(source), str(target), None, BIND)


def make_interpreter(folder: Path) -> Path:
    """Return an interpreter below the folder: a virtual environment on what is bound there."""
    bind(Path(sys.base_prefix), folder / "python")
    bind(Path(sysconfig.get_path("purelib")), folder / f"venv/lib/{NAME}/site-packages")
    bind(ROOT / "trainer_image", folder / "trainer_image")
    (folder / "venv/pyvenv.cfg").write_text(f"home = {folder}/python/bin\n")
    interpreter = folder / "venv/bin/python"
    if not interpreter.is_symlink():
        interpreter.parent.mkdir(parents=True, exist_ok=True)
        interpreter.symlink_to(folder / f"python/bin/{NAME}")
    return interpreter


def main() -> None:
    user, folder, arguments = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    libc.unshare(libc.CLONE_NEWNS)
    libc.mount("none", "/", None, libc.MS_REC | libc.MS_PRIVATE)
    interpreter = make_interpreter(folder)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    environment = {"PYTHONPATH": str(folder / "trainer_image"), "PYTHONDONTWRITEBYTECODE": "1"}
    os.chdir("/tmp")
    os.execve(interpreter, [str(interpreter), *arguments], environment | {"TOKEN": os.environ.get("TOKEN", "")})


if __name__ == "__main__":
    main()
