"""Long-running processes, found again by what /proc says of them and never by a file that may be stale."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .shell import RefusedError, until

FOLDER_MARK, NAME_MARK = "LOCALCLUSTER_FOLDER", "LOCALCLUSTER_DAEMON"


@dataclass(frozen=True)
class Daemon:
    """One process of a cluster: its name, its command line, and the network namespace it lives in."""

    name: str
    command: tuple[str, ...]
    namespace: str | None = None


@dataclass(frozen=True)
class Found:
    """A running process that carries a folder's mark."""

    pid: int
    name: str
    command: tuple[str, ...]


def found(folder: Path) -> list[Found]:
    """Every running process started for a folder, children that inherited its mark included."""
    processes = (_read(int(entry.name), folder) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for process in processes if process]


def is_running(daemon: Daemon, folder: Path) -> bool:
    """Whether exactly this command runs for the folder."""
    return any(process.command == daemon.command for process in found(folder))


def start(daemon: Daemon, folder: Path) -> bool:
    """Start a daemon unless it runs; one of the same name with another command line is replaced.

    Returns
    -------
    bool
        Whether it was started now. It outlives this command and Ctrl-C; its output goes to `log_file`.
    """
    if is_running(daemon, folder):
        return False
    _end([process.pid for process in found(folder) if _is_older_version(process, daemon)])
    log = log_file(daemon.name, folder)
    log.parent.mkdir(parents=True, exist_ok=True)
    enter = ["nsenter", f"--net=/run/netns/{daemon.namespace}"] if daemon.namespace else []
    with log.open("ab") as output:
        subprocess.Popen(
            [*enter, *daemon.command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            # Nothing of the person's environment, such as a proxy, gets between the cluster's processes.
            env={"PATH": os.environ["PATH"], FOLDER_MARK: str(folder), NAME_MARK: daemon.name},
        )
    until(f"{daemon.name} to start", lambda: is_running(daemon, folder), seconds=5, pause=0.01)
    return True


def require(daemon: Daemon, folder: Path) -> None:
    """Raise `RefusedError` with the end of the log if the daemon has died."""
    if not is_running(daemon, folder):
        log = log_file(daemon.name, folder)
        last = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
        raise RefusedError(f"{daemon.name} ended; the end of {log}:\n{last}")


def end_all(folder: Path) -> None:
    """Kill everything that carries the folder's mark, until nothing is left.

    At once and with SIGKILL: an API server whose etcd is gone would linger and keep its port, and what the
    processes hold is thrown away with them.
    """
    _end([process.pid for process in found(folder)])
    until("the cluster's processes to end", lambda: not _killed_again(folder), seconds=20)


def log_file(name: str, folder: Path) -> Path:
    """Where a daemon's output goes."""
    return folder / "logs" / f"{name}.log"


def kill(pids: list[int]) -> None:
    """Send SIGKILL to processes, those that are gone already included."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _killed_again(folder: Path) -> bool:
    pids = [process.pid for process in found(folder)]
    kill(pids)
    return bool(pids)


def _end(pids: list[int]) -> None:
    kill(pids)
    until("a process to end", lambda: not any(_is_alive(pid) for pid in pids), seconds=10, pause=0.02)


def _is_alive(pid: int) -> bool:
    """A killed process stays a zombie until its parent looks; its command line is empty by then."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def _is_older_version(process: Found, daemon: Daemon) -> bool:
    same_program = Path(process.command[0]).name == Path(daemon.command[0]).name
    return process.name == daemon.name and same_program


def _read(pid: int, folder: Path) -> Found | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        command = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except (PermissionError, FileNotFoundError, ProcessLookupError):
        return None
    if f"{FOLDER_MARK}={folder}".encode() not in environment or command == [b""]:
        return None
    names = [entry.decode() for entry in environment if entry.startswith(f"{NAME_MARK}=".encode())]
    return Found(pid, names[0].partition("=")[2], tuple(os.fsdecode(part) for part in command))
