"""Trackers of experiments: what takes the figures of a run, beside the status and the report."""

from .checks import refuse_missing
from .trackers import Trackers

__all__ = ["Trackers", "refuse_missing"]
