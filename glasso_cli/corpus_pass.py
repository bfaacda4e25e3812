"""One pass of a model over a corpus: the pilot sample, then block after block, each kept when it is finished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.capture import Capture, token_counts
from glasso_cli.config import CollectSection
from glasso_cli.console import Console
from glasso_cli.errors import InputError
from glasso_cli.neurons import indices_of, wanted_ids
from glasso_cli.npz import read_npz, write_npz
from glasso_cli.statistics import contexts, pilot
from glasso_cli.statistics.batch import ActivationBatch
from glasso_cli.statistics.block import BlockStatistics, Piece
from glasso_cli.statistics.contexts import Contexts
from glasso_cli.statistics.normal_scores import NormalScores
from glasso_cli.statistics.pilot import Pilot
from glasso_cli.texts import Batch, TokenizedCorpus, Window, batches, special_frame

if TYPE_CHECKING:
    from glasso_cli.hook_points import HookPoint
    from glasso_cli.models import LoadedModel

PILOT_TOKENS = 2_048
LARGE_PILOT_TOKENS = 16_384  # where the pilot decides more than a centre: tables, or which neurons


@dataclass(frozen=True)
class Study:
    """What the pilot sample decided; it is kept beside the blocks, which are sums about its centre."""

    pilot: Pilot
    limits: list[float] | None  # norms over these are massive, one per hook point
    columns: np.ndarray  # the collected neurons among all of the hook points
    examples: Contexts  # quantile contexts
    dtype_difference: dict[str, Any]  # to float32, per hook point; empty for float32


@dataclass(frozen=True)
class CorpusPass:
    """A model, its hook points and a corpus, with a folder for finished pieces."""

    name: str
    section: CollectSection
    seed: int
    loaded: LoadedModel
    points: Sequence[HookPoint]
    recorder: Any
    corpus: TokenizedCorpus
    pieces: Path
    console: Console

    # -- the pilot ------------------------------------------------------------------------------------

    def study(self) -> Study:
        """The pilot's findings, taken from an interrupted run where there is one."""
        path = self.pieces / "pilot.npz"
        if not path.exists():
            _save_study(path, self._study())
        return _load_study(path, self.loaded.device)

    def _study(self) -> Study:
        section = self.section
        large = section.transform == "normal_scores" or isinstance(section.neurons, int)
        tokens = section.pilot_tokens or (LARGE_PILOT_TOKENS if large else PILOT_TOKENS)
        windows = pilot.sample_windows(self.corpus.windows, tokens, self.seed)
        reader = self._reader()
        difference = self._dtype_difference(next(self._batches(windows)))
        sample = pilot.join(list(self._read(reader, windows, f"pilot {self.name}")))
        refuse_all_masked(token_counts([reader.counts]))
        sample = reader.set_limits(sample)
        columns = self._columns(sample)
        sample = replace(sample, values=sample.values[:, columns])
        examples = contexts.empty(len(columns), 0)
        if section.contexts:
            examples = contexts.quantile_contexts(sample)
        study = pilot.study(sample, section.transform)
        return Study(study, reader.limits, columns, examples, difference)

    def _columns(self, sample: ActivationBatch) -> np.ndarray:
        choice = self.section.neurons
        if isinstance(choice, int):
            return pilot.highest_variance(sample, choice)
        ids = neuron_ids(self.points)
        wanted = wanted_ids(choice)
        return np.arange(len(ids)) if wanted is None else np.array(indices_of(wanted, ids))

    def _dtype_difference(self, batch: Batch) -> dict[str, Any]:
        """What a dtype below float32 costs, measured on the pilot's first batch and said aloud."""
        if self.loaded.dtype == "float32":
            return {}
        import torch

        from glasso_cli.invariants import dtype_difference

        ids, attention = torch.from_numpy(batch.ids), torch.from_numpy(batch.attention)
        measured = dtype_difference(self.loaded, self.points, ids, attention)
        for name, found in measured.items():
            self.console.note(
                f"{self.loaded.dtype} against float32 at {name}: correlations over {found.n_tokens:,} tokens "
                f"differ by {found.correlation_rms:.1e} rms, {found.correlation_max:.1e} at most"
            )
        return {name: asdict(found) for name, found in measured.items()}

    # -- the blocks -----------------------------------------------------------------------------------

    def block(self, index: int, study: Study) -> tuple[Piece, Counter[str]]:
        """One block's sums and token counts, taken from an interrupted run where it was finished."""
        path = self.pieces / f"block-{index:04d}.npz"
        if not path.exists():
            self._make_block(path, index, study)
        arrays, meta = read_npz(path)
        return arrays, Counter(meta["tokens"])

    def _make_block(self, path: Path, index: int, study: Study) -> None:
        section = self.section
        windows = self.corpus.block(index, section.blocks)
        reader = self._reader(study)
        sums = BlockStatistics(study.pilot, lags=section.lags, keep_contexts=section.contexts)
        label = f"collect {self.name}, block {index + 1} of {section.blocks}"
        for batch in self._read(reader, windows, label):
            sums.update(batch)
        meta = {"kind": "collect-block", "schema": 1, "tokens": dict(reader.counts)}
        write_npz(path, sums.finish(), meta)

    # -- reading --------------------------------------------------------------------------------------

    def _read(self, reader: Capture, windows: Sequence[Window], label: str) -> Iterator[ActivationBatch]:
        total = sum(len(window.ids) for window in windows)
        with self.console.progress(label, total, "tokens") as advance:
            for batch in self._batches(windows):
                yield reader.read(batch)
                advance(int(batch.lengths.sum()))

    def _batches(self, windows: Sequence[Window]) -> Iterator[Batch]:
        pad = self.loaded.tokenizer.pad_token_id
        budget = self.section.batch_tokens
        return batches(windows, budget=budget, pad_id=0 if pad is None else pad)

    def _reader(self, study: Study | None = None) -> Capture:
        import torch

        frame = special_frame(self.loaded.tokenizer)
        reader = Capture(self.recorder, self.points, frame, self.section.mask)
        if study is not None:
            reader.limits = study.limits
            if len(study.columns) < sum(point.width for point in self.points):
                reader.columns = torch.tensor(study.columns, device=self.loaded.device)
        return reader


def neuron_ids(points: Sequence[HookPoint]) -> list[str]:
    """The ids of all neurons of ``points``, such as ``layers.9.mlp[123]``."""
    return [f"{point.label}[{index}]" for point in points for index in range(point.width)]


def refuse_all_masked(tokens: dict[str, int]) -> None:
    """Raise :class:`InputError` when the masks leave no token."""
    if tokens["kept"]:
        return
    rules = ", ".join(f"{rule} {tokens[rule]:,}" for rule in ("special", "first", "massive"))
    raise InputError(
        f"Every one of the {tokens['read']:,} tokens is masked ({rules}).",
        "Loosen collect.mask, or give longer texts.",
    )


def _save_study(path: Path, study: Study) -> None:
    transform = study.pilot.transform
    arrays = {
        "mean": study.pilot.mean.cpu().numpy(),
        "std": study.pilot.std.cpu().numpy(),
        "columns": study.columns,
        "tokens": study.examples.tokens,
        "values": study.examples.values,
        "documents": study.examples.documents,
        **(transform.arrays() if transform is not None else {}),
    }
    meta = {"limits": study.limits, "dtype_difference": study.dtype_difference}
    write_npz(path, arrays, {"kind": "collect-pilot", "schema": 1, **meta})


def _load_study(path: Path, device: Any) -> Study:
    import torch

    arrays, meta = read_npz(path)
    transform = NormalScores.from_arrays(arrays, device) if "knots" in arrays else None
    mean, std = (torch.tensor(arrays[name], device=device) for name in ("mean", "std"))
    examples = Contexts(arrays["tokens"], arrays["values"], arrays["documents"])
    found = Pilot(mean, std, transform)
    return Study(found, meta["limits"], arrays["columns"], examples, meta["dtype_difference"])
