"""The box: runs the code that users write behind walls that it puts up around itself, as a child or beside a socket."""

from .client import BoxClient
from .inside.confine import Limits
from .inside.walls import Walls
from .interface import Box, BoxAnswer, BoxError, Function, MissingWallError, Problem
from .process import BoxProcess

__all__ = [
    "Box",
    "BoxAnswer",
    "BoxClient",
    "BoxError",
    "BoxProcess",
    "Function",
    "Limits",
    "MissingWallError",
    "Problem",
    "Walls",
]
