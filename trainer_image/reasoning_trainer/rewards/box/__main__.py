"""``python -m reasoning_trainer.rewards.box --socket PATH``: the box's sidecar."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from .inside.confine import Limits
from .process import BoxProcess
from .sidecar import listen, serve

OWN_MEMORY = 192 * 2**20
"""Bytes of the container that no box may map: the sidecar's own, and files in /tmp. At the container's limit the kernel
kills it all."""


def main() -> None:
    """Try a box, say which walls it has, and serve boxes until the program is ended."""
    parser = argparse.ArgumentParser(prog="python -m reasoning_trainer.rewards.box", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--memory", type=int, default=Limits.memory + OWN_MEMORY, help="bytes of this container")
    parser.add_argument("--tmp", type=Path, help="a folder for files of the boxes that is bounded by itself")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    def make_box(wanted: int | None) -> BoxProcess:
        # whoever connects is told which walls stand, and decides before it sends code
        memory = max(given.memory - OWN_MEMORY, 0)
        limits = Limits(memory=memory if wanted is None else min(memory, wanted))
        return BoxProcess(limits, on_missing_wall="run", tmp=given.tmp)

    trial = make_box(None)
    print(f"walls: {trial.start()}", flush=True)
    trial.close()
    serve(listen(given.socket), make_box)


if __name__ == "__main__":
    main()
