"""The influence of neurons on those of the next layer, on one corpus: one pass of the model, then all pairs at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts.metrics.influence import LayersRead
from glasso_cli.artifacts.pieces import read_piece, write_piece, written_piece
from glasso_cli.collection.corpus_pass import CorpusPass, named
from glasso_cli.collection.reading import Reader, windows_within
from glasso_cli.collection.texts.reading import texts_reading
from glasso_cli.derivatives.all_paths.corpus import influence_of_texts
from glasso_cli.derivatives.assemble import LayerNeurons, assembled, neurons_of, refuse_other_tokens
from glasso_cli.derivatives.check import Discrepancy, checked
from glasso_cli.derivatives.errors import RootMeanSquares
from glasso_cli.derivatives.layout.pair import LayerPair, layer_pair
from glasso_cli.derivatives.maps import Maps, maps_of
from glasso_cli.derivatives.pairs import derivatives, deviations
from glasso_cli.derivatives.reader import PairReader, TokenFactors, pairs_read
from glasso_cli.derivatives.squares import SummedSquares
from glasso_cli.derivatives.sums import PairSums, SummedFactors, SummedMoves
from glasso_cli.derivatives.tested import PairTable, Standard, pairs_tested
from glasso_cli.engine.shares import Unit, each_unit, end_of_share, own_size
from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import check_blocks
from glasso_cli.inference.jackknife import PseudoValues
from glasso_cli.pipeline.units import Pieces

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.artifacts import ActivationStats, Influence
    from glasso_cli.artifacts.metrics.collect import HookPointRead
    from glasso_cli.config import CollectSection, InfluenceSection
    from glasso_cli.console import Reporter
    from glasso_cli.models.loaded import LoadedModel

_PART = ("influence-part", 3)  # kind and schema of a piece
_FIELDS = ("counts", "first", "second")
ABLATION_TOKENS = 4_000  # from which the root mean square of ablation is taken


def influence_of_corpus(
    loaded: LoadedModel,
    texts: Iterable[str],
    stats: ActivationStats,
    collect: CollectSection,
    section: InfluenceSection,
    pieces: Path,
    *,
    name: str,
    seed: int,
    reporter: Reporter,
) -> Influence:
    """The influence of all pairs of neurons of ``stats`` in neighbouring layers, or along all paths, on the tokens that ``collect`` kept.

    ``texts`` are the documents of ``stats``, and ``seed`` is that of ``stats``, so that the same tokens are masked. Parts
    of the pass are kept in the folder ``pieces``, from which an interrupted one goes on. Raises :class:`InputError` where
    there is no pair of layers, where the closed form does not know how they are connected, and where other tokens are kept
    than ``stats`` has.
    """
    if section.paths == "all":
        return influence_of_texts(
            loaded, texts, stats, collect, section, pieces, name=name, seed=seed, reporter=reporter
        )
    wanted = wanted_layers(stats.metrics.hook_points, section)
    patterns = [point.name for point in stats.metrics.hook_points]
    with texts_reading(loaded, texts, patterns, collect, name=name, reporter=reporter, stage="influence") as reading:
        points = {point.name: point for point in reading.points}
        pairs = [layer_pair(loaded, points[source.name], points[target.name]) for source, target in wanted]
        kept = Pieces(pieces, *_PART, reporter)
        checks = kept.once("checks", lambda: _checked(loaded, pairs))["checks"]
        neurons = [
            (neurons_of(stats, pair.source.neuron_ids), neurons_of(stats, pair.target.neuron_ids)) for pair in pairs
        ]
        work = CorpusPass(name=name, section=collect, seed=seed, reading=reading, pieces=pieces, reporter=reporter)
        model_pass = _Pass(work, pairs, neurons, stats, section)
        model_pass.run()
        end_of_share()
        counts = model_pass.counts()
        refuse_other_tokens(stats, counts, section.max_tokens)
        check_blocks(int(np.count_nonzero(counts)), "The error of influence")
        tables = [
            _tested(pair, of, model_pass.sums(place), stats, section)
            for place, (pair, of) in enumerate(zip(pairs, neurons, strict=True))
        ]
        ablated = [
            _ablated(table, of, counts, model_pass, place, stats)
            for place, (table, of) in enumerate(zip(tables, neurons, strict=True))
            if section.ablation
        ]
        documents = len({window.document for window in model_pass.windows()})
        read = [
            _read(pair, of, Discrepancy(*found.tolist()))
            for pair, of, found in zip(pairs, neurons, checks, strict=True)
        ]
        squared = int(model_pass.squared_tokens().sum()) if section.ablation else None
        apart = [
            partial(_deviations, pair, of, model_pass, place, stats)
            for place, (pair, of) in enumerate(zip(pairs, neurons, strict=True))
        ]
        return assembled(
            stats, section, documents, read, neurons, counts, tables, apart, ablated, ablation_tokens=squared
        )


def wanted_layers(
    points: Sequence[HookPointRead], section: InfluenceSection
) -> list[tuple[HookPointRead, HookPointRead]]:
    """The pairs of hook points between which influence is asked for; raises :class:`InputError` where one is not there."""
    by_layer = {point.layer: point for point in points if point.layer is not None and point.label.endswith(".mlp")}
    pairs = section.layers or tuple((layer, layer + 1) for layer in sorted(by_layer) if layer + 1 in by_layer)
    missing = [layer for pair in pairs for layer in pair if layer not in by_layer]
    if missing:
        raise InputError(
            f"influence.layers names layer {missing[0]}, of which no MLP was collected: "
            f"{', '.join(point.label for point in points)}.",
            f"Add mlp.{missing[0]} to collect.hook_points and collect again, or name other layers.",
        )
    if not pairs:
        raise InputError(
            f"Influence is between the MLPs of two neighbouring layers, and these hook points were collected: "
            f"{', '.join(point.label for point in points)}.",
            "Name two neighbouring layers in collect.hook_points, such as mlp.8 and mlp.9, and collect again.",
        )
    return [(by_layer[source], by_layer[target]) for source, target in pairs]


def _checked(loaded: LoadedModel, pairs: Sequence[LayerPair]) -> dict[str, np.ndarray]:
    """How exact the closed form is for each pair of layers ``(pairs, 2)``."""
    found = [checked(loaded, pair) for pair in pairs]
    return {"checks": np.array([(check.mean, check.rms) for check in found])}


# -- the pass -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Pass:
    """One pass over the documents, a group of blocks after the other. The sums of each pair of layers are files."""

    work: CorpusPass
    pairs: Sequence[LayerPair]
    neurons: Sequence[tuple[LayerNeurons, LayerNeurons]]
    stats: ActivationStats
    section: InfluenceSection

    def run(self) -> None:
        """Make the files that are not there yet and of this process's share."""
        missing = {
            index: Unit(named(group), sum(window.size for window in self._windows_of(index)))
            for index, group in enumerate(self.groups)
            if any(self._found(index, place) is None for place in range(len(self.pairs)))
        }
        if not missing:
            return
        reader = self.work.reading.reader()
        self.work.learn_limits(reader)
        readers = self._readers()
        with (
            self.work.reporter.progress(f"influence {self.work.name}", own_size(missing), "tokens") as advance,
            pairs_read(self.work.reading.network.module, readers),
        ):

            def make(index: int) -> None:
                if all(self._piece(index, place).exists() for place in range(len(self.pairs))):
                    return  # another process made them meanwhile
                for place, (sums, ablation) in enumerate(self._read(reader, readers, index, advance)):
                    arrays = {field: getattr(sums, field) for field in _FIELDS}
                    write_piece(self._piece(index, place), *_PART, arrays | ablation, {}, self.work.reporter.warn)

            each_unit(missing, make)

    @cached_property
    def groups(self) -> list[list[int]]:
        """The blocks of each part of the pass; each is alone where ablation needs a matrix of all pairs for it."""
        if self.section.ablation:
            return [[block] for block in range(self.work.section.blocks)]
        return self.work.groups(self.stats.n_neurons)

    def parts(self, place: int) -> Iterator[dict[str, np.ndarray]]:
        """What was found for the pair of layers number ``place``, one group of blocks after the other."""
        for index in range(len(self.groups)):
            arrays, _ = written_piece(self._piece(index, place), *_PART)
            yield arrays

    def sums(self, place: int) -> PairSums:
        """The sums of the pair of layers number ``place``, over all blocks."""
        return PairSums.joined([PairSums(*(part[field] for field in _FIELDS)) for part in self.parts(place)])

    def counts(self) -> np.ndarray:
        """The tokens of every block ``(B,)``."""
        return np.concatenate([part["counts"] for part in self.parts(0)])

    def squared_tokens(self) -> np.ndarray:
        """The tokens of every block ``(B,)`` over which squares of ablation were summed."""
        return np.array([int(part["squared_tokens"]) for part in self.parts(0)])

    def _readers(self) -> list[PairReader]:
        import torch

        if not self.section.ablation:
            return [PairReader(pair) for pair in self.pairs]
        device = self.work.reading.device
        return [
            PairReader(
                pair,
                torch.from_numpy(self.stats.mean[source.rows]).float().to(device),
                torch.from_numpy(source.inside).to(device),
            )
            for pair, (source, _) in zip(self.pairs, self.neurons, strict=True)
        ]

    def _windows_of(self, index: int) -> list[Any]:
        """The windows of one group of blocks."""
        blocks, group = self.work.section.blocks, set(self.groups[index])
        return [window for window in self.windows() if window.document % blocks in group]

    def windows(self) -> list[Any]:
        """The windows of all documents up to the one in which ``max_tokens`` are reached."""
        return windows_within(self.work.reading.windows, self.section.max_tokens)

    def _read(
        self, reader: Reader, readers: Sequence[PairReader], index: int, advance: Any
    ) -> Iterator[tuple[PairSums, dict[str, np.ndarray]]]:
        import torch

        section, reading = self.work.section, self.work.reading
        budget = section.batch_tokens or reading.batch_samples[reading.device.type]
        targets = [torch.from_numpy(target.inside).to(reading.device) for _, target in self.neurons]
        summed = [SummedFactors(pair, self.groups[index], chosen) for pair, chosen in zip(self.pairs, targets)]
        ablations = [
            _SummedAblation(chosen, _maps(pair, of)) if self.section.ablation else None
            for pair, of, chosen in zip(self.pairs, self.neurons, targets, strict=True)
        ]
        first = max((window.document for window in windows_within(self.windows(), ABLATION_TOKENS)), default=-1)
        for batch in reading.batches(self._windows_of(index), budget):
            read = reader.read(batch)
            inside = torch.from_numpy(batch.attention).to(reading.device).reshape(-1).nonzero()[:, 0]
            kept, documents = read.kept, read.documents[read.window_of()]
            for pair_reader, sums, ablation in zip(readers, summed, ablations, strict=True):
                factors = pair_reader.take(inside[kept])
                sums.add(factors, documents[kept] % section.blocks)
                if ablation is not None:
                    ablation.add(factors, list(pair_reader.moves(inside[kept])), documents[kept] <= first)
            advance(int(read.lengths.sum()))
        for sums, ablation in zip(summed, ablations, strict=True):
            yield sums.finish(), {} if ablation is None else ablation.finish()

    def _found(self, index: int, place: int) -> Any:
        return read_piece(self._piece(index, place), *_PART, self.work.reporter.detail)

    def _piece(self, index: int, place: int) -> Path:
        return self.work.pieces / f"part-{index:04d}-{place:03d}.npz"


class _SummedAblation:
    """Adds up what ablation does to one pair of layers, over the tokens of one block."""

    def __init__(self, targets: Tensor, maps: Maps) -> None:
        self._maps, self._moves, self._squares = maps, SummedMoves(targets), SummedSquares(maps, targets)

    def add(self, factors: TokenFactors, moves: Sequence[Tensor], first: Tensor) -> None:
        """Add tokens; ``first (N,)`` says which are of the documents whose squares count."""
        self._moves.add(factors, moves)
        self._squares.add(factors, moves, first)

    def finish(self) -> dict[str, np.ndarray]:
        squares = self._squares.finish()
        tokens = np.array(self._squares.tokens, np.int64)
        return {"moved": self._moves.finish(self._maps), "squares": squares, "squared_tokens": tokens}


# -- all pairs ----------------------------------------------------------------------------------------


def _maps(pair: LayerPair, neurons: tuple[LayerNeurons, LayerNeurons]) -> Maps:
    import torch

    source, target = (torch.from_numpy(of.inside).to(pair.write.device) for of in neurons)
    return maps_of(pair, source, target)


def _ablated(
    table: PairTable,
    neurons: tuple[LayerNeurons, LayerNeurons],
    counts: np.ndarray,
    found: _Pass,
    place: int,
    stats: ActivationStats,
) -> np.ndarray:
    """What ablation does to the pairs of ``table``, in standard deviations of the target ``(4, E)``.

    The rows are the mean change, its standard error, the root mean square change, and its standard error.
    """
    source, target = neurons
    rows, columns = np.searchsorted(target.rows, table.targets), np.searchsorted(source.rows, table.sources)
    mean, root = PseudoValues(len(rows)), RootMeanSquares(found.squared_tokens(), len(rows))
    total = np.zeros(len(rows))
    for block, part in enumerate(found.parts(place)):
        root.add(block, part["squares"][rows, columns])
        if counts[block]:
            moved = part["moved"][rows, columns]
            total += moved
            mean.add(moved / float(counts[block]), float(counts[block] / counts.sum()))
    error = np.sqrt(np.maximum(mean.variance(), 0))
    return np.asarray(np.stack([total / counts.sum(), error, *root.finish()]) / stats.std[table.targets])


def _tested(
    pair: LayerPair,
    neurons: tuple[LayerNeurons, LayerNeurons],
    sums: PairSums,
    stats: ActivationStats,
    section: InfluenceSection,
) -> PairTable:
    source, target = neurons
    standard = Standard(stats.std[source.rows], stats.std[target.rows], source.rows, target.rows)
    return pairs_tested(
        derivatives(sums, _maps(pair, neurons)),
        standard,
        min_effect=section.min_effect,
        freedom=float(np.count_nonzero(sums.counts) - 1),
        largest_p=1.0 if section.keep == "all" else section.fdr,
    )


def _deviations(
    pair: LayerPair,
    neurons: tuple[LayerNeurons, LayerNeurons],
    found: _Pass,
    place: int,
    stats: ActivationStats,
    sources: np.ndarray,
    targets: np.ndarray,
) -> np.ndarray:
    """How the blocks differ for pairs ``(E,)``: :data:`glasso_cli.derivatives.assemble.Deviations`."""
    source, target = neurons
    rows, columns = np.searchsorted(target.rows, targets), np.searchsorted(source.rows, sources)
    scale = stats.std[sources] / stats.std[targets]
    return np.asarray(deviations(found.sums(place), _maps(pair, neurons), rows, columns) * scale[:, None])


def _read(pair: LayerPair, neurons: tuple[LayerNeurons, LayerNeurons], check: Discrepancy) -> LayersRead:
    source, target = neurons
    return LayersRead(
        source=pair.source.label,
        target=pair.target.label,
        sources=len(source.rows),
        targets=len(target.rows),
        heads=pair.n_paths - 1,
        gated=pair.up is not None,
        tested=len(source.rows) * len(target.rows),
        edges=0,
        check_mean=check.mean,
        check_rms=check.rms,
    )
