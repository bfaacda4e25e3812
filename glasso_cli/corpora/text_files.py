"""Documents in local files: ``.txt``, ``.jsonl``, ``.csv`` and ``.parquet``, every error with its line.

Read with the standard library (Parquet with pyarrow) rather than with a data frame library, which would take the text
``NA`` for a missing value and a column of years for numbers.
"""

from __future__ import annotations

import csv
import glob
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from glasso_cli.errors import InputError

SUFFIXES = (".txt", ".jsonl", ".csv", ".parquet")
_CSV_FIELD = 2**31 - 1  # characters; the module's default of 131,072 is less than a long document
_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}

Row = tuple[str, Mapping[str, Any]]  # where it stands ("line 3"), and its columns


def matching_files(patterns: Iterable[str], owner: str) -> list[Path]:
    """The files that ``patterns`` name, each once, the matches of a pattern in sorted order.

    Raises :class:`InputError`, beginning with ``owner``, for a pattern without a file, and for a file that cannot hold
    texts: a folder, an unknown suffix, not readable, empty.
    """
    files: dict[Path, None] = {}
    for pattern in patterns:
        files.update(dict.fromkeys(_matches(os.path.expanduser(pattern), owner)))
    for path in files:
        _check_file(path)
    return list(files)


def _matches(pattern: str, owner: str) -> list[Path]:
    if os.path.exists(pattern):  # a name may hold brackets that are no pattern
        return [Path(pattern)]
    matches = [Path(item) for item in sorted(glob.glob(pattern, recursive=True))]
    if not matches:
        raise InputError(
            f"{owner}: no file matches '{pattern}'.",
            f"Paths are relative to where you run, which is {Path.cwd()}.",
        )
    return matches


def _check_file(path: Path) -> None:
    known = ", ".join(SUFFIXES)
    if path.is_dir():
        raise InputError(f"{path} is a folder.", f"Name files, such as {path}/*.txt.")
    if path.suffix.lower() not in SUFFIXES:
        suffix = f"the unknown suffix '{path.suffix}'" if path.suffix else "no suffix"
        raise InputError(f"{path} has {suffix}.", f"Known are: {known}.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read.", "Change its permissions.")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty.", "Leave it out, or fill it.")


def read_file(path: Path, *, lines: bool, column: str) -> Iterator[str]:
    """The documents of one file: rows of a table, and of a ``.txt`` file its lines, or all of it as one.

    Raises :class:`InputError` for a file that is not UTF-8, not what its suffix says, or without the column.
    """
    suffix = path.suffix.lower()
    if suffix != ".txt":
        return texts_of(str(path), _READERS[suffix](path, column), column)
    texts = (line.rstrip("\r\n") for line in _decoded_lines(path))
    return texts if lines else iter(["\n".join(texts)])


def texts_of(source: str, rows: Iterable[Row], column: str) -> Iterator[str]:
    """The text column of ``rows``, missing values as empty texts."""
    empty = True
    for place, row in rows:
        empty = False
        yield _text(source, place, row, column)
    if empty:
        raise no_rows(source)


def no_rows(source: str) -> InputError:
    """The error for a table without rows."""
    return InputError(f"{source} has no rows.", "Give a source with texts.")


def _text(source: str, place: str, row: Mapping[str, Any], column: str) -> str:
    if column not in row:
        names = ", ".join(str(name)[:40] for name in row)
        raise InputError(
            f"{source} has no column '{column}' ({place}).",
            f"Set the corpus's `text` to one of its columns: {names}.",
        )
    value = row[column]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(
            f"{source} holds {_kind(value)} instead of text in column '{column}' ({place}).",
            "Set the corpus's `text` to a column of strings.",
        )
    return value


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), f"a value of type {type(value).__name__}")


# -- formats --------------------------------------------------------------------------------------


def _decoded_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file with their ends; a byte order mark is skipped."""
    with open(path, "rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise _not_text(path, number, raw[error.start]) from None
            if "\0" in line:
                raise _not_text(path, number, 0)
            yield line


def _not_text(path: Path, line: int, byte: int) -> InputError:
    return InputError(
        f"{path} is not UTF-8 text: line {line} holds the byte 0x{byte:02x}.",
        "Convert it, for example with `iconv -f latin1 -t utf-8` (or -f utf-16).",
    )


def _read_jsonl(path: Path, column: str) -> Iterator[Row]:
    for number, line in enumerate(_decoded_lines(path), 1):
        if line.isspace():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}, line {number}, is not valid JSON: {_json_problem(error)}.",
                "Each line is one object, such as {" + f'"{column}": "…"' + "}.",
            ) from None
        if not isinstance(row, dict):
            raise InputError(
                f"{path}, line {number}, is {_kind(row)}, not an object.",
                "Each line is one object, such as {" + f'"{column}": "…"' + "}.",
            )
        yield f"line {number}", row


def _json_problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return str(error)


def _read_csv(path: Path, column: str) -> Iterator[Row]:
    csv.field_size_limit(_CSV_FIELD)
    reader = csv.reader(_decoded_lines(path), strict=True)
    try:
        header = next(reader, [])
        for fields in reader:
            if len(fields) not in (0, len(header)):
                raise csv.Error(f"it has {len(fields)} fields, and the header has {len(header)}")
            if fields:
                yield f"line {reader.line_num}", dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num}, is not valid CSV: {error}.",
            'Separate fields by commas, and quote a field that holds commas, quotes ("" inside) or line ends.',
        ) from None


def _read_parquet(path: Path, column: str) -> Iterator[Row]:
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if column not in names:
                yield "schema", dict.fromkeys(names)
            for batch in file.iter_batches(1024, columns=[column]):
                for value in batch.column(0).to_pylist():
                    number += 1
                    yield f"row {number}", {column: value}
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(
            f"{path} cannot be read as Parquet: {str(error).partition('. ')[0].rstrip('.')}.",
            "Write it again, or give another format.",
        ) from None


_READERS: dict[str, Callable[[Path, str], Iterator[Row]]] = {
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
