"""Makes a manifest of a training script or a notebook, by its syntax tree: nothing of it is run."""

from __future__ import annotations

from .converting import Converted, convert
from .reading import read_script

__all__ = ["Converted", "convert", "read_script"]
