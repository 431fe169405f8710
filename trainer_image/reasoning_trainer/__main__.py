"""The command line: ``python -m reasoning_trainer run JOB.yaml --output DIR``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import environment
from .display import Display
from .runner import Options, run


def main(arguments: list[str] | None = None) -> int:
    """Run a command of the command line and return its exit code."""
    options = vars(_parser().parse_args(arguments))
    del options["command"]
    environment.prepare()
    with Display() as display:
        outcome = run(Options(**options), display)
    print(f"{outcome.reason}: {outcome.message}" + (f"\nhint: {outcome.hint}" if outcome.hint else ""), flush=True)
    return outcome.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reasoning_trainer", description="Train a reasoning model.")
    run_parser = parser.add_subparsers(dest="command", required=True).add_parser("run", help="train by a manifest")
    add = run_parser.add_argument
    add("job", type=Path, help="manifest with the ReasoningTrainingJob, and ConfigMaps that its sources name")
    add("--output", type=Path, required=True, help="folder of the run; a run that was begun there goes on")
    add("--configmaps", type=Path, help="folder with NAME/KEY for configmap:// sources")
    add("--claims", type=Path, help="folder with CLAIM/PATH for pvc:// sources")
    add("--port", type=int, help="port to serve /progress, /metrics and /healthz on")
    add("--termination-log", type=Path, help="file for the last word, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
