"""One pass of a model over a corpus: the pilot sample, then block after block, each kept when it is finished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts.metrics.collect import TokenCounts
from glasso_cli.artifacts.pieces import Part, read_piece, write_piece, written_piece
from glasso_cli.collection import contexts, pilot
from glasso_cli.collection.batch import RULES, ActivationBatch, add_counts, join
from glasso_cli.collection.block import BlockStatistics, DenseProducts, Piece, Products
from glasso_cli.collection.contexts import Contexts
from glasso_cli.collection.normal_scores import NormalScores
from glasso_cli.collection.pilot import Pilot
from glasso_cli.collection.reading import Reader, Reading, Windowed, windows_of_block
from glasso_cli.collection.sparse.kept import ActiveValues
from glasso_cli.collection.sparse.products import SparseProducts
from glasso_cli.config import CollectSection
from glasso_cli.config.neurons import indices_of, wanted_ids
from glasso_cli.console import Reporter
from glasso_cli.engine.shares import Unit, each_unit, own_size
from glasso_cli.engine.versions import made_by, refuse_other_versions
from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from glasso_cli.hooks import HookPoint

PILOT_TOKENS = 2_048
LARGE_PILOT_TOKENS = 16_384  # where the pilot decides more than a centre: tables, or which neurons
GROUP_TOKENS = 8_192  # blocks so small that several hold no more tokens than this go through the model together
GROUP_VALUES = 2**26  # and no more activations than this
_PILOT = ("collect-pilot", 4)  # kinds and schemas of pieces
_BLOCK = ("collect-block", 4)
_LIMITS = ("limits", 1)


@dataclass(frozen=True, eq=False)
class PilotFindings:
    """What the pilot sample decided; it is kept beside the blocks, which are sums about its centre."""

    pilot: Pilot
    limits: list[float] | None  # norms over these are massive, one per hook point
    columns: np.ndarray  # the collected neurons among all of the hook points
    examples: Contexts  # quantile contexts
    orientation: np.ndarray  # (p,) int8, of the collected neurons
    dtype_difference: dict[str, Any]  # to float32, per hook point; empty for float32


@dataclass(frozen=True, eq=False)
class CorpusPass:
    """A network with the documents that it reads, and a folder for finished pieces."""

    name: str
    section: CollectSection
    seed: int
    reading: Reading
    pieces: Path
    reporter: Reporter

    @property
    def contexts(self) -> bool:
        """Whether example contexts are kept: where they are wanted, and samples can be shown."""
        return self.section.contexts and self.reading.symbols is not None

    # -- the pilot ------------------------------------------------------------------------------------

    def pilot_findings(self) -> PilotFindings:
        """The pilot's findings, taken from an interrupted run where there is one."""
        path = self.pieces / "pilot.npz"
        part = read_piece(path, *_PILOT, self.reporter.detail)
        if part is None:
            _save_findings(path, self._run_pilot(), self.reading.device, self.reporter.warn)
            part = written_piece(path, *_PILOT)
        refuse_other_versions("the pilot", part[1]["made_by"])
        return _findings_of(part, self.reading.device)

    def pilot_windows(self) -> list[Any]:
        """The random windows of the pilot sample."""
        section = self.section
        large = section.transform == "normal_scores" or isinstance(section.neurons, int)
        tokens = section.pilot_tokens or (LARGE_PILOT_TOKENS if large else PILOT_TOKENS)
        if section.pilot_tokens is None and self.reading.pilot_windows:
            largest = max(window.size for window in self.reading.windows)
            room = GROUP_VALUES // sum(point.width for point in self.reading.points)
            tokens = max(tokens, min(self.reading.pilot_windows * largest, room))
        return pilot.sample_windows(self.reading.windows, tokens, self.seed)

    def pilot_sample(self, reader: Reader) -> ActivationBatch:
        """The pilot sample, from which ``reader`` learns its limits; raises :class:`InputError` if all of it is masked."""
        windows = self.pilot_windows()
        total = sum(window.size for window in windows)
        with self.reporter.progress(f"pilot {self.name}", total, self.reading.samples) as advance:
            sample = join(list(self.read(reader, windows, advance)))
        refuse_all_masked(add_counts([sample.token_counts()]), self.reading.samples)
        return reader.set_limits(sample)

    def learn_limits(self, reader: Reader) -> None:
        """Let ``reader`` learn its limits from the pilot sample, or from the file of a process that did."""
        path = self.pieces / "limits.npz"
        part = read_piece(path, *_LIMITS, self.reporter.detail)
        if part is None:
            self.pilot_sample(reader)
            write_piece(path, *_LIMITS, {}, {"limits": reader.limits}, self.reporter.warn)
            part = written_piece(path, *_LIMITS)
        reader.limits = part[1]["limits"]

    def _run_pilot(self) -> PilotFindings:
        section, reader = self.section, self._reader()
        difference = self._dtype_difference(self.pilot_windows())
        sample = self.pilot_sample(reader)
        columns = self._columns(sample)
        sample = replace(sample, values=sample.values[:, columns])
        examples = contexts.empty(len(columns), 0, self.reading.extent)
        if self.contexts:
            examples = contexts.quantile_contexts(sample, self.reading.extent)
        measured = pilot.measure_sample(sample, section.transform)
        oriented = self.reading.orientation()
        return PilotFindings(measured, reader.limits, columns, examples, oriented[columns], difference)

    def _columns(self, sample: ActivationBatch) -> np.ndarray:
        choice = self.section.neurons
        if isinstance(choice, int):
            return pilot.highest_variance(sample, choice)
        ids = neuron_ids(self.reading.points)
        wanted = wanted_ids(choice)
        return np.arange(len(ids)) if wanted is None else np.array(indices_of(wanted, ids))

    def _dtype_difference(self, windows: Sequence[Windowed]) -> dict[str, Any]:
        """What a dtype below float32 costs, measured on the pilot's first batch and said aloud."""
        if self.reading.model.dtype == "float32":
            return {}
        return self.reading.dtype_difference(next(self._batches(windows)))

    # -- the blocks -----------------------------------------------------------------------------------

    def blocks(self, findings: PilotFindings) -> list[tuple[Piece, dict[str, int]]]:
        """Every block's sums and token counts; blocks that an interrupted run finished are not read again."""
        done = {index: self._read(index) for index in self._indices()}
        made = self.make_blocks(findings, {index for index, part in done.items() if part is not None})
        parts = [
            part if part is not None and index not in made else written_piece(self._piece(index), *_BLOCK)
            for index, part in done.items()
        ]
        self._tell_processors([meta["made_by"] for _, meta in parts])
        return [(arrays, meta["tokens"]) for arrays, meta in parts]

    def make_blocks(self, findings: PilotFindings, done: Collection[int] | None = None) -> set[int]:
        """Make the blocks that are missing and of this process's share; the value is the blocks that were missing.

        ``done`` are those that are there, by default all that have a file.
        """
        if done is None:
            done = {index for index in self._indices() if self._piece(index).exists()}
        groups = self.groups(len(findings.columns))
        sizes = self._sizes()
        missing = {
            place: Unit(named(group), sum(sizes[index] for index in group))
            for place, group in enumerate(groups)
            if not set(group) <= set(done)
        }
        with self.reporter.progress(f"collect {self.name}", own_size(missing), self.reading.samples) as advance:
            each_unit(missing, lambda place: self._make(groups[place], findings, advance))
        return {index for place in missing for index in groups[place]}

    def _read(self, index: int) -> Part | None:
        part = read_piece(self._piece(index), *_BLOCK, self.reporter.detail)
        if part is not None:
            refuse_other_versions(f"block {index}", part[1]["made_by"])
        return part

    def _tell_processors(self, made_by: Sequence[dict[str, str]]) -> None:
        """Warn where blocks were made by processors of several kinds, whose last digits differ."""
        kinds = sorted({made["processor"] for made in made_by})
        if len(kinds) > 1:
            self.reporter.warn(
                f"{self.name}: the blocks were made on {' and on '.join(kinds)}; on one kind of processor alone the last "
                "digits would be others."
            )

    def groups(self, width: int) -> list[list[int]]:
        """Neighbouring blocks that are read together, so that small ones share batches of equal lengths."""
        room = min(GROUP_TOKENS, GROUP_VALUES // width)
        groups: list[list[int]] = []
        held = 0
        for index, size in enumerate(self._sizes()):
            if not groups or held + size > room:
                groups.append([])
                held = 0
            groups[-1].append(index)
            held += size
        return groups

    def _sizes(self) -> list[int]:
        """Samples of every block, masked ones included."""
        sizes = [0] * self.section.blocks
        for window in self.reading.windows:
            sizes[window.document % self.section.blocks] += window.size
        return sizes

    def _make(self, group: Sequence[int], findings: PilotFindings, advance: Callable[[float], None]) -> None:
        if all(self._piece(index).exists() for index in group):
            return  # another process made them meanwhile; Dask also asks again where a process ended that had made some
        for index, parts in self._by_block(group, findings, advance):
            extent = self.reading.extent if self.contexts else None
            sums = BlockStatistics(findings.pilot, self._products(findings.pilot, index), extent=extent)
            tokens = Counter(dict.fromkeys(RULES, 0))
            for batch in parts:
                sums.update(batch)
                tokens.update(batch.token_counts())
            meta = {"tokens": tokens, "made_by": made_by(self.reading.device)}
            write_piece(self._piece(index), *_BLOCK, sums.finish(), meta, self.reporter.warn)

    def _products(self, pilot: Pilot, index: int) -> Products:
        """What sums the products of block ``index``."""
        lags, null_seed = self.section.lags, (self.seed, index) if self.section.null is True else None
        if self.reading.keeps_values:
            return ActiveValues(pilot.centre(), lags)
        if self.reading.sparse:
            return SparseProducts(pilot.centre(), lags, null_seed)
        autocorrelation = self.reading.autocorrelation(len(pilot.mean), lags, self.reading.device)
        return DenseProducts(pilot, autocorrelation, null_seed)

    def _by_block(
        self, group: Sequence[int], findings: PilotFindings, advance: Callable[[float], None]
    ) -> Iterator[tuple[int, Iterable[ActivationBatch]]]:
        """Each block with its batches; those of a block that is alone in its group are read as they are taken."""
        blocks = self.section.blocks
        windows = [window for index in group for window in windows_of_block(self.reading.windows, index, blocks)]
        read = self.read(self._reader(findings), windows, advance)
        if len(group) == 1:
            yield group[0], read
            return
        held = list(read)
        for index in group:
            parts = [batch.windows(batch.documents % blocks == index) for batch in held]
            parts = [part for part in parts if len(part.lengths)]
            yield index, [join(parts)] if parts else []

    def _piece(self, index: int) -> Path:
        return self.pieces / f"block-{index:04d}.npz"

    def _indices(self) -> range:
        return range(self.section.blocks)

    # -- reading --------------------------------------------------------------------------------------

    def read(
        self, reader: Reader, windows: Sequence[Windowed], advance: Callable[[float], None]
    ) -> Iterator[ActivationBatch]:
        """The activations of ``windows``, batch by batch; ``advance`` hears of the samples that were read."""
        for batch in self._batches(windows):
            read = reader.read(batch)
            yield read
            advance(int(read.lengths.sum()))

    def _batches(self, windows: Sequence[Windowed]) -> Iterator[Any]:
        budget = self.section.batch_tokens or self.reading.batch_samples[self.reading.device.type]
        return self.reading.batches(windows, budget)

    def _reader(self, findings: PilotFindings | None = None) -> Reader:
        import torch

        reader = self.reading.reader()
        if findings is not None:
            reader.limits = findings.limits
            if len(findings.columns) < sum(point.width for point in self.reading.points):
                reader.columns = torch.tensor(findings.columns, device=self.reading.device)
        return reader


def neuron_ids(points: Sequence[HookPoint]) -> list[str]:
    """The ids of all neurons of ``points``, such as ``layers.9.mlp[123]``."""
    return [name for point in points for name in point.neuron_ids]


def refuse_all_masked(tokens: TokenCounts, samples: str = "tokens") -> None:
    """Raise :class:`InputError` when the masks leave no token."""
    if tokens.kept:
        return
    more = "give longer texts" if samples == "tokens" else "give larger images or longer sequences"
    raise InputError(
        f"Every one of the {tokens.read:,} {samples} is masked ({tokens.masked()}).",
        f"Loosen collect.mask, or {more}.",
    )


def named(group: Sequence[int]) -> str:
    """What a group of neighbouring blocks is called."""
    return f"block {group[0]}" if len(group) == 1 else f"blocks {group[0]} to {group[-1]}"


def _save_findings(path: Path, findings: PilotFindings, device: Any, tell: Callable[[str], None]) -> None:
    transform = findings.pilot.transform
    arrays = {
        "mean": findings.pilot.mean.cpu().numpy(),
        "std": findings.pilot.std.cpu().numpy(),
        "steps": findings.pilot.steps.cpu().numpy(),
        "columns": findings.columns,
        "tokens": findings.examples.tokens,
        "values": findings.examples.values,
        "documents": findings.examples.documents,
        "orientation": findings.orientation,
        **(transform.arrays() if transform is not None else {}),
    }
    meta = {"limits": findings.limits, "dtype_difference": findings.dtype_difference, "made_by": made_by(device)}
    write_piece(path, *_PILOT, arrays, meta, tell)


def _findings_of(part: Part, device: Any) -> PilotFindings:
    import torch

    arrays, meta = part
    transform = NormalScores.from_arrays(arrays, device) if "knots" in arrays else None
    mean, std, steps = (torch.tensor(arrays[name], device=device) for name in ("mean", "std", "steps"))
    examples = Contexts(arrays["tokens"], arrays["values"], arrays["documents"])
    measured = Pilot(mean, std, transform, steps)
    columns, orientation = arrays["columns"], arrays["orientation"]
    return PilotFindings(measured, meta["limits"], columns, examples, orientation, meta["dtype_difference"])
