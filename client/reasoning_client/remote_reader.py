"""The program that reads a run's folder from within a pod: it is sent there as text, and needs Python alone.

``list ROOT NAME...`` writes a JSON line for each file under the names; ``read PATH OFFSET`` writes the file from there
on; ``hash PATH`` its SHA-256.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator


def main(command: str, root: str, *rest: str) -> None:
    """Run a command."""
    if command == "list":
        for name in rest:
            for path in _files(os.path.join(root, name)):
                entry = {"path": os.path.relpath(path, root), "size": os.path.getsize(path)}
                print(json.dumps(entry))
    elif command == "read":
        with open(root, "rb") as file:
            file.seek(int(rest[0]))
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 18)
    elif command == "hash":
        with open(root, "rb") as file:
            print(hashlib.file_digest(file, "sha256").hexdigest())


def _files(top: str) -> Iterator[str]:
    """Yield the files under a path; links are not followed: what they lead to is not the run's."""
    if os.path.isfile(top) and not os.path.islink(top):
        yield top
    for folder, _, names in os.walk(top):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


if __name__ == "__main__":
    main(*sys.argv[1:])
