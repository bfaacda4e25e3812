"""Deterministic ``.npz`` files: plain arrays, no pickle, and one readable member ``meta.json``.

Members stand uncompressed, in sorted order, with a fixed date, and ``meta.json`` last: equal content is equal
bytes. ``numpy.load`` opens the file, and ``unzip -p file.npz meta.json`` shows what it is.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from glasso_cli.errors import GIVE_AN_ARTIFACT, ForeignFileError, InputError
from glasso_cli.files import atomic_write, os_reason, require_regular

META = "meta.json"
_DATE = (1980, 1, 1, 0, 0, 0)
_MAP_FROM = 1 << 20  # bytes; larger members are mapped, not read
_LONGEST_META = 64 << 20  # bytes
# What zipfile, zlib, json and numpy raise for bytes that are not what they should be.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    ValueError,
    EOFError,
    RuntimeError,
    OSError,
    OverflowError,
    MemoryError,
    SyntaxError,
    TypeError,
    KeyError,
)


@dataclass(frozen=True)
class Chunked:
    """An array that is written piece by piece: ``chunks()`` yields consecutive C-order parts."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    chunks: Callable[[], Iterable[np.ndarray]]


def write_npz(
    path: Path, arrays: Mapping[str, np.ndarray | Chunked], meta: dict[str, Any], *, keep_first: bool = False
) -> str:
    """The content digest of ``arrays`` (names, types, shapes, bytes), after writing them to ``path``.

    The digest also goes into ``meta`` as ``content``. With ``keep_first``, a file that is there by then stays.
    """
    digest = hashlib.sha256()
    with atomic_write(path, keep_first=keep_first) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            _write_member(archive, name, arrays[name], digest)
        content = digest.hexdigest()
        text = json.dumps({**meta, "content": content}, indent=1, sort_keys=True, ensure_ascii=False)
        archive.writestr(_member(META), text.encode())
    return content


def _write_member(archive: zipfile.ZipFile, name: str, array: np.ndarray | Chunked, digest: Any) -> None:
    if isinstance(array, Chunked):
        dtype, shape, chunks = array.dtype, array.shape, array.chunks()
    else:
        dtype, shape, chunks = array.dtype, array.shape, [array]
    if dtype.hasobject:
        raise TypeError(f"{name} holds Python objects, which only pickle could store")
    header = io.BytesIO()
    description = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(header, description)
    digest.update(f"{name}\0".encode() + header.getvalue())
    with archive.open(_member(f"{name}.npy"), "w", force_zip64=True) as member:
        member.write(header.getvalue())
        for chunk in chunks:
            data = np.ascontiguousarray(chunk, dtype=dtype).reshape(-1).view(np.uint8).data
            digest.update(data)
            member.write(data)


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _DATE)
    info.create_system = 3  # the same bytes on every platform
    info.external_attr = 0o644 << 16
    return info


# -- reading --------------------------------------------------------------------------------------


def read_meta(path: Path) -> dict[str, Any]:
    """The ``meta.json`` of ``path``; raises :class:`InputError` for anything but a glasso artifact.

    The arrays are not looked at: see :func:`verify`.
    """
    with _open(path) as archive:
        return _meta(path, archive)


def read_npz(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of ``path`` by name, large ones mapped read-only, and its ``meta.json``, all of it verified.

    Raises :class:`InputError` where the content is not what was written.
    """
    verify(path)
    return map_npz(path)


def map_npz(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """As :func:`read_npz`, of a file whose content was verified."""
    with _open(path) as archive:
        meta = _meta(path, archive)
        try:
            arrays = {_name(info): _array(path, archive, info) for info in _members(path, archive)}
        except _UNREADABLE as error:
            raise _damaged(path) from error
    return arrays, meta


def verify(path: Path) -> str:
    """The content digest of ``path``, computed from its arrays.

    Raises :class:`InputError` where it is not the digest that was written, or where anything cannot be read.
    """
    digest = hashlib.sha256()
    with _open(path) as archive:
        stored = _meta(path, archive).get("content")
        try:
            for info in sorted(_members(path, archive), key=_name):
                digest.update(f"{_name(info)}\0".encode())
                with archive.open(info) as member:
                    while chunk := member.read(_MAP_FROM):
                        digest.update(chunk)
        except _UNREADABLE as error:
            raise _damaged(path) from error
    if digest.hexdigest() != stored or not _ends_where_the_archive_does(path):
        raise _damaged(path)
    return digest.hexdigest()


def _ends_where_the_archive_does(path: Path) -> bool:
    """Whether the last bytes are the end of a zip archive without a comment: nothing follows it."""
    with open(path, "rb") as file:
        file.seek(-22, 2)
        end = file.read()
    return end[:4] == b"PK\x05\x06" and end[20:] == b"\0\0"


def _name(info: zipfile.ZipInfo) -> str:
    return info.filename.removesuffix(".npy")


def _members(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The arrays of an archive. We compress none: a small file that claims to hold gigabytes is not ours."""
    members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
    if any(info.compress_type != zipfile.ZIP_STORED for info in members):
        raise _foreign(path, "its arrays are compressed")
    return members


def _open(path: Path) -> zipfile.ZipFile:
    require_regular(path)
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({os_reason(error)}).", "Check the path and its permissions."
        ) from error
    except _UNREADABLE as error:
        if not _begins_like_a_zip(path):
            raise _foreign(path, "it is not an .npz file") from error
        raise _damaged(path) from error


def _begins_like_a_zip(path: Path) -> bool:
    """Whether ``path`` can be an artifact cut short; an empty file can."""
    with open(path, "rb") as file:
        return file.read(2) in (b"", b"PK")


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is truncated or damaged.", "Delete it and run the stage that writes it again.")


def _foreign(path: Path, reason: str) -> ForeignFileError:
    return ForeignFileError(
        f"{path} is not an artifact of glasso: {reason}.",
        GIVE_AN_ARTIFACT,
    )


def _meta(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    if META not in archive.namelist():
        raise _foreign(path, f"it has no {META}")
    info = archive.getinfo(META)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > _LONGEST_META:
        raise _foreign(path, f"its {META} is compressed, or longer than any that glasso writes")
    try:
        meta = json.loads(archive.read(info))
    except _UNREADABLE as error:
        raise _damaged(path) from error
    named = isinstance(meta, dict) and isinstance(meta.get("kind"), str)
    if not named or not isinstance(meta.get("schema"), int):
        raise _foreign(path, f"its {META} names no kind and schema")
    return dict(meta)


def _array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    if info.file_size < _MAP_FROM:
        with archive.open(info) as member:
            return np.lib.format.read_array(io.BytesIO(member.read()), allow_pickle=False)
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        name_length, extra_length = struct.unpack("<26x2H", file.read(30))
        file.seek(info.header_offset + 30 + name_length + extra_length)
        np.lib.format.read_magic(file)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        order: Literal["F", "C"] = "F" if fortran else "C"
        return np.memmap(path, dtype=dtype, mode="r", offset=file.tell(), shape=shape, order=order)
