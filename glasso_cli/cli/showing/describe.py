"""The summary that ``glasso show`` prints: what a file is, and its main numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from glasso_cli.artifacts import (
    Audit,
    Comparison,
    Influence,
    Interventions,
    OrderedGraph,
    Pathways,
    PrecisionPath,
    Scores,
    Structure,
)
from glasso_cli.artifacts.manifest import stored_meta
from glasso_cli.artifacts.metrics import (
    AuditMetrics,
    ComparisonMetrics,
    FitMetrics,
    InfluenceMetrics,
    InterventionMetrics,
    OrderedMetrics,
    PathwayMetrics,
    ScoreMetrics,
    StructureMetrics,
    metrics_of,
)
from glasso_cli.artifacts.metrics.collect import OF_SAMPLES
from glasso_cli.console import strict_json, visible
from glasso_cli.errors import GIVE_AN_ARTIFACT, ForeignFileError, InputError
from glasso_cli.graph.dot import MARK
from glasso_cli.report.words.audit import audit_summary
from glasso_cli.report.words.comparison import comparison_summary
from glasso_cli.report.words.fit import fit_summary
from glasso_cli.report.words.influence import influence_summary
from glasso_cli.report.words.influence import neuron_summary as influence_of_neuron
from glasso_cli.report.words.interventions import interventions_summary
from glasso_cli.report.words.interventions import neuron_summary as effects_of_neuron
from glasso_cli.report.words.ordered import ordered_summary
from glasso_cli.report.words.pathways import pathways_summary
from glasso_cli.report.words.scores import scores_summary
from glasso_cli.report.words.structure import structure_summary


def describe(path: Path, *, as_json: bool) -> str:
    """Return the summary of an artifact as text, or all its metadata as JSON."""
    meta = dot_meta(path) if path.suffix == ".dot" else stored_meta(path)
    if as_json:
        return strict_json(meta, indent=1)
    try:
        return _in_words(path, meta)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"{path} has metadata that do not fit its kind, '{meta['kind']}'.",
            "Run its stage again, or look at all of it with --json.",
        ) from error


def describe_neuron(path: Path, name: str) -> str:
    """What influence or interventions say of one neuron or group: the strongest effects that it has, and that others have on it.

    Raises :class:`InputError` for another kind of artifact, and for a name that is not in it.
    """
    kind = stored_meta(path)["kind"]
    if kind == Influence.kind:
        lines = influence_of_neuron(Influence.load(path), name)
    elif kind == Interventions.kind:
        lines = effects_of_neuron(Interventions.load(path), name)
    else:
        raise InputError(
            f"{path} holds '{kind}', which does not say what one neuron does to another.",
            "Give an .npz of influence or intervene with --neuron.",
        )
    rows = [_row(name, text, width=24) for name, text in lines]
    return "\n".join(visible(row) for row in [str(path), *rows])


def _in_words(path: Path, meta: dict[str, Any]) -> str:
    rows = [str(path), _row("kind", meta["kind"]), _row("key", meta.get("key", "")[:16])]
    rows += [_row(name, meta[name]) for name in ("experiment", "corpus", "title", "signs") if meta.get(name)]
    rows += [_row(name, _number(meta[name])) for name in ("neurons", "edges") if name in meta]
    if lines := _summary(meta):
        rows += [_row(name, text) for name, text in [*lines, ("more", "--json prints every number")]]
    else:
        rows += _metrics(_called(meta.get("metrics", {})))
    if meta.get("below"):
        rows.append(_row("target missed", meta["below"]))
    versions = ", ".join(f"{name} {version}" for name, version in meta.get("versions", {}).items())
    if versions:
        rows.append(_row("made with", versions))
    return "\n".join(visible(row.replace("\n", " ")) for row in rows)


_Lines = list[tuple[str, str]]
_SUMMARIES: dict[str, Callable[[dict[str, Any]], _Lines]] = {
    PrecisionPath.kind: lambda meta: fit_summary(metrics_of(FitMetrics, meta), meta["material"]["config"]["fit"]),
    OrderedGraph.kind: lambda meta: ordered_summary(
        metrics_of(OrderedMetrics, meta), meta["material"]["config"]["fit"]
    ),
    Comparison.kind: lambda meta: comparison_summary(metrics_of(ComparisonMetrics, meta)),
    Interventions.kind: lambda meta: interventions_summary(metrics_of(InterventionMetrics, meta)),
    Influence.kind: lambda meta: influence_summary(metrics_of(InfluenceMetrics, meta)),
    Scores.kind: lambda meta: scores_summary(metrics_of(ScoreMetrics, meta)),
    Audit.kind: lambda meta: audit_summary(metrics_of(AuditMetrics, meta)),
    Pathways.kind: lambda meta: pathways_summary(metrics_of(PathwayMetrics, meta)),
    Structure.kind: lambda meta: structure_summary(metrics_of(StructureMetrics, meta)),
}


def _summary(meta: dict[str, Any]) -> _Lines:
    """Name and text of every line about an artifact of edges or effects; empty for any other kind."""
    summary = _SUMMARIES.get(meta["kind"])
    return [] if summary is None else summary(meta)


def _called(metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics of a network that reads no texts, whose ``tokens`` are samples."""
    if metrics.get("model", {}).get("kind") not in OF_SAMPLES:
        return metrics
    names = {"tokens": "samples", "n_tokens": "n_samples"}
    return {
        names.get(name, name): {names.get(part, part): item for part, item in value.items()}
        if isinstance(value, dict)
        else value
        for name, value in metrics.items()
    }


def _row(name: str, text: str, depth: int = 1, width: int = 16) -> str:
    return f"{'  ' * depth + name:<{width}}  {text}"


def _metrics(metrics: dict[str, Any], depth: int = 1) -> list[str]:
    rows = []
    for name, value in metrics.items():
        if isinstance(value, dict) and value:
            rows += ["  " * depth + name, *_metrics(value, depth + 1)]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            rows += ["  " * depth + name, *("  " * (depth + 1) + _inline(item) for item in value)]
        else:
            rows.append(_row(name, _number(value), depth))
    return rows


def _inline(item: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in item.items())


def _number(value: Any) -> str:
    if value is None or value in ({}, []):
        return "none"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.5g}"


def dot_meta(path: Path) -> dict[str, Any]:
    """Return the metadata in the first line of a ``.dot`` file.

    Raises :class:`InputError` if the file cannot be read or glasso did not write it.
    """
    try:
        with open(path, encoding="utf-8") as file:
            first = file.readline()
    except FileNotFoundError:
        raise InputError(f"There is no file {path}.", "Check the path.") from None
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path} cannot be read as text.", GIVE_AN_ARTIFACT) from None
    try:
        meta = json.loads(first.removeprefix(MARK)) if first.startswith(MARK) else None
    except ValueError:
        meta = None
    if not isinstance(meta, dict):
        raise ForeignFileError(
            f"{path} is not an artifact of glasso: its first line has no metadata.",
            GIVE_AN_ARTIFACT,
        )
    return {"kind": "graph", **meta}
