"""Reads Parquet, whose columns may hold what Python has no value for."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .malformed import MalformedError

LEAVE_OUT = "write the file without that column, or with the column as text"


def read_parquet(content: bytes) -> list[dict[str, Any]]:
    """Read the rows of a Parquet file.

    Raises
    ------
    MalformedError
        If it is none, has two columns of one name, or values that Python cannot hold, such as a date of the year
        100,000.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content))
        names = file.schema_arrow.names
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise MalformedError(f": two columns are named {twice[0]!r}", "write the file with one of them")
        table = file.read()
    except (pyarrow.ArrowException, OSError) as error:
        raise MalformedError(
            f": not Parquet: {' '.join(str(error).split())}", "write or copy the file again"
        ) from error
    columns = {name: _values(name, table.column(name)) for name in names}
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(name: str, column: Any) -> list[Any]:
    import pyarrow

    if column.type in (pyarrow.float16(), pyarrow.float32()):
        # by their text: 0.1 in 32 bits is 0.1, and not the 0.10000000149011612 that it is in 64
        column = column.cast(pyarrow.float32()).cast(pyarrow.string()).cast(pyarrow.float64())
    try:
        values: list[Any] = column.to_pylist()
    except (pyarrow.ArrowException, ValueError, OverflowError, LookupError) as error:
        raise MalformedError(f", column {name!r}: {type(error).__name__}: {error}", LEAVE_OUT) from error
    return values
