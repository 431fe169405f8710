"""What there is to attack around a box, and what was done to it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
VICTIM = "import sys; secret = b'x' * 64; print(id(secret), flush=True); sys.stdin.read()"


class World:
    """A trainer's process, its files and its sockets, all of them open to the box's user by their own rights.

    Parameters
    ----------
    user
        Whose all of it is.
    python
        The command that starts Python as that user.
    site
        The folder of that Python's libraries.
    """

    def __init__(self, user: int, python: list[str], site: str) -> None:
        self._user, self._python, self._site = user, python, site
        self.folder = Path(tempfile.mkdtemp(prefix="box-world-"))
        self.folder.chmod(0o755)
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._udp = socket.socket(type=socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._abstract, self._socket = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self._abstract.bind(f"\0{self.folder.name}")
        self._abstract.listen()
        for listener in (self._tcp, self._udp, self._abstract):
            listener.setblocking(False)
        self._victim: subprocess.Popen[str] | None = None
        self.build()

    def build(self) -> None:
        """Make everything anew."""
        for entry in self.folder.iterdir():
            shutil.rmtree(entry)
        for name in ("model", "shared", "socket", "secret"):
            (self.folder / name).mkdir()
            os.chmod(self.folder / name, 0o777)
        for name in ("model/weights", "secret/token", "secret/other", "shared/reward.py"):
            (self.folder / name).write_text(f"TOKEN {name}")
            os.chmod(self.folder / name, 0o666)
        (self.folder / "shared/link").symlink_to(self.folder / "model/weights")
        self._socket.close()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(self.folder / "socket/socket"))
        os.chmod(self.folder / "socket/socket", 0o777)
        self._socket.listen()
        self._socket.setblocking(False)
        for path in self.folder.rglob("*"):
            os.chown(path, self._user, self._user, follow_symlinks=False)
        if self._victim is None or any(self._harm().values()):
            self._start_victim()
        self._before = self._look()

    def _start_victim(self) -> None:
        self._end_victim()
        environment = os.environ | {"TOKEN": "secret"}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._victim = subprocess.Popen([*self._python, "-c", VICTIM], **pipes, env=environment, process_group=0)
        assert self._victim.stdout
        self._address = int(self._victim.stdout.readline())

    @property
    def target(self) -> dict[str, Any]:
        """What an attempt is told."""
        assert self._victim
        return {
            "pid": self._victim.pid,
            "address": self._address,
            "token": f"{self.folder}/secret/token",
            "other": f"{self.folder}/secret/other",
            "package": str(ROOT / "trainer_image"),
            "model": f"{self.folder}/model",
            "link": f"{self.folder}/shared/link",
            "reward": f"{self.folder}/shared/reward.py",
            "tcp": self._tcp.getsockname()[1],
            "udp": self._udp.getsockname()[1],
            "abstract": self._abstract.getsockname()[1:].decode(),
            "socket": f"{self.folder}/socket/socket",
            "site": self._site,
            "marker": f"{self.folder}/shared/marker",
        }

    def damage(self) -> list[str]:
        """Return what is not as it was built, and who was spoken to."""
        now = self._look()
        return [*(name for name in now.keys() | self._before.keys() if now.get(name) != self._before.get(name))]

    def close(self) -> None:
        self._end_victim()
        for each in (self._tcp, self._udp, self._abstract, self._socket):
            each.close()
        shutil.rmtree(self.folder)

    def _end_victim(self) -> None:
        if self._victim:
            self._victim.kill()
            self._victim.wait()
            assert self._victim.stdin
            assert self._victim.stdout
            self._victim.stdin.close()
            self._victim.stdout.close()

    def _look(self) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for path in sorted(self.folder.rglob("*")):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            seen[str(path)] = (status.st_ino, status.st_mode, status.st_uid, int(status.st_mtime), content)
        for name, listener in (("tcp", self._tcp), ("abstract", self._abstract), ("socket", self._socket)):
            seen[f"spoken to by {name}"] = _spoken(listener.accept)
        seen["spoken to by udp"] = _spoken(lambda: self._udp.recv(100))
        return seen | self._harm()

    def _harm(self) -> dict[str, bool]:
        """Return what is wrong with the trainer."""
        assert self._victim
        fields = Path(f"/proc/{self._victim.pid}/stat").read_text().rpartition(")")[2].split()
        return {
            "the trainer is stopped or dead": fields[0] in "TtZX",
            "the trainer has another priority": fields[16] != "0",
        }


def _spoken(look: Any) -> bool:
    try:
        heard = look()
    except BlockingIOError:
        return False
    if isinstance(heard, tuple):
        heard[0].close()
    return True
