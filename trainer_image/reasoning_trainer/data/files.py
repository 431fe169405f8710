"""Reads files of rows: JSON, CSV and Parquet, compressed or not."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import invalid_data
from ..storage.lfs import is_pointer
from .malformed import MalformedError, not_utf8, refuse_strange
from .parquet import read_parquet

Record = dict[str, Any]
GZIP, ZSTD, PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
"""What files of these formats begin with."""
COMPRESSED = (".gz", ".gzip", ".zst", ".zstd")
AGAIN = "copy or download the file again"
MAX_DIGITS = 4000
"""A JSON integer of more digits is read as text: Python converts no longer ones."""
SEPARATORS = (",", ";", "\t", "|")
SPACE = re.compile("[ \t\r\n\ufeff]*")
"""What may stand between objects: files that were put together have a byte order mark in their middle too."""
NESTED = 64
"""Most lists and objects within each other: what is done with rows goes into them by calls within calls."""


def read_file(path: Path, name: str) -> list[Record]:
    """Read a file of rows: JSON (an object a line, or an array), CSV, TSV or Parquet, also with gzip or zstd.

    Parameters
    ----------
    path
        The file; its ending says its format, before that of a compression.
    name
        What messages call it: the source in the spec.

    Raises
    ------
    TrainerError
        If there is no such file, its format is not known, or it is malformed; of text formats with the line's number.
    """
    if not path.is_file():
        what = "is a folder: name a file in it" if path.is_dir() else "does not exist"
        raise invalid_data("DatasetNotFound", f"{name} {what}", "check the source's name and path")
    content = path.read_bytes()
    if is_pointer(content):
        raise invalid_data(
            "GitLfsPointer",
            f"{name} is a pointer of Git LFS, a text that stands for the file",
            "fetch the file itself: git lfs pull in the checkout that it was copied from",
        )
    try:
        content = _decompressed(content)
        refuse_strange(content)
        reader = read_parquet if content.startswith(PARQUET) else _reader_of(path, name)
        return _flat_enough(reader(content))
    except MalformedError as error:
        raise invalid_data("DatasetMalformed", f"{name}{error}", error.hint) from error


def _flat_enough(records: list[Record]) -> list[Record]:
    for number, record in enumerate(records, 1):
        for column, value in record.items():
            if not _is_flat(value, NESTED):
                raise MalformedError(f", row {number}, column {column!r}: more than {NESTED} lists within each other")
    return records


def _is_flat(value: Any, left: int) -> bool:
    if not isinstance(value, dict | list | tuple):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return left > 0 and all(_is_flat(each, left - 1) for each in inner)


def _reader_of(path: Path, name: str) -> Callable[[bytes], list[Record]]:
    endings = [ending.lower() for ending in path.suffixes if ending.lower() not in COMPRESSED]
    reader = READERS.get(endings[-1]) if endings else None
    if reader is None:
        raise invalid_data(
            "DatasetFormatUnknown",
            f"{name} has no ending that names its format",
            f"rename it so that it ends in one of {', '.join(READERS)}",
        )
    return reader


def _decompressed(content: bytes) -> bytes:
    if content.startswith(GZIP):
        try:
            return gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise MalformedError(f": not whole gzip: {error}", AGAIN) from error
    return _without_zstd(content) if content.startswith(ZSTD) else content


def _without_zstd(content: bytes) -> bytes:
    import pyarrow

    try:
        with pyarrow.CompressedInputStream(pyarrow.BufferReader(content), "zstd") as stream:
            return bytes(stream.read())
    except OSError as error:
        raise MalformedError(f": not whole zstd: {error}", AGAIN) from error


def _read_json(content: bytes) -> list[Record]:
    """Read an array of objects, or objects one after the other, a line each or not."""
    text = _text(content)
    if text.lstrip().startswith("["):
        return _objects(_parse(text))
    try:
        return _lines(text)
    except MalformedError:
        spread = _spread(text)
        if spread is None:
            raise
        return spread


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(content, error.start) from error


def _lines(text: str) -> list[Record]:
    # not splitlines: JSON strings may hold other line separators, such as U+2028
    lines = enumerate(text.split("\n"), 1)
    return [
        _object(_parse(line.lstrip("\ufeff"), number), f", line {number}") for number, line in lines if line.strip()
    ]


def _spread(text: str) -> list[Record] | None:
    """Read objects that are written over several lines each; None if the text is none of that kind."""
    records, at = [], _after_space(text, 0)
    while at < len(text):
        try:
            value, at = DECODER.raw_decode(text, at)
        except (ValueError, RecursionError, _TwiceError):
            return None
        records.append(value)
        at = _after_space(text, at)
    return records if all(isinstance(record, dict) for record in records) else None


def _after_space(text: str, at: int) -> int:
    return SPACE.match(text, at).end()  # type: ignore[union-attr] # it matches nothing too


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= MAX_DIGITS else digits


def _fields(pairs: list[tuple[str, Any]]) -> Record:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return fields


class _TwiceError(Exception):
    """A name that stands twice in an object."""


DECODER = json.JSONDecoder(parse_int=_integer, object_pairs_hook=_fields)


def _parse(text: str, line: int = 1) -> Any:
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        what = f"not JSON: {error.msg.removesuffix(' at')} at column {error.colno}"
        raise MalformedError(f", line {line + error.lineno - 1}: {what}") from error
    except RecursionError as error:
        raise MalformedError(f", line {line}: nested too deeply") from error
    except _TwiceError as error:
        where = f", line {line}" if "\n" not in text else ""
        raise MalformedError(f"{where}: an object has the field {str(error)!r} twice") from error


def _objects(values: Any) -> list[Record]:
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise MalformedError(f": needs a list of objects; row {number} is a {type(value).__name__}")
    return list(values)


def _object(value: Any, where: str) -> Record:
    if not isinstance(value, dict):
        raise MalformedError(f"{where}: a {type(value).__name__} where an object is needed")
    return value


ONE_OBJECT = "save a list of objects, or an object a line; with pandas: to_json(path, orient='records', lines=True)"


def _read_document(content: bytes) -> list[Record]:
    """Read as `_read_json`, but no object alone: what is one document holds its rows in a list."""
    records = _read_json(content)
    if len(records) == 1 and not content.lstrip().removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        held = next((name for name, value in records[0].items() if _are_rows(value)), None)
        has = f", as its {held!r} is: save that list alone" if held else ", or an object a line"
        raise MalformedError(f": a single object, where a document needs a list of objects{has}", ONE_OBJECT)
    return records


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(_is_row(each) for each in value)


def _is_row(value: Any) -> bool:
    return isinstance(value, dict) and not {"role", "from"} & value.keys()


def _read_csv(content: bytes, separator: str = ",") -> list[Record]:
    csv.field_size_limit(sys.maxsize)  # the module's limit of 128 KiB is for all readers of the process
    text = io.StringIO(_text(content), newline="")
    return list(_csv_records(csv.reader(text, delimiter=separator, strict=True), separator))


def _csv_records(reader: Any, separator: str) -> Iterator[Record]:
    try:
        header = [name.strip() for name in next(reader, [])]
        other = next((each for each in SEPARATORS if each != separator and each in "".join(header)), None)
        if len(header) == 1 and other:
            raise MalformedError(f", line 1: its fields are separated by {other!r}, and not by {separator!r}")
        if again := sorted({name for name in header if header.count(name) > 1}):
            raise MalformedError(f", line 1: two columns are named {again[0]!r}")
        for row in reader:
            if row and len(row) != len(header):
                raise MalformedError(f", line {reader.line_num}: {len(row)} fields where the header has {len(header)}")
            if row:
                yield dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise MalformedError(f", line {reader.line_num}: not CSV: {error}") from error


def _read_tsv(content: bytes) -> list[Record]:
    return _read_csv(content, "\t")


READERS: dict[str, Callable[[bytes], list[Record]]] = {
    ".jsonl": _read_json,
    ".ndjson": _read_json,
    ".json": _read_document,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": read_parquet,
}
