"""Runs `rtj` as its entry point does, without a cluster."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import NamedTuple
from unittest import mock

from reasoning_client.cli.main import main


class Done(NamedTuple):
    code: int
    out: str
    err: str


def rtj(*words: str, stdin: str = "") -> Done:
    """Return what a command ended with and said."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "stdin", io.StringIO(stdin)),
    ):
        code = main(list(words))
    return Done(code, out.getvalue(), err.getvalue())
