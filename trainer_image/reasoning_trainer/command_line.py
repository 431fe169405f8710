"""The command line: ``python -m reasoning_trainer COMMAND JOB.yaml``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reasoning_contract.outcome import Outcome

from . import environment
from .commands import check, compare, run, try_rewards
from .reporting.display import Display


def main(arguments: list[str] | None = None) -> int:
    """Run a command of the command line and return its exit code."""
    options = vars(_parser().parse_args(arguments))
    command: Callable[[dict[str, Any], Display], Outcome] = options.pop("function")
    del options["command"]
    environment.prepare()
    with Display() as display:
        outcome = command(options, display)
    print(f"{outcome.reason}: {outcome.message}" + (f"\nhint: {outcome.hint}" if outcome.hint else ""), flush=True)
    return outcome.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reasoning_trainer", description="Train a reasoning model.")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_run(commands)
    _add_evaluate(commands)
    _add_check(commands)
    _add_try_rewards(commands)
    return parser


def _add_run(commands: Any) -> None:
    command = _add(commands, "run", "train by a manifest", lambda given, show: run.run(run.Options(**given), show))
    add = command.add_argument
    add("--output", type=Path, required=True, help="folder of the run; a run that was begun there goes on")
    add("--port", type=int, help="port to serve /progress, /report, /metrics and /healthz on")
    _add_last_word(command)


def _add_evaluate(commands: Any) -> None:
    command = _add(
        commands,
        "evaluate",
        "compare the base model with adapters and merged models on the same rows, without training",
        lambda given, show: compare.compare(compare.Options(**given), show),
    )
    add = command.add_argument
    add("models", type=Path, nargs="*", metavar="MODEL", help="folder of an adapter or of a whole model")
    add("--rows", help="file or source with other rows than the manifest's held-out ones: JSONL, JSON, CSV or Parquet")
    add("--json", type=Path, help="file to write all figures, verdicts and transcripts to")


def _add_check(commands: Any) -> None:
    command = _add(
        commands,
        "check",
        "say what can be said of a manifest without training: fields, data, lengths, template, rewards",
        lambda given, show: check.check(check.Options(**given), show),
    )
    command.add_argument("--resolved", action="store_true", help="print the spec with every choice made, as YAML")
    _add_last_word(command)


def _add_last_word(command: argparse.ArgumentParser) -> None:
    command.add_argument("--termination-log", type=Path, help="file for the last word, as JSON")


def _add_try_rewards(commands: Any) -> None:
    command = _add(
        commands,
        "try-rewards",
        "score completions by a manifest's rewards, without a model: worked, wrong and empty answers, or yours",
        lambda given, show: try_rewards.try_rewards(try_rewards.Options(**given), show),
    )
    command.add_argument(
        "--completions", type=Path, help="completions to score: JSONL with a column completion, or the text of one"
    )


def _add(
    commands: Any, name: str, text: str, function: Callable[[dict[str, Any], Display], Outcome]
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.set_defaults(function=function)
    command.add_argument(
        "job", type=Path, help="manifest with the ReasoningTrainingJob, and ConfigMaps that its sources name"
    )
    command.add_argument("--configmaps", type=Path, help="folder with NAME/KEY for configmap:// sources")
    command.add_argument("--claims", type=Path, help="folder with CLAIM/PATH for pvc:// sources")
    return command
