"""Generates everything that is made from the contract: the CRD, the chart's copy of it and the API reference.

``python -m tools.generate`` writes the files, ``--check`` only says which are stale.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .files import generated


def main() -> int:
    """Write the generated files, or say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the repository's root")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is stale")
    arguments = parser.parse_args()
    stale = [
        path
        for path, text in generated(arguments.root).items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if arguments.check:
        for path in stale:
            print(f"{path.relative_to(arguments.root)} is stale: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(generated(arguments.root)[path], encoding="utf-8")
        print(f"wrote {path.relative_to(arguments.root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
