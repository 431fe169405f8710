"""Which job an event of kopf's leads to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reasoning_operator.handlers import registry
from reasoning_operator.model import Key


@pytest.mark.parametrize(("label", "keys"), [("sums", [Key("team", "sums")]), ("", [])])
def test_label_of_a_child_names_its_job_and_an_empty_one_none(label: str, keys: list[Key]) -> None:
    added: list[Key] = []
    handlers = registry(added.append)._watching.get_all_handlers()
    child: Any = next(handler.fn for handler in handlers if handler.fn.__name__ == "child")
    asyncio.run(child(namespace="team", labels={"reasoning-operator.io/job": label}))
    assert added == keys
