"""One corpus of interventions: the clean pass, the controls, every batch of documents, and the artifact."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import ActivationStats, Interventions, PrecisionPath
from glasso_cli.artifacts.metrics import InterventionMetrics, to_json
from glasso_cli.artifacts.metrics.interventions import ImpossiblePairs, TextsRead
from glasso_cli.config import InterveneSection
from glasso_cli.console import Reporter
from glasso_cli.engine.machine import available_memory
from glasso_cli.engine.shares import end_of_share
from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint, record
from glasso_cli.inference.document_means import sign_flips
from glasso_cli.intervention.assemble import artifact, by_document, effects_found, random_found
from glasso_cli.intervention.changes import Changes
from glasso_cli.intervention.controls import impossible_pairs
from glasso_cli.intervention.feed import Feed
from glasso_cli.intervention.frozen import frozen
from glasso_cli.intervention.measure import Arrays, Directions, Measure
from glasso_cli.intervention.outputs import outputs_of
from glasso_cli.intervention.passes import POSITIONS, Passes, check_replay
from glasso_cli.intervention.sources import Disagreements, of_other_points
from glasso_cli.intervention.study import Study, Where, study_of
from glasso_cli.intervention.survey import set_limits, survey
from glasso_cli.pipeline.units import Pieces, PieceUnit

if TYPE_CHECKING:
    from glasso_cli.collection.reading import Reader

_PIECE = ("intervene-batch", 1)
_COPIES = 4  # of a batch of documents in a pass, about


@dataclass(frozen=True, eq=False)
class Texts:
    """The documents that are read, the name of their corpus, and whether `collect` read none of them for the statistics."""

    name: str
    corpus: Any
    held_out: bool


def intervene(
    feed: Feed,
    source: HookPoint,
    targets: Sequence[HookPoint],
    earlier: HookPoint | None,
    stats: ActivationStats,
    fit: PrecisionPath | None,
    section: InterveneSection,
    pieces: Path,
    texts: Texts,
    *,
    disagreements: Disagreements | None = None,
    name: str,
    seed: int,
    reporter: Reporter,
) -> Interventions:
    """Change neurons of ``source`` and measure the ``targets``, both hook points of ``feed`` in this order.

    ``stats`` give means and standard deviations, ``fit`` degrees and communities, ``disagreements`` strata. ``earlier`` is a hook point before the
    source, for a control. Finished batches are kept in ``pieces``. Raises :class:`InputError` for unknown neurons, for networks in
    which no pass can begin at the source, and where an impossible effect is not zero.
    """
    study = study_of(feed.model, source, targets, stats, fit, section, seed, disagreements)
    _warn_of_strata(study, section, reporter)
    if others := of_other_points(section.sources, study.candidates.ids.tolist()):
        reporter.note(
            f"intervene {name}: {len(others):,} neurons of {section.sources} are of other hook points than {source.label} and are left "
            "out; to change them, set intervene.source"
        )
    outputs = outputs_of(section, feed.reading.network)
    where = Where.of(section, feed.reading, causal=feed.causal)
    budget = POSITIONS[feed.reading.device.type] // _COPIES
    batches = list(feed.reading.batches(feed.reading.windows, budget))
    reader = feed.reading.reader()
    with ExitStack() as stack:
        held = stack.enter_context(frozen(section.mode, feed.reading.network, source))
        recorder = stack.enter_context(record(feed.model, study.targets))
        to_end = stack.enter_context(record(feed.model, study.targets, stop=False)) if section.outputs else None
        passes = Passes(feed, source, recorder, held, to_end)
        replayed = check_replay(passes, batches[-1], reader)
        set_limits(reader, batches)
        known = survey(feed, reader, batches, study, where, section.changes, section.delta, seed)
        _refuse_too_large(study, section, len(known.tokens))
        changes = Changes(study.candidates, feed.reading.device, known.bank)
        impossible = impossible_pairs(passes, study, changes, section.delta, batches[0], reader, earlier)
        directions = Directions.of(study, feed.model, section.delta, seed) if "step" in section.changes else None
        measure = Measure(passes, study, where, changes, section.changes, section.delta, outputs, directions, known)
        reporter.note(_plan_in_words(name, study, measure, texts, known.tokens))
        parts = _measured(measure, batches, reader, pieces, name, reporter)
    found = by_document(parts, known.tokens)
    made = artifact(study, stats, section, outputs.names, known.outside, measure.checked, found, seed)
    read = TextsRead(texts.name, texts.held_out, len(found.documents), int(found.tokens.sum()), stats.metrics.sample)
    metrics = _metrics(made, measure, section, read, replayed, impossible, seed)
    _warn(metrics, name, reporter)
    return replace(made, meta={"metrics": to_json(metrics)})


def _measured(
    measure: Measure, batches: Sequence[Any], reader: Reader, folder: Path, name: str, reporter: Reporter
) -> list[Arrays]:
    """The sums of every batch; batches that an interrupted run finished are not measured again.

    Raises :class:`ShareDone` where other processes measure batches too, and this one does not merge.
    """
    device = measure.passes.feed.reading.device.type
    pieces = Pieces(folder, *_PIECE, reporter, prefix=f"{device}-")  # batches are as large as it can take
    units = [
        PieceUnit(f"batch-{index:04d}", f"batch {index}", measure.total(), partial(measure.batch, batch, reader))
        for index, batch in enumerate(batches)
    ]
    pieces.make(units, f"intervene {name}", "passes")
    end_of_share()
    return [pieces.read(unit.file) for unit in units]


def _metrics(
    made: Interventions,
    measure: Measure,
    section: InterveneSection,
    texts: TextsRead,
    replayed: float,
    impossible: ImpossiblePairs,
    seed: int,
) -> InterventionMetrics:
    study = measure.study
    signs = sign_flips(texts.documents, seed)
    where = "" if measure.directions is None else measure.directions.point.name
    with np.errstate(invalid="ignore"):
        ratios = {f"{size:g}": _median(row) for size, row in zip(made.linear_steps.tolist(), made.linear_ratios)}
    return InterventionMetrics(
        kind=measure.passes.feed.reading.network.kind,
        source=study.source.label,
        targets=tuple(point.label for point in study.targets),
        mode=section.mode,
        delta=section.delta,
        at="all tokens" if section.at == "all" else ", ".join(map(repr, section.at)),
        texts=texts,
        sources=sum(source.alone for source in study.sources),
        groups=sum(not source.alone for source in study.sources),
        pairs=made.effects[0].size,
        fdr=section.fdr,
        min_effect=section.min_effect,
        test=f"sign flips of {texts.documents} documents"
        if len(signs)
        else f"Student's t over {texts.documents} documents",
        smallest_p=(2 if "step" in section.changes else 1) / len(signs) if len(signs) else 0.0,
        effects=effects_found(made, section.fdr),
        replay_difference=replayed,
        impossible=impossible,
        random=random_found(made, where, section.fdr),
        linearity=ratios,
        outside_sources={kind: float(row.mean()) for kind, row in zip(made.changes.tolist(), made.outside_sources)},
        outside_targets=float(made.outside_targets.mean()) if len(made.outside_targets) else None,
    )


def _median(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else 0.0


def _plan_in_words(name: str, study: Study, measure: Measure, texts: Texts, tokens: dict[int, int]) -> str:
    kind = (
        "not read by collect"
        if texts.held_out
        else "also read by collect"
        if texts.name == name
        else "of another corpus"
    )
    return (
        f"intervene {name}: {len(study.sources):,} sources at {study.source.label}, {len(study.rows):,} targets at "
        f"{', '.join(point.label for point in study.targets)}; {len(tokens):,} documents of {texts.name}, "
        f"{sum(tokens.values()):,} tokens ({kind}); {measure.total():,} changed passes over them"
    )


def _warn_of_strata(study: Study, section: InterveneSection, reporter: Reporter) -> None:
    if isinstance(section.sources, int) and "write_norm" in section.stratify and study.write_width is None:
        reporter.warn(
            f"'{study.source.label}' is not read by a linear module, so sources are not stratified by write_norm."
        )


def _refuse_too_large(study: Study, section: InterveneSection, documents: int) -> None:
    """Raise :class:`InputError` for more effects than memory holds: sums by document and by block, and six numbers for each pair."""
    pairs = len(section.changes) * len(study.sources) * len(study.rows)
    needed = pairs * (2 * 3 * 8 * documents + 2 * 12 * min(section.blocks, documents) + 80)
    free = available_memory()
    if needed > free:
        raise InputError(
            f"The effects of {len(study.sources):,} sources on {len(study.rows):,} targets over {documents:,} documents need about "
            f"{needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free.",
            "Take fewer intervene.sources, targets, changes or tokens.",
        )


def _warn(metrics: InterventionMetrics, name: str, reporter: Reporter) -> None:
    if metrics.texts.documents < 2:
        reporter.warn(f"{name}: one document gives no standard errors; raise intervene.tokens.")
    elif metrics.smallest_p > metrics.fdr:
        reporter.warn(
            f"{name}: {metrics.texts.documents} documents give no p-value below {metrics.smallest_p:.2g}, so nothing can be found; "
            "raise intervene.tokens."
        )
