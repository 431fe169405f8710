"""A real Prometheus of a test's own."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from tests.cluster.operator_under_test import free_port
from tests.watch import drawing


class Prometheus(drawing.Prometheus):
    """Prometheus as a process.

    Parameters
    ----------
    program
        The program.
    folder
        Where its configuration and its data go.
    settings
        Its configuration.
    """

    def __init__(self, program: Path, folder: Path, settings: dict[str, Any]) -> None:
        port = free_port()
        super().__init__(f"http://127.0.0.1:{port}")
        (folder / "prometheus.yml").write_text(json.dumps(settings))
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def get(self, path: str) -> Any:
        """Return what its API says under a path, as data; nothing while it does not serve yet."""
        try:
            with urllib.request.urlopen(f"{self.address}/api/v1/{path}", timeout=5) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(20)
        self._log.close()
