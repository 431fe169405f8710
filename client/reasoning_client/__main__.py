"""``python -m reasoning_client COMMAND``: the same as `rtj`."""

from __future__ import annotations

from .cli.main import run

run()
