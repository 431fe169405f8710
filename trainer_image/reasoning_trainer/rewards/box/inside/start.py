"""Starts the runner in a fresh interpreter, by this file's path: the trainer's package is not on its path."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

ALIAS = "reward_box"


def main() -> None:
    """Import this folder as a package of its own, and run."""
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        ALIAS, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec
    assert spec.loader
    sys.modules[ALIAS] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    importlib.import_module(f"{ALIAS}.runner").main()


if __name__ == "__main__":
    main()
