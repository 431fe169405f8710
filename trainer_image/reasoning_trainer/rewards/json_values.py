"""Makes JSON of what columns hold, for those who score outside this process."""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .batch import Batch


def arguments_of(batch: Batch) -> dict[str, list[Any]]:
    """Return the keyword arguments of a reward function as TRL would call it, of JSON values."""
    given: dict[str, Any] = {"prompts": batch.prompts, "completions": batch.completions}
    given |= {} if batch.completion_ids is None else {"completion_ids": batch.completion_ids}
    return {name: [json_value(value) for value in column] for name, column in {**batch.columns, **given}.items()}


def json_value(value: Any) -> Any:
    """Return a value as JSON has it.

    Times become ISO 8601, decimals numbers, bytes base64, numbers that are none null, and anything else its text.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float() | Decimal():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {str(key): json_value(each) for key, each in value.items()}
        case list() | tuple() | set():
            return [json_value(each) for each in value]
        case datetime.date() | datetime.time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode("ascii")
    if hasattr(value, "tolist"):  # numpy's arrays and scalars
        return json_value(value.tolist())
    return str(value)
