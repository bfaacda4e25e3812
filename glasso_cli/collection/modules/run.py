"""One corpus of arrays collected: documents through a network, and statistics of the units at its hook points."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts.metrics.collect import DocumentCounts
from glasso_cli.collection.autocorrelation import Autocorrelation
from glasso_cli.collection.contexts import SAMPLES, WINDOWS
from glasso_cli.collection.modules.crops import Samples
from glasso_cli.collection.modules.grid import GridAutocorrelation
from glasso_cli.collection.modules.places import find_places, patches_of
from glasso_cli.collection.modules.positions import (
    CHECKED,
    at_border,
    ends_at_padding,
    grids_of,
    shown,
    sizes_between,
    spread,
    tokens_in,
)
from glasso_cli.collection.modules.reader import ArrayReader, Positions
from glasso_cli.collection.modules.windows import ArrayWindow, batch_of, batches, require_one_length
from glasso_cli.collection.reading import Reading, windows_within
from glasso_cli.collection.run import collect_reading, in_memory
from glasso_cli.collection.texts.reading import BATCH_TOKENS, warn_arbitrary
from glasso_cli.config import CollectSection
from glasso_cli.console import Reporter
from glasso_cli.corpora.arrays import LEAST, ArrayCorpus
from glasso_cli.corpora.windows import Frame
from glasso_cli.errors import InputError

if TYPE_CHECKING:
    import torch

    from glasso_cli.artifacts import ActivationStats
    from glasso_cli.artifacts.npz import Chunked
    from glasso_cli.hooks import HookPoint
    from glasso_cli.hooks.record import Recorder
    from glasso_cli.models.modules.network import ModuleNetwork

PILOT_WINDOWS = 64  # an image has many samples, and little to say about other images


def collect_arrays(
    network: ModuleNetwork, corpus: ArrayCorpus, section: CollectSection, *, name: str, seed: int, reporter: Reporter
) -> ActivationStats:
    """As :func:`collect_arrays_to_disk`, in memory."""
    with tempfile.TemporaryDirectory(prefix="glasso-") as folder:
        pieces = Path(folder)
        return in_memory(
            *collect_arrays_to_disk(network, corpus, section, pieces, name=name, seed=seed, reporter=reporter)
        )


def collect_arrays_to_disk(
    network: ModuleNetwork,
    corpus: ArrayCorpus,
    section: CollectSection,
    pieces: Path,
    *,
    name: str,
    seed: int,
    reporter: Reporter,
) -> tuple[ActivationStats, dict[str, Chunked]]:
    """The statistics of the units of ``network`` over ``corpus``, as :func:`glasso_cli.collection.run.collect_to_disk`.

    Raises :class:`InputError` for hook points that do not exist, are not what they say, or have different positions, for
    fewer than 16 documents within ``max_tokens``, for masks that leave nothing, and for items of several lengths in a document
    that are read side by side where padding changes their values.
    """
    from glasso_cli.hooks.modules.invariants import check_module_points
    from glasso_cli.hooks.modules.resolve import resolve_module_points
    from glasso_cli.hooks.record import record

    chosen = spread(corpus, CHECKED)
    points = resolve_module_points(network, section.hook_points, batch_of(chosen), section.axes)
    report = check_module_points(network, points, chosen, batch_of)
    warn_arbitrary(points, name, reporter)
    with record(network.module, points) as recorder:
        reading = read_items(network, points, recorder, corpus, section, report.as_meta(), seed)
        windows: Sequence[Any] = reading.windows
        if not report.mixed_lengths:
            require_one_length(windows, corpus.lengths)
        samples = f"{sum(window.size for window in windows):,} {reading.samples}"
        documents = (
            "" if reading.samples == "documents" else f"{len({window.document for window in windows}):,} documents, "
        )
        reporter.note(
            f"collect {name}: {documents}{samples}, {sum(point.width for point in points):,} neurons at "
            f"{', '.join(point.label for point in points)}"
        )
        return collect_reading(reading, section, pieces, name=name, seed=seed, reporter=reporter)


def read_items(
    network: ModuleNetwork,
    points: Sequence[HookPoint],
    recorder: Recorder,
    corpus: ArrayCorpus,
    section: CollectSection,
    invariants: dict[str, Any],
    seed: int,
) -> Reading:
    """A network at its hook points, and the items of a corpus that it reads."""
    from glasso_cli.hooks.modules.receptive import receptive_fields

    mean, lengths = section.positions == "mean", corpus.lengths
    longest_item = int(np.argmax(lengths))
    item = corpus.item(longest_item)
    grids = grids_of(network, points, recorder, item)
    if not mean and len(set(grids)) > 1:
        given = ", ".join(f"{point.label}: {shown(grid)}" for point, grid in zip(points, grids))
        raise InputError(
            f"The hook points have different positions ({given}), so their units have no samples in common.",
            "Take hook points of one size, or set collect.positions: mean for one sample per document.",
        )
    line, one_size = len(grids[0]) == 1, len(set(lengths)) == 1
    sequence = line and network.kind != "image"
    single = mean or int(np.prod(grids[0])) == 1
    follows = sequence and grids[0][0] == lengths[longest_item]
    tokens = tokens_in(network, points, item, grids, one_size=one_size)
    patches = tokens[0].grid if tokens[0] is not None and section.mask.special and not single else None
    sizes = [int(np.prod(grids[0]))] * len(lengths)
    if line and not one_size:
        shortest = grids_of(network, points, recorder, corpus.item(int(np.argmin(lengths))))[0][0]
        sizes = sizes_between(lengths, shortest, grids[0][0])
    windows, documents = _windows(corpus, lengths, sizes, section, single=single)
    if mean and not follows:  # nothing says which positions are those of padding
        require_one_length(windows, lengths)
    longest = grids[0][0] if line and not single else max(window.size for window in windows)
    positions = Positions(
        at_border(network, points, corpus, grids, section) if one_size else None,
        [(0, 0)] * len(points)
        if one_size or not sequence
        else ends_at_padding(network, points, corpus, lengths, section),
        sequence,
        mean,
        1 if single else longest,
        tokens,
    )
    mixed = bool(invariants["mixed_lengths"]) and (follows or one_size)
    symbols = corpus.symbols if follows and not single and corpus.item(0).ndim == 1 else None
    samples = Samples(corpus, patches or grids[0], positions.each, single)

    def crops(ids: np.ndarray, order: np.ndarray) -> dict[str, np.ndarray]:
        import torch

        if patches is not None and tokens[0] is not None:
            count = int((~tokens[0].special).sum())
            places = patches_of(item, (count // patches[1], patches[1]), len(points), grids[0][0])
            return samples.crops(ids, order, places)
        largest = np.flatnonzero(np.array(lengths) == lengths[longest_item])
        chosen = largest[np.unique(np.linspace(0, len(largest) - 1, CHECKED).astype(int))].tolist()
        batch = batch_of([torch.from_numpy(corpus.item(index)) for index in chosen])
        places = find_places(
            item,
            grids[0],
            len(points),
            lambda axes: receptive_fields(network, points, batch, axes),
            steps=longest if follows else 0,
            single=single,
        )
        return samples.crops(ids, order, places)

    @cache
    def counts() -> DocumentCounts:
        return DocumentCounts(documents, 0, _identical(corpus, windows), 0)

    grid = patches or ((1, longest) if single or line else (grids[0][0], int(np.prod(grids[0][1:]))))
    width = sum(point.width for point in points)

    @contextmanager
    def fresh(seed: int) -> Iterator[Reading]:
        from glasso_cli.hooks import record
        from glasso_cli.models.reinitialised import reinitialised

        other = replace(network, module=reinitialised(network.module, seed))
        with record(other.module, points) as recorder:
            yield replace(read_items(other, points, recorder, corpus, section, invariants, seed), counts=counts)

    return Reading(
        network=network,
        points=points,
        gated=[False] * len(points),
        windows=windows,
        counts=counts,
        samples=("documents" if corpus.n_documents == len(corpus.items) else "items")
        if single
        else "steps"
        if sequence
        else "positions",
        batches=lambda chosen, budget: batches(corpus, chosen, budget, mixed_lengths=mixed),
        reader=lambda: ArrayReader(
            recorder,
            points,
            Frame((), (), ()),
            section.mask,
            network=network,
            positions=replace(positions, sequence=sequence and (mean or not single)),
            with_symbols=symbols is not None,
            not_finite="Check the data (their scale) and the weights.",
        ),
        orientation=lambda: np.ones(width, np.int8),
        symbols=samples.names if symbols is None else lambda ids: _named(symbols, ids),
        extent=SAMPLES if symbols is None else WINDOWS,
        crops=crops if symbols is None and section.contexts else None,
        autocorrelation=lambda width, lags, device: _autocorrelation(width, grid, lags, device),
        dtype_difference=lambda batch: {},
        invariants=invariants,
        batch_samples=BATCH_TOKENS,
        fresh=fresh,
        pilot_windows=PILOT_WINDOWS,
        weighted_lags=True,
    )


def _autocorrelation(
    width: int, grid: tuple[int, int], lags: int, device: torch.device
) -> Autocorrelation | GridAutocorrelation:
    """The sums for one block: of a sequence, whose matrix products are faster than transforms, or of an image."""
    if grid[0] == 1 < grid[1]:
        return Autocorrelation(width, min(lags, grid[1] - 1), device)
    return GridAutocorrelation(width, grid, lags, device)


def _windows(
    corpus: ArrayCorpus,
    lengths: Sequence[int],
    sizes: Sequence[int],
    section: CollectSection,
    *,
    single: bool,
) -> tuple[list[ArrayWindow], int]:
    """The windows up to the document that reaches ``max_tokens`` samples, and how many documents they are of."""
    by_document: dict[int, list[int]] = {}
    for index, document in enumerate(corpus.documents.tolist()):
        by_document.setdefault(document, []).append(index)
    every: list[ArrayWindow] = []
    for document, items in by_document.items():
        if single:
            every.append(ArrayWindow(document, tuple(items), len(items), max(lengths[item] for item in items)))
        else:
            every += (ArrayWindow(document, (item,), sizes[item], lengths[item]) for item in items)
    windows = windows_within(every, section.max_tokens)
    documents = len({window.document for window in windows})
    if documents < LEAST:
        raise InputError(
            f"collect.max_tokens {section.max_tokens:,} ends after {documents} documents, but errors rest on documents and "
            f"need at least {LEAST}.",
            "Raise collect.max_tokens.",
        )
    return windows, documents


def _identical(corpus: ArrayCorpus, windows: Sequence[ArrayWindow]) -> int:
    """How many documents are identical to an earlier one."""
    digests: dict[int, Any] = {}
    for window in windows:
        digest = digests.setdefault(window.document, hashlib.blake2b(digest_size=16))
        for item in window.items:
            digest.update(corpus.item(item).tobytes())
    return len(digests) - len({digest.digest() for digest in digests.values()})


def _named(symbols: np.ndarray, ids: np.ndarray) -> list[str]:
    return [str(symbols[i]) if 0 <= i < len(symbols) else f"<{i}>" for i in ids.tolist()]
