"""Where documents come from: hub datasets, local files, topics. Text only; tokens are in ``texts``."""

from __future__ import annotations

import codecs
import glob
import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from glasso_cli import topics
from glasso_cli.config import CorpusSection
from glasso_cli.errors import GlassoError, InputError, ServiceError
from glasso_cli.files import sha256_of

_BUILDERS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
_SUFFIXES = ".txt, .jsonl, .csv, .parquet"


def read_documents(name: str, corpus: CorpusSection) -> Iterator[str]:
    """The texts of ``corpus`` in their order, at most ``max_documents``; empty ones included.

    Raises :class:`InputError` when a source is missing, empty, binary, not UTF-8 or lacks the text column, and
    :class:`ServiceError` when a hub cannot be reached.
    """
    if corpus.topic is not None:
        texts: Iterator[str] = iter(topics.passages(corpus.topic))
    elif corpus.files is not None:
        texts = itertools.chain.from_iterable(
            _read_file(path, corpus) for path in corpus_files(name, corpus)
        )
    else:
        texts = _read_dataset(name, corpus)
    return itertools.islice(texts, corpus.max_documents)


def pin_corpus(name: str, corpus: CorpusSection) -> dict[str, Any]:
    """What identifies the content of ``corpus``: file digests, or the commit of a hub dataset."""
    if corpus.topic is not None:
        return {"sha256": hashlib.sha256(topics.source(corpus.topic)).hexdigest()}
    if corpus.files is not None:
        return {"sha256": [sha256_of(path) for path in corpus_files(name, corpus)]}
    return _pin_dataset(corpus)


# -- local files ------------------------------------------------------------------------------------


def corpus_files(name: str, corpus: CorpusSection) -> list[Path]:
    """The files that the patterns of ``corpus`` name, each pattern's in sorted order."""
    found: list[Path] = []
    for pattern in corpus.files or ():
        matches = [Path(item) for item in sorted(glob.glob(pattern, recursive=True))]
        if not matches:
            raise InputError(
                f"corpora.{name}: no file matches '{pattern}'.",
                f"Paths are relative to where you run, which is {Path.cwd()}.",
            )
        found += [path for path in matches if path not in found]
    for path in found:
        _check_file(path)
    return found


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder.", f"Name files, such as {path}/*.txt.")
    if path.suffix.lower() not in (*_BUILDERS, ".txt"):
        raise InputError(
            f"{path} has an unknown suffix '{path.suffix}'.", f"Known are: {_SUFFIXES}."
        )
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read.", "Change its permissions.")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty.", "Leave it out, or fill it.")


def _read_file(path: Path, corpus: CorpusSection) -> Iterator[str]:
    suffix = path.suffix.lower()
    if suffix != ".parquet":
        _check_text(path)
    if suffix == ".txt":
        return _read_txt(path, lines=corpus.lines)
    return _read_table(path, _BUILDERS[suffix], corpus.text)


def _check_text(path: Path) -> None:
    """Raise :class:`InputError` unless the file is UTF-8 text."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    offset = 0
    with open(path, "rb") as file:
        while True:
            chunk = file.read(1 << 20)
            if b"\0" in chunk:
                raise InputError(
                    f"{path} is binary (a zero byte at {offset + chunk.index(0)}), not text.",
                    f"Give UTF-8 text in one of: {_SUFFIXES}.",
                )
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path} is not UTF-8: byte {max(offset + error.start, 0)} cannot be read.",
                    "Convert it, for example with `iconv -f latin1 -t utf-8`.",
                ) from None
            if not chunk:
                return
            offset += len(chunk)


def _read_txt(path: Path, *, lines: bool) -> Iterator[str]:
    if not lines:
        yield path.read_text(encoding="utf-8-sig")
        return
    with open(path, encoding="utf-8-sig") as file:
        for line in file:
            yield line.rstrip("\n")


def _read_table(path: Path, builder: str, column: str) -> Iterator[str]:
    rows = _guard_datasets(
        str(path), lambda datasets: datasets.load_dataset(
            builder, data_files=str(path), split="train", streaming=True
        )
    )
    return _column(str(path), rows, column)


# -- hub datasets -----------------------------------------------------------------------------------


def _read_dataset(name: str, corpus: CorpusSection) -> Iterator[str]:
    identity = str(corpus.dataset)
    rows = _guard_datasets(
        identity,
        lambda datasets: datasets.load_dataset(
            identity,
            corpus.config,
            split=corpus.split,
            revision=corpus.revision,
            streaming=corpus.streaming,
        ),
    )
    return _column(identity, rows, corpus.text)


def _column(source: str, rows: Any, column: str) -> Iterator[str]:
    iterator = iter(rows)
    first = _guard_datasets(source, lambda datasets: next(iterator, None))
    if first is None:
        raise InputError(f"{source} has no rows.", "Give a source with texts.")
    if column not in first:
        raise InputError(
            f"{source} has no column '{column}'.",
            f"Set the corpus's `text` to one of its columns: {', '.join(map(str, first))}.",
        )
    row: Any = first
    number = 0
    while row is not None:
        value = row[column]
        if value is not None and not isinstance(value, str):
            raise InputError(
                f"{source}: row {number} of column '{column}' is a {type(value).__name__}, not text.",
                "Set the corpus's `text` to a column of strings.",
            )
        yield value or ""
        row = _guard_datasets(source, lambda datasets: next(iterator, None))
        number += 1


def _guard_datasets(source: str, call: Callable[[Any], Any]) -> Any:
    """The result of ``call(datasets)``, its exceptions turned into sentences."""
    import datasets
    from datasets.exceptions import DatasetNotFoundError

    datasets.disable_progress_bars()
    try:
        return call(datasets)
    except GlassoError:
        raise
    except DatasetNotFoundError as error:
        raise _not_found(source, error) from None
    except (ConnectionError, TimeoutError) as error:
        raise ServiceError(
            f"The hub could not be reached for the dataset '{source}' ({type(error).__name__}).",
            "Check the network, or give local files; a dataset downloaded before works with HF_HUB_OFFLINE=1.",
        ) from None
    except (ValueError, OSError, RuntimeError, ImportError, KeyError, datasets.exceptions.DatasetsError) as error:
        raise InputError(
            f"{source} cannot be read as a dataset: {_first_line(error)}.",
            "Check its format, `split` and `config`.",
        ) from None


def _not_found(source: str, error: Exception) -> GlassoError:
    text = str(error)
    if "gated" in text.lower():
        token = "is set but has no access" if os.environ.get("HF_TOKEN") else "is not set"
        return ServiceError(
            f"The dataset '{source}' is gated, and HF_TOKEN {token}.",
            "Ask for access on its page, and put a token with read access into HF_TOKEN or .env.",
        )
    return InputError(
        f"There is no dataset '{source}' on the hub or on this disk, or it is private.",
        "Check the spelling (owner/name); private ones need HF_TOKEN.",
    )


def _first_line(error: Exception) -> str:
    cause = error.__cause__ or error
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return lines[0][:200].rstrip(".")


def _pin_dataset(corpus: CorpusSection) -> dict[str, Any]:
    from glasso_cli.hub import dataset_commit, folder_digest

    folder = Path(str(corpus.dataset))
    if folder.is_dir():
        return {"sha256": folder_digest(folder, ("*",))}
    return {"commit": dataset_commit(str(corpus.dataset), corpus.revision)}
