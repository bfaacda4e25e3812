"""From text to statistics: one pass of the model over each corpus, block by block.

A finished block is a file, so an interrupted run continues where it was and ends in the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.metrics import CollectMetrics, to_json
from glasso_cli.artifacts.metrics.collect import DocumentCounts, EffectiveTokens, HookPointRead, ModelRead
from glasso_cli.artifacts.npz import Chunked
from glasso_cli.collect import block as blocks
from glasso_cli.collect import contexts
from glasso_cli.collect.batch import add_counts
from glasso_cli.collect.contexts import Contexts
from glasso_cli.collect.corpus_pass import CorpusPass, Study, neuron_ids, refuse_all_masked
from glasso_cli.config import Config, neurons, public_fields
from glasso_cli.corpora.documents import pin_corpus, read_documents
from glasso_cli.corpora.windows import tokenize
from glasso_cli.inference.effective_n import effective_n
from glasso_cli.linalg import moments
from glasso_cli.models.source import model_digest
from glasso_cli.pipeline.job import Job
from glasso_cli.report.words.labels import fewer_tokens_than_neurons

if TYPE_CHECKING:
    from glasso_cli.models.loaded import LoadedModel

VERSION = 2


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the statistics; files and folders are known by content, not by path."""
    model, text = public_fields(config.model), public_fields(config.corpora[corpus])
    section = public_fields(config.collect)
    text.pop("files")
    if Path(config.model.id).is_dir():
        model["id"] = "a local folder"
    section["neurons"] = neurons.without_path(config.collect.neurons)
    return {"model": model, "corpus": text, "collect": section, "seed": config.seed}


def pins(config: Config, corpus: str) -> dict[str, Any]:
    """Digests of the model, the texts and the file of neuron ids."""
    return {
        "model": model_digest(config.model.id, config.model.revision),
        "corpus": pin_corpus(corpus, config.corpora[corpus]),
        **neurons.pin(config.collect.neurons),
    }


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the statistics go."""
    return config.folder / "collect" / f"{corpus}.npz", ()


def upstream(config: Config, corpus: str) -> list[tuple[str, str]]:
    """The texts of a topic are written by ``synth``; other corpora need nothing before."""
    return [("synth", corpus)] if config.corpora[corpus].topic is not None else []


def make(job: Job) -> str:
    """Collect the statistics of one corpus and write them."""
    from glasso_cli.hooks import record, resolve_hook_points
    from glasso_cli.hooks.invariants import check_hook_points

    section = job.config.collect
    loaded = _load(job)
    points = resolve_hook_points(loaded.model, section.hook_points)
    corpus = tokenize(
        read_documents(job.corpus, job.config.corpora[job.corpus], job.upstream.get("synth")),
        loaded.tokenizer,
        max_length=section.max_length,
        max_tokens=section.max_tokens,
    )
    job.console.note(
        f"collect {job.corpus}: {corpus.n_documents:,} documents, {corpus.n_tokens:,} tokens, "
        f"{sum(point.width for point in points):,} neurons at {', '.join(p.label for p in points)}"
    )
    invariants = check_hook_points(loaded, points).as_meta()
    with record(loaded.model, points) as recorder:
        work = CorpusPass(
            name=job.corpus,
            section=section,
            seed=job.config.seed,
            loaded=loaded,
            points=points,
            recorder=recorder,
            corpus=corpus,
            pieces=job.pieces,
            console=job.console,
        )
        study = work.study()
        found = work.blocks(study)
    stats, stored = assemble(job, work, study, found, invariants)
    _warn(job, stats)
    stats.save(job.target.path, moments=stored)
    return _summary(stats.metrics)


def _load(job: Job) -> LoadedModel:
    from glasso_cli.models.load import load_model

    model = job.config.model
    loaded = load_model(
        model.id,
        revision=model.revision,
        dtype=model.dtype,
        device=model.device,
        device_map=model.device_map,
        trust=model.trust,
        notify=job.console.note,
    )
    for note in loaded.notes:
        job.console.note(f"{model.id}: {note}")
    return loaded


# -- the artifact ---------------------------------------------------------------------------------------


def assemble(
    job: Job,
    work: CorpusPass,
    study: Study,
    found: Sequence[tuple[blocks.Piece, dict[str, int]]],
    invariants: dict[str, Any],
) -> tuple[ActivationStats, Chunked]:
    """The blocks as one artifact, and its moments as they are streamed into the file."""
    pieces = [piece for piece, _ in found]
    tokens = add_counts(counts for _, counts in found)
    refuse_all_masked(tokens)
    width = len(study.columns)
    counts = np.array([int(piece["count"]) for piece in pieces])
    sums = np.stack([piece["sums"] for piece in pieces])
    covariance = moments.covariance_of(counts, sums, (piece["moments"] for piece in pieces))
    dead, duplicate_of = blocks.unusable(covariance, sums.sum(axis=0) / counts.sum())
    centre, scale = (x.double().cpu().numpy() for x in (study.pilot.mean, study.pilot.std))
    merged = blocks.merge(pieces, np.diag(covariance), centre, scale)
    effective = effective_n(merged.autocorrelation[~dead], tokens.kept)
    metrics = CollectMetrics(
        model=ModelRead(work.loaded.kind, work.loaded.dtype, work.loaded.n_layers),
        hook_points=tuple(HookPointRead(p.label, p.name, p.layer, p.width) for p in work.points),
        documents=DocumentCounts(work.corpus.n_documents, work.corpus.n_empty),
        windows=len(work.corpus.windows),
        tokens=tokens,
        n_effective=EffectiveTokens(effective.n_tokens, effective.median, effective.q05),
        neurons=width,
        dead=int(dead.sum()),
        duplicates=int((duplicate_of >= 0).sum()),
        invariants=invariants,
        dtype_difference=study.dtype_difference,
    )
    layers = np.concatenate([np.full(p.width, -1 if p.layer is None else p.layer) for p in work.points])
    stats = ActivationStats(
        meta=job.meta(to_json(metrics), versions=_versions()),
        neuron_ids=np.array(neuron_ids(work.points))[study.columns],
        layers=layers[study.columns].astype(np.int32),
        counts=counts,
        documents=_documents_per_block(work.corpus.n_documents, len(pieces)),
        centre=study.pilot.centre(),
        sums=sums,
        moments=np.empty(0, np.float32),  # streamed
        null_moments=merged.null_moments,
        autocorrelation=merged.autocorrelation,
        dead=dead,
        duplicate_of=duplicate_of,
        **merged.marginals,
        **_context_arrays(study, merged.top, work.loaded.tokenizer),
    )
    stored = Chunked(
        np.dtype(np.float32),
        (len(pieces), moments.packed_length(width)),
        lambda: (piece["moments"] for piece in pieces),
    )
    return stats, stored


def _documents_per_block(documents: int, count: int) -> np.ndarray:
    """How many of ``documents`` fall into each block when document i goes to block i mod ``count``."""
    return np.array([len(range(index, documents, count)) for index in range(count)])


def _context_arrays(study: Study, top: Contexts, tokenizer: Any) -> dict[str, np.ndarray]:
    """Both kinds of examples, their tokens as text."""
    examples = study.examples
    ids, (top_tokens, quantile_tokens) = contexts.vocabulary(top.tokens, examples.tokens)
    words = [tokenizer.decode([int(i)]) for i in ids]
    per_group = examples.documents.shape[1] // contexts.GROUPS
    grouped = (len(top.tokens), contexts.GROUPS, per_group)
    return {
        "vocabulary": np.array(words, dtype=np.str_),
        "top_tokens": top_tokens,
        "top_values": top.values,
        "top_documents": top.documents,
        "quantile_tokens": quantile_tokens.reshape(*grouped, contexts.WIDTH),
        "quantile_values": examples.values.reshape(*grouped, contexts.WIDTH),
        "quantile_documents": examples.documents.reshape(grouped),
    }


def _versions() -> dict[str, str]:
    import torch
    import transformers

    return {"torch": torch.__version__, "transformers": transformers.__version__}


# -- what is said ---------------------------------------------------------------------------------------


def _warn(job: Job, stats: ActivationStats) -> None:
    warn = job.console.warn
    if few := fewer_tokens_than_neurons(stats.n_effective, stats.n_neurons):
        warn(f"{job.corpus}: {few}; give more text, or fewer neurons (collect.neurons).")
    if np.count_nonzero(stats.counts) < len(stats.counts):
        warn(
            f"{job.corpus}: {stats.metrics.documents.read} documents do not fill {len(stats.counts)} blocks; "
            "resampling has less to draw from."
        )
    for name, found in (
        ("have no variance", np.flatnonzero(stats.dead)),
        ("repeat another neuron", np.flatnonzero(stats.duplicate_of >= 0)),
    ):
        if len(found):
            shown = ", ".join(stats.neuron_ids[found[:5]])
            more = ", …" if len(found) > 5 else ""
            warn(f"{job.corpus}: {len(found)} neurons {name} and are left out of the fit: {shown}{more}")


def _summary(metrics: CollectMetrics) -> str:
    return (
        f"{metrics.tokens.kept:,} tokens of {metrics.neurons:,} neurons "
        f"(masked: {metrics.tokens.masked()}; effectively independent: {metrics.n_effective.median:,.0f})"
    )
