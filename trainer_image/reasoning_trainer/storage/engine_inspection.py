"""vLLM's look at a model's class, taken while the libraries are imported.

Before it builds an engine vLLM asks a process of its own what the model's class can do, which imports everything once
more: 25 s of a start on empty caches. The answer is kept in its cache (``_LazyRegisteredModel``), so it can be had
before it is asked for.

    python -m reasoning_trainer.storage.engine_inspection ARCHITECTURE ...
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

COMMAND = (sys.executable, "-m", "reasoning_trainer.storage.engine_inspection")


@contextmanager
def begun(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Have vLLM look at a model while something else is done, and wait for it in the end.

    One that fails is said and harms nothing: the engine looks again.

    Parameters
    ----------
    folder
        Where the model's config.json lies.
    say
        Prints a line for people.
    """
    wanted = unknown(architectures(folder), Path(os.environ["VLLM_CACHE_ROOT"]))
    if not wanted:
        yield
        return
    with TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen([*COMMAND, *wanted], stdout=subprocess.DEVNULL, stderr=errors)
        try:
            yield
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.wait():
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["no word"])[-1]
            say(f"vLLM's look at {', '.join(wanted)} ahead of time failed, and is taken again: {last}")


def architectures(folder: Path) -> list[str]:
    """Return the names of a model's classes, as its config.json has them; none where that does not say.

    Of one that cannot be read the model's loader tells.
    """
    try:
        found = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return []
    names = found.get("architectures") if isinstance(found, dict) else None
    return [str(each) for each in names] if isinstance(names, list) else []


def unknown(names: Sequence[str], cache: Path) -> list[str]:
    """Return those classes that vLLM has not looked at, by the names of the files in its cache."""
    return [name for name in names if not any((cache / "modelinfos").glob(f"*-{name}.json"))]


def main(names: Sequence[str]) -> None:
    """Look at classes, and leave what was seen in vLLM's cache."""
    from vllm.model_executor.models import registry

    # vLLM does this in a child, to keep CUDA out of its own process: this is that child
    registry._run_in_subprocess = lambda look: look()
    for name in names:
        if name in registry.ModelRegistry.models:
            registry.ModelRegistry.models[name].inspect_model_cls()


if __name__ == "__main__":
    main(sys.argv[1:])
