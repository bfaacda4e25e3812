"""Documents that are arrays: from a file, from a folder of images, or from Python code."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli import digests
from glasso_cli.config import CorpusSection
from glasso_cli.corpora.documents import pin_corpus
from glasso_cli.corpora.images import dataset_images, image_files, read_image
from glasso_cli.errors import InputError
from glasso_cli.models.modules.code import code_digest, errors_of_code, load_name

LEAST = 16  # documents on which errors can rest
_KEYS = ("values", "documents", "lengths", "symbols")


@dataclass(frozen=True, eq=False)
class ArrayCorpus:
    """N items, each an array, and the document that each belongs to, ``documents (N,)`` counted from 0.

    An item goes through the network as a whole. ``symbols`` are what whole numbers in the items stand for, if anything.
    ``display`` is a mean and a standard deviation by channel that undo what was done to brightness from 0 to 1.
    """

    items: Sequence[Any]
    documents: np.ndarray
    symbols: np.ndarray | None = None
    prepare: Callable[[Any], Any] | None = None
    display: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def n_documents(self) -> int:
        return int(self.documents.max()) + 1

    @cached_property
    def lengths(self) -> list[int]:
        """The length of the first axis of every item; files of images are decoded later, and checked then."""
        if callable(self.items[0]):
            return [len(self.item(0))] * len(self.items)
        if self.prepare is not None:
            return [len(self.item(index)) for index in range(len(self.items))]
        return [len(item) if np.ndim(item) else 1 for item in self.items]

    def item(self, index: int) -> np.ndarray:
        """One item as the network reads it; :class:`InputError` for what is no array of numbers."""
        item = self.items[index]
        if callable(item):
            item = item()
        if self.prepare is not None:
            with errors_of_code("the second of what model.target gives", "model.target"):
                item = self.prepare(item)
        array = np.asarray(item)
        if array.dtype.kind not in "fiub" or array.ndim == 0:
            raise InputError(
                f"Document {index} is {array.dtype} of shape {array.shape}, which is no array of numbers.",
                "Give arrays of numbers, or a model.target whose second value turns a document into one.",
            )
        array = np.ascontiguousarray(array, dtype=np.int64 if array.dtype.kind in "iub" else np.float32)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"Document {index} has values that are not finite.", "Remove nan and infinite values.")
        return array


def read_arrays(name: str, corpus: CorpusSection, prepare: Callable[[Any], Any] | None = None) -> ArrayCorpus:
    """The items of ``corpus``, at most ``max_documents`` documents; ``prepare`` is applied to each when it is read.

    Raises :class:`InputError` for a file, a folder or code that cannot be read, and for fewer than 16 documents.
    """
    key = f"corpora.{name}"
    symbols = None
    if corpus.arrays is not None:
        items, owners, symbols = _of_file(Path(corpus.arrays), key)
    elif corpus.images is not None:
        files = image_files(Path(corpus.images), key)
        items, owners = [_image(path, corpus, raw=prepare is not None) for path in files], list(range(len(files)))
    elif corpus.dataset is not None:
        items = dataset_images(corpus, raw=prepare is not None)
        owners = range(len(items))
    else:
        items, owners, symbols = _of_code(str(corpus.module), f"{key}.module", corpus.max_documents)
    documents = _numbered(owners)
    if corpus.max_documents is not None:
        kept = np.flatnonzero(documents < corpus.max_documents)
        items, documents = [items[index] for index in kept], documents[kept]
    _refuse_few(documents, key)
    scaled = corpus.module is None and corpus.arrays is None and prepare is None
    display = (np.array(corpus.mean, np.float32), np.array(corpus.std, np.float32)) if scaled else None
    return ArrayCorpus(items, documents, symbols, prepare, display)


def arrays_in_memory(
    items: Sequence[Any] | np.ndarray,
    documents: Sequence[Any] | np.ndarray | None,
    symbols: Sequence[Any] | None,
    prepare: Callable[[Any], Any] | None,
) -> ArrayCorpus:
    """``items`` as a corpus, one document each unless ``documents`` says which belong together.

    Raises :class:`InputError` for names of documents that are not one for each item, and for fewer than 16 documents.
    """
    owners = list(range(len(items))) if documents is None else list(documents)
    if len(owners) != len(items):
        raise InputError(
            f"There are {len(owners):,} names of documents for {len(items):,} items.",
            "Give one for each item, or none.",
        )
    numbers = _numbered(owners)
    _refuse_few(numbers, "The corpus")
    return ArrayCorpus(list(items), numbers, None if symbols is None else np.asarray(symbols), prepare)


def _refuse_few(documents: np.ndarray, key: str) -> None:
    found = len(np.unique(documents))
    if found < LEAST:
        raise InputError(
            f"{key} has {found} documents, but errors rest on documents and need at least {LEAST}.",
            "Give more documents; crops of one photograph or pieces of one recording are one document.",
        )


def pin_documents(name: str, corpus: CorpusSection) -> dict[str, Any]:
    """What identifies the content of ``corpus``, of texts or of anything else."""
    return pin_corpus(name, corpus) if corpus.has_texts else pin_arrays(name, corpus)


def pin_arrays(name: str, corpus: CorpusSection) -> dict[str, Any]:
    """What identifies the content of ``corpus``: digests of its files, or of the code that gives it."""
    key = f"corpora.{name}"
    if corpus.arrays is not None:
        return {"sha256": digests.file_digests([_file(Path(corpus.arrays), key)])}
    if corpus.images is not None:
        files = image_files(Path(corpus.images), key)
        return {"sha256": digests.file_digests(files), "names": [path.name for path in files]}
    if corpus.dataset is not None:
        return pin_corpus(name, corpus)
    return {"code": code_digest(str(corpus.module), f"{key}.module")}


# -- files ----------------------------------------------------------------------------------------


def _file(path: Path, key: str) -> Path:
    if not path.is_file():
        raise InputError(f"{key}.arrays: there is no file {path}.", "Check the path.")
    if path.suffix not in (".npy", ".npz"):
        raise InputError(
            f"{key}.arrays: {path.name} is neither .npy nor .npz.", "Write it with numpy.save or numpy.savez."
        )
    return path


def _of_file(path: Path, key: str) -> tuple[list[Any], Iterable[Any], np.ndarray | None]:
    """Items, the document of each, and symbols, of a .npy or .npz file."""
    try:
        loaded = np.load(_file(path, key), allow_pickle=False)
        arrays = {"values": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"{key}.arrays: {path.name} cannot be read: {' '.join(str(error).split())[:200]}",
            "Write it with numpy.save or numpy.savez, without objects.",
        ) from error
    unknown = sorted(set(arrays) - set(_KEYS))
    if "values" not in arrays or unknown:
        fault = f"has '{unknown[0]}'" if unknown else "has no 'values'"
        raise InputError(f"{key}.arrays: {path.name} {fault}.", f"The arrays of an .npz file are {', '.join(_KEYS)}.")
    values = arrays["values"]
    if values.ndim == 0 or len(values) == 0:
        raise InputError(f"{key}.arrays: {path.name} holds no documents.", "Its first axis counts the documents.")
    for name in ("documents", "lengths"):
        if name in arrays and arrays[name].shape != (len(values),):
            raise InputError(
                f"{key}.arrays: '{name}' in {path.name} has shape {arrays[name].shape} for {len(values)} values.",
                "Give one for each row of values.",
            )
    items: list[Any] = list(values)
    if "lengths" in arrays:
        lengths = arrays["lengths"]
        longest = values.shape[1] if values.ndim > 1 else 0
        if lengths.dtype.kind not in "iu" or not all(1 <= length <= longest for length in lengths.tolist()):
            raise InputError(
                f"{key}.arrays: 'lengths' in {path.name} are not whole numbers from 1 to {longest}.",
                "Give how many steps of the second axis of values each sequence has.",
            )
        items = [item[:length] for item, length in zip(items, lengths.tolist())]
    return items, arrays.get("documents", np.arange(len(values))).tolist(), arrays.get("symbols")


def _image(path: Path, corpus: CorpusSection, *, raw: bool) -> Callable[[], Any]:
    return lambda: read_image(path, corpus, raw=raw)


# -- code -----------------------------------------------------------------------------------------


def _of_code(name: str, key: str, most: int | None) -> tuple[list[Any], list[Any], np.ndarray | None]:
    """Items, the document of each, and symbols where the iterable has an attribute of this name."""
    source = load_name(name, key)
    with errors_of_code(name, key):
        given = source() if callable(source) else source
        if not isinstance(given, Iterable):
            raise InputError(
                f"{key}: '{name}' gives no documents.", "Name an iterable, or a function that returns one."
            )
        pairs = list(itertools.islice(_pairs(given), None if most is None else most * 1000))
        symbols = getattr(given, "symbols", None)
    return [item for item, _ in pairs], [owner for _, owner in pairs], None if symbols is None else np.asarray(symbols)


def _pairs(given: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    for index, item in enumerate(given):
        paired = isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], str | int | np.integer)
        yield item if paired else (item, index)


def _numbered(owners: Iterable[Any]) -> np.ndarray:
    """Documents counted from 0 in the order in which they first appear."""
    known: dict[Any, int] = {}
    return np.array([known.setdefault(owner, len(known)) for owner in owners], dtype=np.int64)
