"""Long texts on their way out of a box, of whose prints only the beginning comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

PAGE = 12_000
"""Characters that are printed at once: less than the box keeps."""
LIMIT = 2**20
"""Characters of a text that can be read."""
_text = ""


def answer(text: str) -> list[float]:
    """Print a text's length and first page, and return what a function of one row returns."""
    global _text
    _text = text[:LIMIT]
    print(f"{len(_text)}\n{_text[:PAGE]}", end="")
    return [1.0]


def page(start: Sequence[int]) -> list[float]:
    """Print the page of the last text that begins there."""
    print(_text[start[0] : start[0] + PAGE], end="")
    return [1.0]


def read(first: str, more: Callable[[int], str]) -> str:
    """Return the whole text, outside the box.

    Parameters
    ----------
    first
        What `answer` printed; what the code wrote past Python's streams comes behind it.
    more
        Returns what `page` prints for a place.

    Raises
    ------
    ValueError
        If that is no such text.
    """
    length, newline, text = first.partition("\n")
    if not newline or not length.isdecimal() or int(length[:10]) > LIMIT:
        raise ValueError(f"no text: {first[:100]!r}")
    size = int(length)
    pages = [text[: min(size, PAGE)]]
    pages += [more(start)[: min(size - start, PAGE)] for start in range(PAGE, size, PAGE)]
    whole = "".join(pages)
    if len(whole) != size:
        raise ValueError(f"{len(whole)} of {size} characters")
    return whole
