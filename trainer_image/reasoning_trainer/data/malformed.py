"""What is wrong with a file of rows, and what a file is that holds none: told by its first bytes."""

from __future__ import annotations

import re

MEND = "mend or remove that part of the file"
_SAVE = "save the rows as JSON lines in UTF-8"
_STRANGE: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive, or a table of Excel", "unpack it, or have Excel save it as CSV UTF-8"),
    (b"BZh", "compressed by bzip2", "unpack it with bunzip2, or use gzip or zstd"),
    (b"\xfd7zXZ", "compressed by xz", "unpack it with unxz, or use gzip or zstd"),
    (b"\x1f\x8b", "gzip within gzip", "unpack it once with gunzip"),
    (b"ARROW1", "an Arrow file", "write it as Parquet: pyarrow.parquet.write_table"),
    (b"\xff\xff\xff\xff", "an Arrow stream, as datasets saves to a disk", "write it as Parquet: Dataset.to_parquet"),
    (b"SQLite format 3", "a database of SQLite", _SAVE),
    (b"\x80\x04\x95", "a pickle of Python", _SAVE),
    (b"\x80\x05\x95", "a pickle of Python", _SAVE),
)
"""First bytes of files that people take for files of rows, what they are, and the way out."""
_ENCODED = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_UNMARKED_UTF_16 = re.compile(rb"[ -~\r\n]\0[ -~\r\n]\0")
_HTML = re.compile(rb"(?i)\s*<(!doctype html|html|head|body)\b")


class MalformedError(ValueError):
    """Where in a file, and what is wrong there.

    Parameters
    ----------
    message
        It follows the file's name: begins with a comma and a place, or with a colon.
    hint
        What to do.
    """

    def __init__(self, message: str, hint: str = MEND) -> None:
        super().__init__(message)
        self.hint = hint


def refuse_strange(content: bytes) -> None:
    """Refuse a file that is known to hold no rows in a form that is read.

    Raises
    ------
    MalformedError
        With what it is.
    """
    for first, what, hint in _STRANGE:
        if content.startswith(first):
            raise MalformedError(f": it is {what}", hint)
    for first, encoding in _ENCODED:
        if content.startswith(first):
            raise MalformedError(f": it is text in {encoding}", f"save it in UTF-8: iconv -f {encoding} -t UTF-8")
    if _UNMARKED_UTF_16.match(content):
        raise MalformedError(": it is text in UTF-16", "save it in UTF-8: iconv -f UTF-16LE -t UTF-8")
    if _HTML.match(content):
        raise MalformedError(
            ": it is a page of HTML, such as one that asks to sign in", "download the file itself, not its page"
        )


def not_utf8(content: bytes, place: int) -> MalformedError:
    """Return the error for text that is in another encoding from a place on."""
    line = content.count(b"\n", 0, place) + 1
    hint = "save it in UTF-8; of old tables: iconv -f WINDOWS-1252 -t UTF-8"
    return MalformedError(f", line {line}: not UTF-8 text", hint)
