"""Turns what a row holds into text and turns, and says by file, row and column where that cannot be."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from ..errors import TrainerError, invalid_data
from .examples import Message

SPEAKERS = {role: role for role in ("system", "user", "assistant")} | {"human": "user", "gpt": "assistant"}
"""Roles as data sets name them, and what they are."""
EXACT = 2**53
"""From here on not every integer is a float."""
HOLD_THE_VALUE = ("ground_truth", "answer", "value", "content", "text", "solution")
"""Fields that hold what is meant where a column holds objects, the likeliest first."""
UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Zs")
"""Unicode's categories of what is not seen."""
MEND = "fill it in or remove the row; of a Hub data set, put a copy without it on a claim"


def is_missing(value: Any) -> bool:
    """Whether there is no value: null, NaN, or text of which nothing is seen."""
    if isinstance(value, float | Decimal):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and not any(map(_is_seen, value)))


def _is_seen(character: str) -> bool:
    """Whether a character is neither space nor sign of control or format, such as a zero-width space."""
    return character > " " and unicodedata.category(character) not in UNSEEN


def is_text(value: Any) -> bool:
    """Whether a value of a row is text, or a number that stands for its text."""
    return isinstance(value, str | int | float | Decimal) and not isinstance(value, bool)


def only(value: Any) -> Any:
    """Return the one element of a list of one, nothing of an empty list, and any other value as it is."""
    if isinstance(value, list) and len(value) < 2:
        return value[0] if value else None
    return value


def missing(where: str, role: str) -> TrainerError:
    """Return the error for a row without a value that it must have."""
    return invalid_data("DatasetValueMissing", f"{where}: no {role}", MEND)


def invalid(where: str, what: str, hint: str) -> TrainerError:
    """Return the error for a value that cannot be used."""
    return invalid_data("DatasetValueInvalid", f"{where}: {what}", hint)


def text_of(value: Any, where: str) -> str:
    """Return a value as text: numbers as they are written, of a float that is an integer the integer.

    A column of integers with gaps is read as floats from CSV and Parquet by most tools, and a column of decimals has
    the same number of places in every row: neither is what the row says.

    Raises
    ------
    TrainerError
        If it is no text and no number, or a text that cannot be encoded.
    """
    if not is_text(value):
        raise invalid(where, f"a {type(value).__name__} where text is needed", _way_to_text(value))
    return _encodable(value, where) if isinstance(value, str) else _number(value, where)


def _way_to_text(value: Any) -> str:
    inner = [name for name in value if is_text(only(value[name]))] if isinstance(value, Mapping) else []
    if inner:
        likely = next((name for name in HOLD_THE_VALUE if name in inner), inner[0])
        return f"name what is in it by a path that ends in .{likely}, or choose another column"
    if isinstance(value, list):
        return (
            "name one of the list by a path that ends in .0, or choose another column; answers that are all accepted "
            "belong under columns.answers"
        )
    return "choose a column of text or numbers, or write it as text"


def list_of(value: Any, where: str) -> list[Any]:
    """Return a value that is a list, or a text that is one in JSON.

    Raises
    ------
    TrainerError
        If it is neither.
    """
    found = _parsed(value) if isinstance(value, str) else value
    if not isinstance(found, list):
        hint = 'give a list, such as ["7", "seven"]; a column with one answer a row belongs under columns.answer'
        inner = _way_to_text(value) if isinstance(value, Mapping) else hint
        raise invalid(where, f"a {type(value).__name__} where a list is needed", inner)
    return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _number(value: float | Decimal, where: str) -> str:
    if not math.isfinite(value):
        raise invalid(where, f"{value} is no number that can be compared", "mend or remove the row")
    if isinstance(value, Decimal):
        digits = f"{value:f}"
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return str(int(value))
    return str(value)


def _encodable(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = f"U+{ord(text[error.start]):04X}"
        what = f"half a character ({code}, a lone surrogate) at place {error.start + 1}"
        raise invalid(where, what, "mend the text: it was cut in the middle of a character") from error
    return text


def turns_of(value: Any, where: str) -> tuple[Message, ...]:
    """Return a conversation: turns of role and content, or of from and value; contents may be lists of texts.

    Raises
    ------
    TrainerError
        If it is none, or tools speak in it.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        what = f"a {type(value).__name__} where a list of turns with role and content is needed"
        other = "choose a column of conversations, or give columns prompt, reasoning and answer"
        is_json = isinstance(value, str) and value.lstrip().startswith("[")
        raise invalid(
            where, what, f"it is JSON within a text: save it as a list (json.loads); or {other}" if is_json else other
        )
    return tuple(_turn(turn, f"{where}, turn {number}") for number, turn in enumerate(value, 1))


def _turn(turn: Any, where: str) -> Message:
    said = turn if isinstance(turn, Mapping) else {}
    role = said.get("role", said.get("from"))
    if role in ("tool", "function", "ipython", "observation") or said.get("tool_calls"):
        raise invalid(
            where, "tools speak, and what they say would not be learned", "leave out conversations with tools"
        )
    if not isinstance(role, str) or role not in SPEAKERS:
        known = ", ".join(dict.fromkeys(SPEAKERS.values()))
        raise invalid(where, f"no turn of role ({known}) and content", "mend the row, or choose another column")
    content = _joined(said.get("content", said.get("value")), where)
    if is_missing(content):
        raise missing(where, f"content of {SPEAKERS[role]}")
    return Message(SPEAKERS[role], text_of(content, where))


def _joined(content: Any, where: str) -> Any:
    """Return the texts of a content that is written in parts as one text."""
    if not isinstance(content, list):
        return content
    texts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
    if not all(isinstance(text, str) for text in texts):
        raise invalid(where, "parts that are no text", "leave out conversations with images or sounds")
    return "".join(str(text) for text in texts)


def only_turn(value: Any, role: str, where: str) -> tuple[str | None, str]:
    """Return what is said in a prompt or completion that is written as a conversation of one question.

    Returns
    -------
    tuple
        What stands before it, and the last turn: of a prompt what the system says, of a completion the question.

    Raises
    ------
    TrainerError
        If it is a longer conversation.
    """
    turns = turns_of(value, where)
    speakers = [turn.role for turn in turns]
    last, before = ("user", "system") if role == "prompt" else ("assistant", "user")
    if speakers not in ([last], [before, last]):
        what = f"turns of {', '.join(speakers)}, where one question and one answer can be learned"
        hint = "leave such rows out; what a system turn says belongs into chatTemplate.systemPrompt"
        raise invalid(where, what, hint)
    return (turns[0].content if len(turns) > 1 else None), turns[-1].content
