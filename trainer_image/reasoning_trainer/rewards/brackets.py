"""Tags that are brackets, such as ``\\boxed{`` and ``}``: the bracket that closes a block is the one that matches."""

from __future__ import annotations

import re
from functools import cache

CLOSING = {"{": "}", "(": ")", "[": "]"}
FIRST_MARK = 0xFDD0
"""First of the code points that Unicode keeps from every text: they stand for the tags once they are found."""
WITHOUT_MARKS = dict.fromkeys(range(FIRST_MARK, FIRST_MARK + 32))


def in_pairs(text: str, tags: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return text and tags in which no tag is a bracket: such tags are replaced where they match.

    Takes time linear in the text.

    Parameters
    ----------
    text
        A completion.
    tags
        Pairs of tags, one after the other.
    """
    found: list[str] = []
    text = text.translate(WITHOUT_MARKS)
    for start, end in zip(tags[::2], tags[1::2], strict=True):
        if CLOSING.get(start[-1]) == end[0]:
            marks = chr(FIRST_MARK + len(found)), chr(FIRST_MARK + len(found) + 1)
            text, start, end = _marked(text, start, end, *marks), *marks
        found += (start, end)
    return text, tuple(found)


def _marked(text: str, start: str, end: str, opens: str, closes: str) -> str:
    """Replace every start by a mark, and every end that stands where the bracket of a start is closed by the other."""
    pieces: list[str] = []
    reached = 0
    open_brackets: list[bool] = []  # of each, whether a tag has opened it
    for match in _pattern(start).finditer(text):
        if match.start() < reached or match["escaped"]:
            continue
        mark, length = "", 0
        if match["tag"]:
            open_brackets.append(True)
            mark, length = opens, len(start)
        elif match["opening"]:
            open_brackets.append(False)
        elif open_brackets and open_brackets.pop() and text.startswith(end, match.start()):
            mark, length = closes, len(end)
        if mark:
            pieces += (text[reached : match.start()], mark)
            reached = match.start() + length
    return "".join((*pieces, text[reached:]))


@cache
def _pattern(start: str) -> re.Pattern[str]:
    tag, opening, closing = map(re.escape, (start, start[-1], CLOSING[start[-1]]))
    return re.compile(rf"(?P<tag>{tag})|(?P<escaped>\\[{opening}{closing}])|(?P<opening>{opening})|{closing}")
