"""``python -m reasoning_trainer COMMAND JOB.yaml``; see `command_line`."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from reasoning_contract.exit_codes import ExitCode


def main() -> int:
    """Run the command line and return its exit code."""
    # the kernel drops a signal without a handler that is sent to process 1 of a container, which the trainer is;
    # importing what the command line needs takes a second, and only then `Interruption` takes the signal over
    signal.signal(signal.SIGTERM, _end)
    from . import command_line
    from .storage import model_files

    code = command_line.main()
    if model_files.is_fetching():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _end(number: int, frame: FrameType | None) -> None:
    """End at once: nothing is begun that could be saved."""
    os._exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
