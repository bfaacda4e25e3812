"""One corpus of arrays collected: documents through a network, and statistics of the units at its hook points."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts.metrics.collect import DocumentCounts
from glasso_cli.collection.autocorrelation import Autocorrelation
from glasso_cli.collection.modules.grid import GridAutocorrelation
from glasso_cli.collection.modules.reader import ArrayReader, Positions
from glasso_cli.collection.modules.windows import ArrayWindow, batch_of, batches
from glasso_cli.collection.reading import Reading
from glasso_cli.collection.run import collect_reading, in_memory
from glasso_cli.collection.texts.reading import BATCH_TOKENS
from glasso_cli.config import CollectSection
from glasso_cli.console import Reporter
from glasso_cli.corpora.arrays import LEAST, ArrayCorpus
from glasso_cli.corpora.windows import Frame
from glasso_cli.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from glasso_cli.artifacts import ActivationStats
    from glasso_cli.artifacts.npz import Chunked
    from glasso_cli.hooks import HookPoint
    from glasso_cli.hooks.record import Recorder
    from glasso_cli.models.modules.network import ModuleNetwork

PROBED = 16  # documents that show what depends on the border
PROBED_LENGTHS = 8  # where sequences differ in length: of which the same is asked
PILOT_WINDOWS = 64  # an image has many samples, and little to say about other images
CHECKED = 4  # documents that go through the network one by one


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
    fewer than 16 documents within ``max_tokens``, and for masks that leave nothing.
    """
    from glasso_cli.hooks.modules.invariants import check_module_points
    from glasso_cli.hooks.modules.resolve import resolve_module_points
    from glasso_cli.hooks.record import record

    chosen = _spread(corpus, CHECKED)
    points = resolve_module_points(network, section.hook_points, batch_of(chosen), section.axes)
    report = check_module_points(network, points, chosen, batch_of)
    with record(network.module, points) as recorder:
        reading = _reading(network, points, recorder, corpus, section, report.as_meta(), seed)
        samples = f"{sum(window.size for window in reading.windows):,} {reading.samples}"
        documents = "" if reading.samples == "documents" else f"{reading.counts.read:,} documents, "
        reporter.note(
            f"collect {name}: {documents}{samples}, {sum(point.width for point in points):,} neurons at "
            f"{', '.join(point.label for point in points)}"
        )
        return collect_reading(reading, section, pieces, name=name, seed=seed, reporter=reporter)


def _reading(
    network: ModuleNetwork,
    points: Sequence[HookPoint],
    recorder: Recorder,
    corpus: ArrayCorpus,
    section: CollectSection,
    invariants: dict[str, Any],
    seed: int,
) -> Reading:
    mean, lengths = section.positions == "mean", _lengths(corpus)
    longest_item = int(np.argmax(lengths))
    grids = _grids(network, points, recorder, corpus.item(longest_item))
    if not mean and len(set(grids)) > 1:
        shown = ", ".join(f"{point.label}: {_shown(grid)}" for point, grid in zip(points, grids))
        raise InputError(
            f"The hook points have different positions ({shown}), so their units have no samples in common.",
            "Take hook points of one size, or set collect.positions: mean for one sample per document.",
        )
    sequence, one_size = len(grids[0]) == 1, len(set(lengths)) == 1
    single = mean or int(np.prod(grids[0])) == 1
    follows = sequence and grids[0][0] == lengths[longest_item]
    sizes = [int(np.prod(grids[0]))] * len(lengths)
    if sequence and not one_size:
        shortest = _grids(network, points, recorder, corpus.item(int(np.argmin(lengths))))[0][0]
        sizes = _sizes(lengths, shortest, grids[0][0])
    windows, documents = _windows(corpus, lengths, sizes, section, single=single)
    positions = Positions(
        _left_out(network, points, corpus, grids, section) if one_size else None,
        [(0, 0)] * len(points) if one_size or not sequence else _ends(network, points, corpus, lengths, section),
        sequence,
        mean,
    )
    mixed = bool(invariants["mixed_lengths"]) and (follows or one_size)
    symbols = corpus.symbols if follows and not single and corpus.item(0).ndim == 1 else None
    longest = grids[0][0] if sequence and not single else max(window.size for window in windows)
    grid = (1, longest) if single or sequence else (grids[0][0], int(np.prod(grids[0][1:])))
    width = sum(point.width for point in points)

    @contextmanager
    def fresh(seed: int) -> Iterator[Reading]:
        from glasso_cli.hooks import record
        from glasso_cli.models.reinitialised import reinitialised

        other = replace(network, module=reinitialised(network.module, seed))
        with record(other.module, points) as recorder:
            yield _reading(other, points, recorder, corpus, section, invariants, seed)

    return Reading(
        network=network,
        points=points,
        gated=[False] * len(points),
        windows=windows,
        counts=DocumentCounts(documents, 0, _identical(corpus, windows), 0),
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
        symbols=None if symbols is None else lambda ids: _named(symbols, ids),
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


def _spread(corpus: ArrayCorpus, count: int) -> list[Tensor]:
    """Up to ``count`` items: the shortest and the longest of them, and others spread over the corpus."""
    import torch

    lengths = _lengths(corpus)
    places = np.linspace(0, len(corpus.items) - 1, count).astype(int).tolist()
    ends = [int(np.argmin(lengths)), int(np.argmax(lengths))] if len(set(lengths)) > 1 else []
    chosen = dict.fromkeys([*ends, *places])
    return [torch.from_numpy(corpus.item(index)) for index in list(chosen)[:count]]


def _lengths(corpus: ArrayCorpus) -> list[int]:
    """The length of the first axis of every item; files of images are decoded later, and checked then."""
    if callable(corpus.items[0]):
        return [len(corpus.item(0))] * len(corpus.items)
    if corpus.prepare is not None:
        return [len(corpus.item(index)) for index in range(len(corpus.items))]
    return [len(item) if np.ndim(item) else 1 for item in corpus.items]


def _sizes(lengths: Sequence[int], shortest: int, longest: int) -> list[int]:
    """About how many samples each sequence gives, from those of the shortest and of the longest one.

    Exact where every step gives one. With a stride it is right within one, which is enough to fill batches.
    """
    ends = min(lengths), max(lengths)
    return [round(size) for size in np.interp(lengths, ends, (shortest, longest)).tolist()]


def _grids(
    network: ModuleNetwork, points: Sequence[HookPoint], recorder: Recorder, item: np.ndarray
) -> list[tuple[int, ...]]:
    """The positions at every hook point of one item, by axis."""
    import torch

    from glasso_cli.hooks.modules.axes import as_samples, grid_of

    grids: dict[str, tuple[int, ...]] = {}

    def shaped(point: HookPoint, tensor: Tensor | None) -> Tensor:
        samples = as_samples(point, tensor, 1)
        assert tensor is not None
        grids[point.name] = grid_of(point, tensor) or (1,)
        return samples

    batch = batch_of([torch.from_numpy(item)])
    recorder.read(lambda: network.run(batch), shaped, network.errors())
    return [grids[point.name] for point in points]


def _windows(
    corpus: ArrayCorpus,
    lengths: Sequence[int],
    sizes: Sequence[int],
    section: CollectSection,
    *,
    single: bool,
) -> tuple[list[ArrayWindow], int]:
    """The windows up to the document that reaches ``max_tokens`` samples, and how many documents they are of."""
    windows: list[ArrayWindow] = []
    total = 0
    by_document: dict[int, list[int]] = {}
    for index, document in enumerate(corpus.documents.tolist()):
        by_document.setdefault(document, []).append(index)
    documents = 0
    for document in sorted(by_document):
        items = by_document[document]
        if single:
            own = [ArrayWindow(document, tuple(items), len(items), max(lengths[item] for item in items))]
        else:
            own = [ArrayWindow(document, (item,), sizes[item], lengths[item]) for item in items]
        windows += own
        total += sum(window.size for window in own)
        documents += 1
        if section.max_tokens is not None and total >= section.max_tokens:
            break
    if documents < LEAST:
        raise InputError(
            f"collect.max_tokens {section.max_tokens:,} ends after {documents} documents, but errors rest on documents and "
            f"need at least {LEAST}.",
            "Raise collect.max_tokens.",
        )
    return windows, documents


def _left_out(
    network: ModuleNetwork,
    points: Sequence[HookPoint],
    corpus: ArrayCorpus,
    grids: Sequence[tuple[int, ...]],
    section: CollectSection,
) -> list[Tensor] | None:
    """The positions of each hook point that lie at the border of an image; None where none can."""
    from glasso_cli.hooks.modules.border import border_of, positions_at_border

    if all(int(np.prod(grid)) == 1 for grid in grids) or section.mask.border == 0:
        return None
    if section.mask.border != "auto":
        return [border_of(grid, section.mask.border) for grid in grids]
    found = positions_at_border(network, points, batch_of(_spread(corpus, PROBED)))
    if section.positions == "each" and all(bool(border.all()) for border in found):
        raise InputError(
            f"Every position at {points[0].label} ({_shown(grids[0])}) depends on the padding at the border of the image.",
            "Take an earlier hook point or larger images; or set collect.mask.border to a number, 0 for none.",
        )
    return found


def _ends(
    network: ModuleNetwork,
    points: Sequence[HookPoint],
    corpus: ArrayCorpus,
    lengths: Sequence[int],
    section: CollectSection,
) -> list[tuple[int, int]]:
    """How many positions of each hook point depend on padding at both ends of sequences whose lengths differ."""
    import torch

    from glasso_cli.hooks.modules.border import ends_at_border

    if section.mask.border != "auto":
        return [(section.mask.border, section.mask.border)] * len(points)
    different = sorted(set(lengths))
    chosen = {different[place] for place in np.linspace(0, len(different) - 1, PROBED_LENGTHS).astype(int)}
    batches = []
    for length in sorted(chosen):
        items = [index for index, found in enumerate(lengths) if found == length][:CHECKED]
        batches.append(batch_of([torch.from_numpy(corpus.item(index)) for index in items]))
    found = ends_at_border(network, points, batches)
    unknown = next((point for point, ends in zip(points, found) if ends is None), None)
    if unknown is not None:
        raise InputError(
            f"At {unknown.label}, all positions of a sequence depend on the padding at its ends, or positions in its middle do.",
            "Take an earlier hook point or longer sequences; or set collect.mask.border to a number, 0 for none.",
        )
    return [ends for ends in found if ends is not None]


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


def _shown(grid: Sequence[int]) -> str:
    return " x ".join(map(str, grid))
