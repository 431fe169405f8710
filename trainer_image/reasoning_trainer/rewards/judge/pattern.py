"""Matches an answer against a regular expression, in time that is bounded whatever the expression.

The standard library's engine tries one way after the other, and for some expressions there is no end of ways. This one
follows all of them at once: of each part it knows where in the text it can end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

MAX_COUNT = 100
"""Times that a part must come at least, the times of the parts around it included."""
Matcher: TypeAlias = Callable[[str, frozenset[int]], frozenset[int]]
"""(text, places where it may begin) -> places where it may end."""

SIGN = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\[^0-9bBAZ]|[^\\()\[\]|*+?{}^$]", re.DOTALL)
COUNT = re.compile(r"(?:([*+?])|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})\??")
COUNTS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class UnknownPatternError(ValueError):
    """The expression has what this engine does not know, such as a back reference or a look ahead."""


def matches(pattern: str, text: str) -> bool | None:
    """Return whether the whole text matches; None if the pattern is none that is known.

    Known are signs, classes in brackets, ``\\d \\w \\s``, groups, ``|``, ``* + ? {2,3}``, ``(?i)`` at the beginning.
    """
    try:
        matcher = _compiled(pattern)
    except (UnknownPatternError, re.error):
        return None
    return len(text) in matcher(text, frozenset((0,)))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Matcher:
    body = pattern.removeprefix("(?i)")
    flags = re.IGNORECASE if body != pattern else re.NOFLAG
    return _Compiler(body.removeprefix("^"), flags).whole()


class _Compiler:
    """Recursive descent through an expression."""

    def __init__(self, pattern: str, flags: re.RegexFlag) -> None:
        self._pattern, self._flags = pattern, flags
        self._position, self._least = 0, 1

    def whole(self) -> Matcher:
        matcher = self._either()
        if self._pattern[self._position :] not in ("", "$"):
            raise UnknownPatternError(self._pattern[self._position :])
        return matcher

    def _either(self) -> Matcher:
        ways = [self._sequence()]
        while self._take("|"):
            ways.append(self._sequence())
        return lambda text, starts: frozenset().union(*(way(text, starts) for way in ways))

    def _sequence(self) -> Matcher:
        steps: list[Matcher] = []
        while self._position < len(self._pattern) and self._pattern[self._position] not in "|)$":
            steps.append(self._counted())

        def follow(text: str, places: frozenset[int]) -> frozenset[int]:
            for step in steps:
                places = step(text, places)
            return places

        return follow

    def _counted(self) -> Matcher:
        part = self._part()
        count = COUNT.match(self._pattern, self._position)
        if count is None:
            return part
        self._position = count.end()
        low, high = COUNTS[count[1]] if count[1] else _bounds(count)
        self._least *= max(low, 1)
        if self._least > MAX_COUNT:
            raise UnknownPatternError("too many times")
        return lambda text, starts: _repeated(part, text, starts, low, high)

    def _part(self) -> Matcher:
        if self._take("(?:") or (not self._pattern.startswith("(?", self._position) and self._take("(")):
            inner = self._either()
            if not self._take(")"):
                raise UnknownPatternError("a group that is not closed")
            return inner
        sign = SIGN.match(self._pattern, self._position)
        if sign is None:
            raise UnknownPatternError(self._pattern[self._position :])
        self._position = sign.end()
        one = re.compile(sign[0], self._flags)
        return lambda text, starts: frozenset(place + 1 for place in starts if one.match(text, place))

    def _take(self, expected: str) -> bool:
        found = self._pattern.startswith(expected, self._position)
        self._position += len(expected) * found
        return found


def _bounds(count: re.Match[str]) -> tuple[int, int | None]:
    low = int(count[2])
    return low, int(count[4]) if count[4] else None if count[3] else low


def _repeated(part: Matcher, text: str, starts: frozenset[int], low: int, high: int | None) -> frozenset[int]:
    for _ in range(low):
        starts = part(text, starts)
    reached = fresh = starts
    for _ in range(len(text) if high is None else high - low):
        fresh = part(text, fresh) - reached
        if not fresh:
            break
        reached |= fresh
    return reached
