"""From a graph across layers to its strongest paths; some of them are tried on the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import ActivationStats, Influence, OrderedGraph, Scores
from glasso_cli.artifacts.tables import write_table
from glasso_cli.config import Config, public_fields
from glasso_cli.corpora.arrays import pin_documents
from glasso_cli.corpora.documents import read_documents
from glasso_cli.errors import InputError
from glasso_cli.files import atomic_write
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.network import language_model, pin_model
from glasso_cli.pipeline.stage import Stage
from glasso_cli.report.words.pathways import one_line

if TYPE_CHECKING:
    from glasso_cli.scoring.pathways.mediation import Effect


def targets(config: Config) -> list[str]:
    """Every corpus that has the graph: those of texts alone, where it is the influence in closed form."""
    every = config.pathways.graph == "association" or config.influence.paths == "all"
    return [name for name, corpus in config.corpora.items() if every or corpus.has_texts]


def upstream(config: Config, corpus: str) -> list[tuple[str, str]]:
    """The statistics and the graph, the scores where paths end in the scalar, and the texts where ``synth`` writes them."""
    graph = "influence" if config.pathways.graph == "influence" else "fit"
    scores = [("score", corpus)] if config.pathways.to == "scalar" else []
    texts = [("synth", corpus)] if config.corpora[corpus].topic is not None else []
    return [("collect", corpus), (graph, corpus), *scores, *texts]


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the paths, beside the statistics and the influence.

    The graph of associations lies beside the fit, whose contents say nothing of it.
    """
    found = {"pathways": public_fields(config.pathways)}
    return found | ({"fit": public_fields(config.fit)} if config.pathways.graph == "association" else {})


def pins(config: Config, corpus: str) -> dict[str, Any]:
    """Digests of the model and the texts, where paths are tried on the network."""
    if not config.pathways.mediate:
        return {}
    return {
        "model": pin_model(config.model),
        "corpus": pin_documents(corpus, config.corpora[corpus]),
    }


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the paths, their table, the table of neurons and the pruned view go."""
    folder = config.folder / "pathways"
    names = (f"{corpus}.paths.csv", f"{corpus}.neurons.csv", f"{corpus}.dot")
    return folder / f"{corpus}.npz", tuple(folder / name for name in names)


def make(job: Job) -> str:
    """Find the paths of one corpus and write them, both tables and the pruned view."""
    from glasso_cli.scoring.pathways.dot import dot_of_view
    from glasso_cli.scoring.pathways.graph import LayeredGraph
    from glasso_cli.scoring.pathways.run import pathways
    from glasso_cli.scoring.pathways.units import units_of

    section = job.config.pathways
    _refuse_what_cannot_be(job)
    edges = Influence.load(job.upstream["influence"]) if section.graph == "influence" else _ordered(job)
    graph = LayeredGraph.of(edges)

    def trial(wanted: Sequence[tuple[int, int, int]]) -> list[Effect]:
        return _tried(job, graph.neuron_ids, wanted)

    units = units_of(edges, ActivationStats.load(job.upstream["collect"]), job.config.collect.transform)
    scores = Scores.load(job.upstream["score"]) if section.to == "scalar" else None
    std = edges.std if isinstance(edges, Influence) else None
    tried = trial if section.mediate else None
    made = pathways(graph, edges.orientation, section, job.corpus, tried, units, scores, std)
    made = replace(made, meta=job.meta(made.meta["metrics"]))
    table, neurons, dot = job.target.companions
    write_table(table, made.path_columns())
    write_table(neurons, made.neuron_columns())
    with atomic_write(dot, "w") as file:
        file.writelines(dot_of_view(made))
    job.save(made)
    return one_line(made.metrics)


def _refuse_what_cannot_be(job: Job) -> None:
    """Raise :class:`InputError` for trials on a network that reads no texts, and for a scalar in units of transformed neurons."""
    section, collect = job.config.pathways, job.config.collect
    if section.mediate and not job.config.corpora[job.corpus].has_texts:
        raise InputError(
            "pathways.mediate tries paths on language models, and this network reads no texts.",
            "Set pathways.mediate: 0; the paths themselves need no trial.",
        )
    if section.to == "scalar" and section.graph == "association" and collect.transform != "none":
        raise InputError(
            f"The edges are between neurons of collect.transform: {collect.transform}, and slopes of the scalar are per standard deviation "
            "of their values.",
            "Set collect.transform: none, or pathways.graph: influence.",
        )


def _ordered(job: Job) -> OrderedGraph:
    path = job.upstream["fit"].with_suffix(".ordered.npz")
    if job.config.fit.order == "none":
        raise InputError(
            "pathways.graph: association needs regressions on earlier layers, and fit.order is not set.",
            "Set fit.order: layers, or pathways.graph: influence.",
        )
    return OrderedGraph.load(path)


def _tried(job: Job, ids: np.ndarray, wanted: Sequence[tuple[int, int, int]]) -> list[Effect]:
    """The effects of paths of source, middle and target, indices into ``ids``, on the first documents of the corpus."""
    from glasso_cli.corpora.windows import tokenize
    from glasso_cli.hooks import resolve_hook_points
    from glasso_cli.hooks.parts import part_read, patterns_in_part
    from glasso_cli.intervention.feed import text_feed
    from glasso_cli.intervention.passes import POSITIONS
    from glasso_cli.intervention.survey import set_limits
    from glasso_cli.models.forward import longest_window
    from glasso_cli.scoring.pathways.mediation import Place, mediated

    config, section = job.config, job.config.pathways
    collect, stats = config.collect, ActivationStats.load(job.upstream["collect"])
    std = dict(zip(stats.neuron_ids.tolist(), stats.std.tolist()))
    loaded = language_model(job, part_read(collect))
    points = resolve_hook_points(loaded.model, patterns_in_part(loaded.kind, collect.hook_points))
    place_of = {name: (point, neuron) for point in points for neuron, name in enumerate(point.neuron_ids)}
    limit = longest_window(loaded.model)
    length = collect.max_length if limit is None else min(limit, collect.max_length)
    texts = read_documents(job.corpus, config.corpora[job.corpus], job.upstream.get("synth"))
    corpus = tokenize(texts, loaded.tokenizer, max_length=length, max_tokens=section.tokens, start=loaded.start)
    with text_feed(loaded, points, corpus, collect, job.console) as feed:
        budget = max(1, POSITIONS[feed.reading.device.type] // 4)
        batches = list(feed.reading.batches(feed.reading.windows, budget))
        reader = feed.reading.reader()
        set_limits(reader, batches)
        places = [
            tuple(Place(*place_of[str(ids[neuron])], std[str(ids[neuron])]) for neuron in path) for path in wanted
        ]
        total = len(places) * len(batches)
        with job.console.progress(f"pathways {job.corpus}: trials", total, "passes") as advance:
            three = [(source, middle, target) for source, middle, target in places]
            return mediated(feed, reader, batches, three, section.step, advance)


STAGE = Stage(
    version=4,
    sections=("model", "corpora", "collect", "fit", "influence", "score", "pathways"),
    after=("collect", "influence"),
    settings=settings,
    pins=pins,
    paths=paths,
    make=make,
    targets=targets,
    no_targets=(
        "No corpus has texts, and edges in closed form (influence.paths: closed) are of language models alone.",
        "Set influence.paths: all; or pathways.graph: association, with fit.order: layers.",
    ),
    upstream=upstream,
    unasked=lambda config: "pathways" in config.model_fields_set,
)
