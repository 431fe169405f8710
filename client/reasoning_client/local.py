"""Runs the trainer here, in a process of its own: the only module that knows it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reasoning_contract.spec import Data, Spec

from .errors import ClientError, Exit

LIBRARIES = ("torch", "trl", "transformers", "peft", "datasets")
"""What a training takes."""
TRYING = ("httpx", "huggingface_hub", "jinja2")
"""What scoring completions takes, and rich and yaml, which are here."""


def trying(data: Data) -> tuple[str, ...]:
    """Return what scoring completions takes: `TRYING`, and what reads the rows that they are tried on."""
    sets = (data.train, data.held_out)
    hub = any((rows.source or "").startswith("hf://") for rows in sets if rows)
    gym = any(rows.reasoning_gym for rows in sets if rows)
    return TRYING + ("datasets",) * hub + ("reasoning_gym",) * gym


def missing(names: Sequence[str]) -> list[str]:
    """Return which of some libraries are not installed, without importing one."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def require(what: str, names: Sequence[str]) -> None:
    """Refuse to start what lacks libraries.

    Raises
    ------
    ClientError
        If the trainer or one of the libraries is not installed.
    """
    lacking = missing(["reasoning_trainer", *names])
    if lacking:
        raise ClientError(
            f"{what} takes the trainer's libraries; not installed here: {', '.join(lacking)}",
            "in a clone: pip install '.[client,trainer]' (on a GPU also gpu), or apply the manifest: the "
            "cluster's image has them",
            Exit.NOT_FOUND,
        )


def trainer(*arguments: str | Path) -> int:
    """Run a command of the trainer and return its exit code."""
    command = [sys.executable, "-m", "reasoning_trainer", *map(str, arguments)]
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 130


def memory(given: Spec, config: Mapping[str, Any]) -> list[str]:
    """Return on what GPU a job fits, by the trainer's own estimate, for each backend that it may get.

    Parameters
    ----------
    given
        The spec as given.
    config
        The model's config.json.
    """
    require("the estimate of memory", ())
    from reasoning_trainer.commands.findings import gpu_memory

    return [finding.message for finding in gpu_memory(given, config)]


def model_config(source: str, revision: str | None, token: str | None) -> dict[str, Any] | None:
    """Return the config.json of a model: of a folder, or of the Hub; None where it cannot be had from here.

    Raises
    ------
    ClientError
        If the Hub's answer is no.
    """
    scheme, _, rest = source.partition("://")
    if scheme == "file":
        path = Path("/") / rest.lstrip("/") / "config.json"
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else None
    if scheme != "hf" or missing(["httpx"]):
        return None
    import httpx

    url = f"https://huggingface.co/{rest}/raw/{revision or 'main'}/config.json"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx.get(url, headers=headers, follow_redirects=True, timeout=20)
    except httpx.HTTPError as error:
        raise ClientError(f"{url} cannot be read: {error}", "give the file: --model-config config.json") from None
    if answer.status_code != httpx.codes.OK:
        raise ClientError(
            f"{url} cannot be read: status {answer.status_code}",
            "set HF_TOKEN for a private model, or give the file: --model-config config.json",
        )
    return dict(answer.json())
