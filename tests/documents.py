"""Reads HTML as strictly as a test needs it."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta"}
"""Elements that are never closed."""


class Document(HTMLParser):
    """A page whose every element is closed in its turn.

    Attributes
    ----------
    elements
        Tags with their attributes, in order.
    text
        What stands between the tags.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]

    def values(self, tag: str, attribute: str) -> list[str | None]:
        """Return an attribute of every element of a kind that has it."""
        return [found[attribute] for name, found in self.elements if name == tag and attribute in found]
