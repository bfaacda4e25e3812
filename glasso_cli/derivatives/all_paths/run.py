"""The influence of neurons on all later ones along all paths, on one corpus: block after block, then all pairs at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts.metrics.influence import LayersRead
from glasso_cli.collection.corpus_pass import CorpusPass
from glasso_cli.collection.reading import windows_of_block, windows_within
from glasso_cli.derivatives.all_paths.check import Choice, Sample, chosen_derivative, units_of
from glasso_cli.derivatives.all_paths.derivative import Targets
from glasso_cli.derivatives.all_paths.points import wanted_points
from glasso_cli.derivatives.all_paths.push import Push, push_of
from glasso_cli.derivatives.all_paths.sums import SummedDerivatives, derivatives, deviations
from glasso_cli.derivatives.assemble import Deviations, LayerNeurons, assembled, neurons_of, refuse_other_tokens
from glasso_cli.derivatives.errors import RootMeanSquares
from glasso_cli.derivatives.tested import PairTable, Standard, pairs_tested
from glasso_cli.engine.shares import end_of_share
from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import LEAST, check_blocks
from glasso_cli.intervention.passes import POSITIONS
from glasso_cli.pipeline.units import Pieces, PieceUnit
from glasso_cli.report.words.labels import count

if TYPE_CHECKING:
    from glasso_cli.artifacts import ActivationStats, Influence
    from glasso_cli.collection.reading import Reader, Reading
    from glasso_cli.config import CollectSection, InfluenceSection
    from glasso_cli.console import Advance, Reporter
    from glasso_cli.hooks import HookPoint
    from glasso_cli.intervention.feed import Feed

_PART = ("influence-block", 2)  # kind and schema of a piece
_AT_ONCE = 16  # pushes that share a pass, about


def influence_along_all_paths(
    feed: Feed,
    order: Sequence[str],
    stats: ActivationStats,
    collect: CollectSection,
    section: InfluenceSection,
    pieces: Path,
    *,
    name: str,
    seed: int,
    reporter: Reporter,
) -> Influence:
    """The influence of all pairs of neurons of ``stats`` at hook points of which one runs after the other.

    ``feed`` has the collected hook points and documents, and ``order`` the names of the hook points as they run. ``seed`` is
    that of ``stats``. Finished blocks are kept in the folder ``pieces``, from which an interrupted run goes on. Raises
    :class:`InputError` where there is no pair of hook points, where no pass can begin at a source, and where other tokens are
    kept than ``stats`` has.
    """
    wanted = wanted_points(feed.reading.points, order, section)
    work = CorpusPass(name=name, section=collect, seed=seed, reading=feed.reading, pieces=pieces, reporter=reporter)
    reader = feed.reading.reader()
    work.learn_limits(reader)
    windows = windows_within(feed.reading.windows, section.tokens)
    _refuse_few_documents(windows, collect, section)
    tables: list[PairTable] = []
    read: list[LayersRead] = []
    neurons: list[tuple[LayerNeurons, LayerNeurons]] = []
    apart: list[Deviations] = []
    kept = Pieces(pieces, *_PART, reporter)
    sources = [
        _Source(work, kept, feed, reader, windows, stats, point, targets, place)
        for place, (point, targets) in enumerate(wanted)
    ]
    label, samples = f"influence {name}", feed.reading.samples
    kept.make(sources[0].units(), label, samples)
    counts, combinations = sources[0].tokens().T
    refuse_other_tokens(stats, counts, section.tokens)
    check_blocks(int(np.count_nonzero(counts)), "The error of influence")
    kept.make([unit for source in sources[1:] for unit in source.units()], label, samples)
    end_of_share()
    for source in sources:
        counts, combinations = source.tokens().T
        for at, target in enumerate(source.of_targets):
            tables.append(source.tested(at, counts, section))
            read.append(source.read(at))
            neurons.append((source.of_source, target))
            apart.append(partial(source.deviations, at, counts))
    estimated = any(layers.by == "directions" for layers in read)
    documents = len({window.document for window in windows})
    return assembled(
        stats,
        section,
        documents,
        read,
        neurons,
        np.ascontiguousarray(counts),
        tables,
        apart,
        combinations=int(combinations.sum()) if estimated else None,
    )


@dataclass(frozen=True, eq=False)
class _Source:
    """One source hook point with its targets, and the pass over the documents that is for them."""

    work: CorpusPass
    pieces: Pieces
    feed: Feed
    reader: Reader
    windows: Sequence[Any]
    stats: ActivationStats
    point: HookPoint
    targets: tuple[HookPoint, ...]
    place: int  # among the sources

    @cached_property
    def of_source(self) -> LayerNeurons:
        return _varying(self.stats, self.point)

    @cached_property
    def of_targets(self) -> list[LayerNeurons]:
        return [_varying(self.stats, target) for target in self.targets]

    @cached_property
    def push(self) -> Push:
        return push_of(self.feed.model, self.point, self.of_source.inside)

    @cached_property
    def choice(self) -> Choice:
        import torch

        device = self.feed.reading.device
        targets = Targets(self.targets, tuple(torch.from_numpy(of.inside).to(device) for of in self.of_targets))
        found = self.pieces.once(f"derivative-{self.place:03d}", lambda: self._chosen(targets).arrays())
        return Choice.of(found, self.feed, self.push, targets)

    def _chosen(self, targets: Targets) -> Choice:
        units = self.stats.std[self.of_source.rows]
        for batch in self._batches(self.windows):
            kept = self._kept(batch)
            if len(kept):
                sample = Sample.of(batch, kept, units)
                return chosen_derivative(self.feed, self.reader, self.push, targets, sample, self.work.reporter)
        raise InputError(
            f"Every one of the first {sum(window.size for window in self.windows):,} {self.feed.reading.samples} is masked.",
            "Raise influence.max_tokens, or loosen collect.mask and collect again.",
        )

    def units(self) -> list[PieceUnit]:
        """The pass over every block."""
        assert self.choice is not None  # made before the units, once
        return [
            PieceUnit(
                self._file(block),
                f"block {block} of {self.point.label}",
                sum(window.size for window in self._windows(block)),
                partial(self._sums, block),
            )
            for block in range(self.work.section.blocks)
        ]

    def tokens(self) -> np.ndarray:
        """Of every block, the tokens that count and their combinations ``(B, 2)``."""
        return np.stack([self._block(block)["tokens"] for block in range(self.work.section.blocks)])

    def tested(self, at: int, counts: np.ndarray, section: InfluenceSection) -> PairTable:
        """All pairs of the source and one of the targets."""
        source, target = self.of_source, self.of_targets[at]
        squares = RootMeanSquares(counts, len(source.rows), len(target.rows))
        for block in range(len(counts)):
            squares.add(block, self._block(block)[f"second_{at}"])
        return pairs_tested(
            derivatives(counts, self._first(at, len(counts)), squares.finish(), self.push.writes),
            Standard(self.stats.std[source.rows], self.stats.std[target.rows], source.rows, target.rows),
            min_effect=section.min_effect,
            freedom=float(np.count_nonzero(counts) - 1),
            largest_p=1.0 if section.keep == "all" else section.fdr,
        )

    def deviations(self, at: int, counts: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """How the blocks differ for pairs of the source and one of the targets, :data:`glasso_cli.derivatives.assemble.Deviations`."""
        rows = np.searchsorted(self.of_targets[at].rows, targets)
        columns = np.searchsorted(self.of_source.rows, sources)
        found = deviations(counts, self._first(at, len(counts)), self.push.writes, rows, columns)
        return np.asarray(found * (self.stats.std[sources] / self.stats.std[targets])[:, None])

    def _first(self, at: int, blocks: int) -> np.ndarray:
        """The sums of derivatives along the pushes over each block, ``(B, K, p)``."""
        return np.stack([self._block(block)[f"first_{at}"] for block in range(blocks)])

    def _block(self, block: int) -> dict[str, np.ndarray]:
        """The sums over one block of documents."""
        return self.pieces.read(self._file(block))

    def _file(self, block: int) -> str:
        return f"source-{self.place:03d}-block-{block:04d}"

    def _windows(self, block: int) -> list[Any]:
        return windows_of_block(self.windows, block, self.work.section.blocks)

    def _sums(self, block: int, advance: Advance) -> dict[str, np.ndarray]:
        import torch

        summed = SummedDerivatives(self.push, [len(of.rows) for of in self.of_targets], self.feed.reading.device)
        units = torch.from_numpy(units_of(self.push, self.stats.std[self.of_source.rows]))
        tokens = 0
        for number, batch in enumerate(self._batches(self._windows(block))):
            kept = self._kept(batch)
            if len(kept):
                derivative = self.choice.derivative
                with self.feed.errors():
                    found = derivative.along(batch, kept, self.push.vectors(), units)
                    summed.add(found, len(kept), (self.work.seed, self.place, block, number))
            tokens += len(kept)
        arrays = {"tokens": np.array([tokens, summed.combinations], np.int64)}
        for at, sums in enumerate(summed.finish()):
            arrays |= {f"first_{at}": sums.first, f"second_{at}": sums.second}
        advance(sum(window.size for window in self._windows(block)))
        return arrays

    def _batches(self, windows: Sequence[Any]) -> Any:
        return batches_of(self.feed.reading, windows)

    def _kept(self, batch: Any) -> Any:
        """The tokens that count, indices into rows times positions of a batch."""
        kept, _, _ = self.feed.grid(self.reader.read(batch), batch)
        return kept.flatten().nonzero()[:, 0]

    def read(self, at: int) -> LayersRead:
        """What the artifact says of the source and one of the targets."""
        check = self.choice.checks[at]
        sources, targets = len(self.of_source.rows), len(self.of_targets[at].rows)
        return LayersRead(
            source=self.point.label,
            target=self.targets[at].label,
            sources=sources,
            targets=targets,
            heads=None,
            gated=None,
            tested=sources * targets,
            edges=0,
            check_mean=None if check is None else check.mean,
            check_rms=None if check is None else check.rms,
            by=self.push.by,
            pushes=len(self.push.coordinates),
            derivative="forward" if self.choice.derivative.step is None else "differences",
        )


def batches_of(reading: Reading, windows: Sequence[Any]) -> Iterable[Any]:
    """The batches in which ``windows`` are read, such that about 16 pushes share a pass over a batch."""
    return reading.batches(windows, POSITIONS[reading.device.type] // _AT_ONCE)


def _refuse_few_documents(windows: Sequence[Any], collect: CollectSection, section: InfluenceSection) -> None:
    """Raise :class:`InputError` where the documents that are taken fill too few blocks for a standard error."""
    documents = {window.document for window in windows}
    filled = len({document % collect.blocks for document in documents})
    if filled < LEAST:
        raise InputError(
            f"The first {section.tokens:,} tokens are of {count(len(documents), 'document')} in {count(filled, 'block')}, and "
            f"standard errors need {LEAST} blocks.",
            "Raise influence.max_tokens, or collect more documents and collect.blocks.",
        )


def _varying(stats: ActivationStats, point: HookPoint) -> LayerNeurons:
    found = neurons_of(stats, point.neuron_ids)
    if not len(found.rows):
        raise InputError(
            f"No collected neuron of '{point.label}' varies.",
            "Collect its neurons (collect.hook_points, collect.neurons), or name other layers in influence.layers.",
        )
    return found
