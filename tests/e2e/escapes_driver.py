"""Runs in the trainer's container: has the box beside it make every attempt, and looks at what there was to attack."""

from __future__ import annotations

import json
import os
import socket
import sys
import sysconfig
import time
from dataclasses import asdict
from pathlib import Path

from reasoning_trainer.rewards.box import BoxClient, Function

DEADLINE, SHORT = 20.0, 0.5
MODEL, BOX = Path("/output/model"), Path("/box")
WEIGHTS = "the weights"


class Listeners:
    """Sockets of the trainer that an attempt might speak to: containers of a pod share its network."""

    def __init__(self) -> None:
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(type=socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind("\0escapes")
        self.abstract.listen()
        for each in (self.tcp, self.udp, self.abstract):
            each.setblocking(False)

    def heard(self) -> list[str]:
        """Return those that somebody spoke to."""
        found = []
        listens = {"tcp": self.tcp.accept, "udp": lambda: self.udp.recv(1), "abstract": self.abstract.accept}
        for name, listen in listens.items():
            try:
                listen()
            except BlockingIOError:
                continue
            found.append(name)
        return found


def look() -> dict[str, str]:
    """Return the files that an attempt might have changed."""
    folders = {str(path): "" for path in (*MODEL.parent.rglob("*"), *BOX.rglob("*"))}
    return folders | {str(path): path.read_text() for path in MODEL.iterdir() if path.is_file()}


def main() -> None:
    """Make the attempts and print what became of them, as one line of JSON."""
    attempts = json.loads(Path(sys.argv[1]).read_text())
    MODEL.mkdir(mode=0o777)
    (MODEL / "weights").write_text(WEIGHTS)
    (MODEL / "link").symlink_to(MODEL / "weights")
    os.environ["TOKEN"] = "secret"
    listeners, before, begin = Listeners(), look(), time.monotonic()
    target = {
        "pid": 1,
        "address": 0,
        "token": "/var/run/secrets/kubernetes.io/serviceaccount/token",
        "other": "/etc/reasoning-trainer/attempts.json",
        "package": "/app",
        "model": str(MODEL),
        "link": str(MODEL / "link"),
        "reward": "/box/reward.py",
        "tcp": listeners.tcp.getsockname()[1],
        "udp": listeners.udp.getsockname()[1],
        "abstract": "escapes",
        "socket": "/box/socket",
        "site": sysconfig.get_path("purelib"),
        "marker": "/box/marker",
    }
    client = BoxClient(BOX / "socket")
    walls, through = client.start(), []
    for attempt in attempts:
        function = Function("attempt", source=attempt["source"], origin="reward.py")
        arguments = {"completions": [""], "target": [target]}
        answer = client.call(function, arguments, SHORT if attempt["ends"] else DEADLINE)
        problems = [problem.message for problem in answer.problems]
        harm = [*listeners.heard(), *(["files"] if look() != before else [])]
        died = not attempt["ends"] and any("its process ended" in problem for problem in problems)
        if answer.values not in ([0.0], [None]) or harm or died:
            through.append([attempt["name"], answer.values, harm, problems])
    client.close()
    told = {"tried": len(attempts), "seconds": time.monotonic() - begin, "walls": asdict(walls), "through": through}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
