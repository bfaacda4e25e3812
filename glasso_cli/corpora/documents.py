"""Where documents come from: hub datasets, local files, topics. Text only; tokens are in ``texts``."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glasso_cli import digests
from glasso_cli.artifacts.manifest import stored_meta
from glasso_cli.config import CorpusSection
from glasso_cli.corpora.text_files import Row, matching_files, no_rows, read_file, texts_of
from glasso_cli.errors import GlassoError, InputError, UpstreamError
from glasso_cli.files import disk_errors, sha256_of
from glasso_cli.models import hub

# What datasets complains of, and what to do then; its own advice is Python.
_ADVICE = (
    ("instruction", "A `split` is a name, or a part of one such as train[:1000]."),
    ("split", "Set the corpus's `split` to one of those."),
    ("Config", "Set the corpus's `config` to one of those."),
    ("save_to_disk", "Write it as Parquet (dataset.to_parquet) and give the files."),
    ("scripts", "Take a version of the dataset in Parquet, or give local files."),
    ("", "Check its data files."),
)


def read_documents(name: str, corpus: CorpusSection, synth: Path | None = None) -> Iterator[str]:
    """The texts of ``corpus`` in their order, at most ``max_documents``; empty ones included.

    ``synth`` is the manifest of the texts that were written on a topic. Raises :class:`InputError` when a source is
    missing, empty, not UTF-8 or lacks the text column, :class:`ServiceError` when a hub cannot be reached, and
    :class:`UpstreamError` when the texts of a topic are no longer those that were written.
    """
    texts: Iterator[str]
    if synth is not None:
        texts = _written_texts(synth)
    elif corpus.files is not None:
        texts = itertools.chain.from_iterable(
            read_file(path, lines=corpus.lines, column=corpus.text) for path in corpus_files(name, corpus)
        )
    else:
        texts = texts_of(str(corpus.dataset), _dataset_rows(corpus), corpus.text)
    return itertools.islice(texts, corpus.max_documents)


def pin_corpus(name: str, corpus: CorpusSection) -> dict[str, Any]:
    """What identifies the content of ``corpus``: file digests, or the commit of a hub dataset.

    Nothing for a topic, whose texts are an artifact of their own.
    """
    if corpus.topic is not None:
        return {}
    if corpus.files is not None:
        return {"sha256": digests.file_digests(corpus_files(name, corpus))}
    if folder := _dataset_folder(corpus):
        return {"sha256": digests.folder_digest(folder, ["**/*"])}
    return {"commit": hub.dataset_commit(str(corpus.dataset), corpus.revision)}


def _written_texts(manifest: Path) -> Iterator[str]:
    texts = manifest.with_suffix(".jsonl")
    if sha256_of(texts) != stored_meta(manifest)["content"]:
        raise UpstreamError(
            f"{texts} is not what synth wrote.",
            "Run glasso synth with --force; to study texts of your own, give them as `files`.",
        )
    with open(texts, encoding="utf-8") as file:
        yield from (json.loads(line)["text"] for line in file)


def corpus_files(name: str, corpus: CorpusSection) -> list[Path]:
    """The local files of ``corpus``, checked; raises as :func:`matching_files` does."""
    return matching_files(corpus.files or (), f"corpora.{name}")


# -- datasets ---------------------------------------------------------------------------------------


def _dataset_folder(corpus: CorpusSection) -> Path | None:
    """The local folder that ``dataset`` names, or None for a hub id."""
    path = Path(str(corpus.dataset)).expanduser()
    if path.is_file():
        raise InputError(f"The dataset '{corpus.dataset}' is a file.", "Give it under `files`.")
    if not path.is_dir():
        return None
    if corpus.revision is not None:
        raise InputError(
            f"The dataset '{corpus.dataset}' is a folder, which has no revisions.",
            "Delete the corpus's `revision`.",
        )
    return path


def _dataset_rows(corpus: CorpusSection) -> Iterator[Row]:
    with dataset_errors(corpus):
        for number, row in enumerate(load_rows(corpus), 1):
            yield f"row {number}", row


def load_rows(corpus: CorpusSection) -> Any:
    """The split of the dataset that ``corpus`` names, as `datasets` gives it; call it inside :func:`dataset_errors`."""
    folder, name = _dataset_folder(corpus), str(corpus.dataset)
    # The commit that the artifact's key names, even if the branch moves on in between. It also answers
    # at once where there is no network, and datasets only after half a minute.
    commit = None if folder else hub.dataset_commit(name, corpus.revision)
    import datasets
    from huggingface_hub.utils import logging

    # What goes wrong is said once, below.
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    logging.set_verbosity_error()
    return datasets.load_dataset(
        str(folder or name),
        corpus.config,
        split=corpus.split,
        revision=commit,
        streaming=corpus.streaming,
    )


@contextmanager
def dataset_errors(corpus: CorpusSection) -> Iterator[None]:
    """Turn what datasets, the hub and the disk say into one sentence and one advice."""
    name = str(corpus.dataset)
    import datasets
    from datasets.exceptions import DatasetNotFoundError, DatasetsError
    from huggingface_hub.errors import HTTPError

    with hub.hub_errors("dataset", name, corpus.revision):
        try:
            with disk_errors(Path(datasets.config.HF_DATASETS_CACHE)):
                yield
        except (GlassoError, HTTPError):
            raise
        except DatasetNotFoundError as error:
            gated = "gated" in str(error)
            raise (hub.gated if gated else hub.not_found)("dataset", name) from error
        except (ConnectionError, TimeoutError) as error:
            raise hub.unreachable("dataset", name) from error
        except (DatasetsError, ValueError, KeyError, RuntimeError, ImportError, OSError) as error:
            raise _dataset_problem(name, corpus, error) from error


def _dataset_problem(name: str, corpus: CorpusSection, error: Exception) -> GlassoError:
    reason = str(error.__cause__ or error)
    if "corresponds to no data" in reason:
        return no_rows(f"The split '{corpus.split}' of '{name}'")
    # The first line, and what datasets would have one choose from; not its example in Python.
    line = " ".join(reason.partition("\nExample")[0].split())[:300].rstrip(".")
    advice = next(advice for word, advice in _ADVICE if word in line)
    return InputError(f"The dataset '{name}' cannot be read: {line}.", advice)
