"""One corpus collected: tokens through a model, and statistics of the activations at its hook points."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.activation_stats import no_fresh_network
from glasso_cli.artifacts.metrics import CollectMetrics, to_json
from glasso_cli.artifacts.metrics.collect import EffectiveTokens, HookPointRead
from glasso_cli.artifacts.npz import Chunked
from glasso_cli.collection import block as blocks
from glasso_cli.collection import contexts
from glasso_cli.collection.batch import add_counts
from glasso_cli.collection.corpus_pass import CorpusPass, PilotFindings, neuron_ids, refuse_all_masked
from glasso_cli.collection.dictionaries.reading import dictionary_of, latent_reading
from glasso_cli.collection.reading import Reading
from glasso_cli.collection.sparse.kept import stored_values, values_of
from glasso_cli.collection.sparse.latents import unusable_of
from glasso_cli.collection.texts.reading import texts_reading
from glasso_cli.config import CollectSection
from glasso_cli.console import PythonWarnings, Reporter
from glasso_cli.engine.shares import end_of_share, is_shared
from glasso_cli.errors import InputError
from glasso_cli.inference.effective_n import effective_n, fewer_tokens_than_neurons, more_of
from glasso_cli.linalg import moments
from glasso_cli.pipeline.shared import Shared

if TYPE_CHECKING:
    from glasso_cli.hooks import HookPoint
    from glasso_cli.models.loaded import LoadedModel


def collect_corpus(
    loaded: LoadedModel,
    texts: Iterable[str],
    section: CollectSection,
    *,
    name: str = "corpus",
    seed: int = 0,
    reporter: Reporter | None = None,
) -> ActivationStats:
    """The statistics of the activations of ``loaded`` over ``texts``, one document each, in memory.

    ``section`` names the hook points and says what is masked; ``seed`` draws the pilot sample. The moments take
    ``blocks * p (p + 1) / 2`` float32. Raises :class:`InputError` for hook points that do not exist or are not what they
    say, and for texts that leave no token.
    """
    with tempfile.TemporaryDirectory(prefix="glasso-") as folder:
        stats, stored = collect_to_disk(
            loaded, texts, section, Path(folder), name=name, seed=seed, reporter=reporter or PythonWarnings()
        )
        return in_memory(stats, stored)


def in_memory(stats: ActivationStats, stored: dict[str, Chunked]) -> ActivationStats:
    """``stats`` with the moments that lie on the disk, ``stored`` by their names."""
    read: dict[str, Any] = {
        name: np.concatenate([np.asarray(part, parts.dtype).reshape(-1) for part in parts.chunks()]).reshape(
            parts.shape
        )
        for name, parts in stored.items()
    }
    return replace(stats, **read)


def collect_to_disk(
    loaded: LoadedModel,
    texts: Iterable[str],
    section: CollectSection,
    pieces: Path,
    *,
    name: str,
    seed: int,
    reporter: Reporter,
    shared: Shared | None = None,
) -> tuple[ActivationStats, dict[str, Chunked]]:
    """As :func:`collect_corpus`, with finished blocks in the folder ``pieces``, from which an interrupted pass goes on.

    What is measured of the model alone is kept in ``shared`` for other corpora. Moments ``(B, p (p + 1) / 2)`` stay there, and come as the second value by their names, to be streamed into the artifact.
    """
    dictionary = dictionary_of(section)
    points = section.hook_points
    with texts_reading(
        loaded, texts, points, section, name=name, reporter=reporter, dictionary=dictionary, shared=shared
    ) as reading:
        if dictionary is not None:
            reading = latent_reading(CorpusPass(name, section, seed, reading, pieces, reporter), dictionary)
        return collect_reading(reading, section, pieces, name=name, seed=seed, reporter=reporter)


def collect_reading(
    reading: Reading, section: CollectSection, pieces: Path, *, name: str, seed: int, reporter: Reporter
) -> tuple[ActivationStats, dict[str, Chunked]]:
    """The statistics of one reading, as :func:`collect_to_disk` gives them."""
    work = CorpusPass(name=name, section=section, seed=seed, reading=reading, pieces=pieces, reporter=reporter)
    findings = work.pilot_findings()
    if is_shared():
        _make_share(work, findings)
        end_of_share()
    stats, stored = _assemble(work, findings, work.blocks(findings))
    _refuse_few_routed(stats, reading.points)
    _warn(stats, name, reporter)
    if section.null == "reinitialised":
        with _fresh_pass(work, findings) as other:
            stats, stored["fresh_moments"] = _with_fresh(stats, other)
    return stats, stored


def _make_share(work: CorpusPass, findings: PilotFindings) -> None:
    """Make this process's share of all blocks, those of the network with fresh weights too."""
    work.make_blocks(findings)
    if work.section.null == "reinitialised":
        with _fresh_pass(work, findings) as other:
            other.make_blocks(other.pilot_findings())


@contextmanager
def _fresh_pass(work: CorpusPass, findings: PilotFindings) -> Iterator[CorpusPass]:
    """The pass over the documents of ``work`` by the network with fresh weights, at the neurons that the pilot chose."""
    section, pieces = work.section, work.pieces / "fresh"
    chosen = np.array(neuron_ids(work.reading.points))[findings.columns]
    neurons = "all" if section.neurons == "all" else tuple(chosen.tolist())
    alone = section.model_copy(update={"null": False, "contexts": False, "neurons": neurons})
    pieces.mkdir(exist_ok=True)
    with work.reading.fresh(work.seed) as reading:
        yield replace(work, name=f"{work.name}, fresh weights", section=alone, reading=reading, pieces=pieces)


def _with_fresh(stats: ActivationStats, work: CorpusPass) -> tuple[ActivationStats, Chunked]:
    """``stats`` with what was summed over the network with fresh weights, which ``work`` reads."""
    findings = work.pilot_findings()
    fresh, stored = _assemble(work, findings, work.blocks(findings))
    metrics = replace(stats.metrics, fresh_network=fresh.metrics.n_effective)
    return replace(
        stats,
        meta={**stats.meta, "metrics": to_json(metrics)},
        fresh_counts=fresh.counts,
        fresh_sums=fresh.sums,
        fresh_autocorrelation=fresh.autocorrelation,
    ), stored["moments"]


def _refuse_few_routed(stats: ActivationStats, points: Sequence[HookPoint]) -> None:
    """Raise :class:`InputError` where an expert was sent fewer effective tokens than there are neurons."""
    expert = next((point for point in points if point.expert is not None), None)
    if expert is None:
        return
    if few := fewer_tokens_than_neurons(stats.n_effective, stats.n_neurons, f"the tokens routed to '{expert.label}'"):
        kept = stats.metrics.tokens.kept
        raise InputError(
            f"Of {stats.metrics.tokens.read:,} tokens {kept:,} are kept; {few}.",
            "Give more text (collect.max_tokens), choose an expert that sees more, or fewer neurons (collect.neurons).",
        )


def _assemble(
    work: CorpusPass,
    findings: PilotFindings,
    pieces_and_tokens: Sequence[tuple[blocks.Piece, dict[str, int]]],
) -> tuple[ActivationStats, dict[str, Chunked]]:
    """The blocks as one artifact, and what of it is streamed into the file: moments, or the values of sparse latents."""
    reading, documents = work.reading, work.reading.counts()
    pieces = [piece for piece, _ in pieces_and_tokens]
    tokens = add_counts(counts for _, counts in pieces_and_tokens)
    refuse_all_masked(tokens, reading.samples)
    width = len(findings.columns)
    counts = np.array([int(piece["count"]) for piece in pieces])
    sums = np.stack([piece["sums"] for piece in pieces])
    if reading.keeps_values:
        values = values_of(pieces, width)
        (dead, duplicate_of), variance = unusable_of(values), values.std**2
    else:
        covariance = moments.covariance_of(counts, sums, (piece["moments"] for piece in pieces))
        dead, duplicate_of = blocks.unusable(covariance, sums.sum(axis=0) / counts.sum())
        variance = np.diag(covariance)
    merged = blocks.merge(pieces, variance, findings.pilot, reading.extent, weighted_lags=reading.weighted_lags)
    effective = effective_n(merged.autocorrelation[~dead], tokens.kept)
    metrics = CollectMetrics(
        model=reading.model,
        hook_points=tuple(
            HookPointRead(p.label, p.name, p.layer, p.width, gated) for p, gated in zip(reading.points, reading.gated)
        ),
        documents=documents,
        windows=len(reading.windows),
        tokens=tokens,
        n_effective=EffectiveTokens(effective.n_tokens, effective.median, effective.q05),
        neurons=width,
        dead=int(dead.sum()),
        duplicates=int((duplicate_of >= 0).sum()),
        invariants=reading.invariants,
        dtype_difference=findings.dtype_difference,
    )
    layers = np.concatenate([np.full(p.width, -1 if p.layer is None else p.layer) for p in reading.points])
    stats = ActivationStats(
        meta={"corpus": work.name, "metrics": to_json(metrics)},
        neuron_ids=np.array(neuron_ids(reading.points))[findings.columns],
        layers=layers[findings.columns].astype(np.int32),
        counts=counts,
        documents=_documents_per_block(documents.read, len(pieces)),
        centre=findings.pilot.centre(),
        sums=sums,
        moments=np.empty(0, np.float32),  # streamed
        null_moments=merged.null_moments,
        **no_fresh_network(width),
        orientation=findings.orientation,
        autocorrelation=merged.autocorrelation,
        dead=dead,
        duplicate_of=duplicate_of,
        **merged.marginals,
        **contexts.context_arrays(findings.examples, merged.poles, reading.symbols, reading.crops),
        **({} if reading.crops is None else {"crop_points": _points_of(reading.points)[findings.columns]}),
    )
    if reading.keeps_values:
        return stats, stored_values(pieces)
    stored = Chunked(
        np.dtype(np.float32),
        (len(pieces), moments.packed_length(width)),
        lambda: (piece["moments"] for piece in pieces),
    )
    return stats, {"moments": stored}


def _points_of(points: Sequence[HookPoint]) -> np.ndarray:
    """The index of the hook point of every neuron."""
    return np.repeat(np.arange(len(points), dtype=np.int32), [point.width for point in points])


def _documents_per_block(documents: int, count: int) -> np.ndarray:
    """How many of ``documents`` fall into each block when document i goes to block i mod ``count``."""
    return np.array([len(range(index, documents, count)) for index in range(count)])


def _warn(stats: ActivationStats, name: str, reporter: Reporter) -> None:
    warn = reporter.warn
    sample = stats.metrics.sample
    if few := fewer_tokens_than_neurons(stats.n_effective, stats.n_neurons, f"the {sample}s"):
        warn(f"{name}: {few}; give more {more_of(sample)}, or fewer neurons (collect.neurons).")
    documents = stats.metrics.documents
    if documents.identical or documents.nearly_identical:
        nearly = f" and {documents.nearly_identical:,} are nearly so" if documents.nearly_identical else ""
        warn(
            f"{name}: {documents.identical:,} of {documents.read:,} documents are identical to an earlier one{nearly}; "
            "they count as independent, so errors are too small. Remove them from the corpus."
        )
    if np.count_nonzero(stats.counts) < len(stats.counts):
        warn(
            f"{name}: {stats.metrics.documents.read} documents do not fill {len(stats.counts)} blocks; "
            "resampling has less to draw from."
        )
    for fault, neurons in (
        ("have no variance", np.flatnonzero(stats.dead)),
        ("repeat another neuron", np.flatnonzero(stats.duplicate_of >= 0)),
    ):
        if len(neurons):
            shown = ", ".join(stats.neuron_ids[neurons[:5]])
            more = ", …" if len(neurons) > 5 else ""
            warn(f"{name}: {len(neurons)} neurons {fault} and are left out of the fit: {shown}{more}")
