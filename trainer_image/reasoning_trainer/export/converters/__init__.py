"""Programs that write a merged model in another form, each in a process of its own, which `run` starts.

They start from a folder, so they are the same for every backend, and what a library does to itself or to the memory
while it converts ends with the process.
"""

from __future__ import annotations

from .process import run
from .rehearsal import rehearse

__all__ = ["rehearse", "run"]
