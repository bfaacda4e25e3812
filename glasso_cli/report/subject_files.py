"""The artifacts of what is drawn, as files that any process can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from glasso_cli.artifacts import (
    ActivationStats,
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
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.config import Config, VisualizeSection
from glasso_cli.pipeline.ordered import ordered_graph
from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.scored import Scored
from glasso_cli.report.plots.study import Study
from glasso_cli.report.subjects import ACROSS, corpus_of, graphs, is_across, model_title


def _stats(path: Path) -> ActivationStats:
    """The oriented statistics of a corpus; those that were read last are kept, with the names that were made from them."""
    state = path.stat()
    return _stats_in(path, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=4)
def _stats_in(path: Path, modified: int, node: int) -> ActivationStats:
    return oriented(ActivationStats.load(path))


@dataclass(frozen=True)
class LayersFiles:
    """The artifacts of one corpus by the stages that made them, and its ordered graph, for what was found across layers."""

    artifacts: tuple[tuple[str, Path], ...]
    ordered: Path | None
    section: VisualizeSection
    title: str

    def read(self) -> LayersStudy:
        """The study; raises :class:`InputError` for a file that is damaged."""
        return LayersStudy(**self._layers())

    def _layers(self) -> dict[str, Any]:
        """The fields of a :class:`LayersStudy`."""
        paths = dict(self.artifacts)
        fit, influence, interventions, audit, pathways = (paths.get(stage) for stage in ACROSS)
        return {
            "stats": _stats(paths["collect"]),
            "section": self.section,
            "title": self.title,
            "fit": None if fit is None else oriented(PrecisionPath.load(fit)),
            "influence": None if influence is None else oriented(Influence.load(influence)),
            "interventions": None if interventions is None else oriented(Interventions.load(interventions)),
            "ordered": None if self.ordered is None else oriented(OrderedGraph.load(self.ordered)),
            "audit": None if audit is None else Audit.load(audit),
            "pathways": None if pathways is None else Pathways.load(pathways),
        }


@dataclass(frozen=True)
class StudyFiles(LayersFiles):
    """The same for the graph of a corpus, with all that its page shows."""

    def read(self) -> Study:
        """The study; raises :class:`InputError` for a file that is damaged."""
        paths = dict(self.artifacts)
        structure, scores = paths.get("structure"), paths.get("score")
        return Study(
            **self._layers(),
            structure=None if structure is None else Structure.load(structure),
            scores=None if scores is None else Scores.load(scores),
            dot=paths["fit"].with_suffix(".dot"),
        )


@dataclass(frozen=True)
class ContrastFiles:
    """The artifacts of a comparison of two corpora."""

    comparison: Path
    stats: tuple[Path, Path]
    fits: tuple[Path, Path]
    section: VisualizeSection
    title: str
    most: int  # neurons shown with their contexts in a picture

    def read(self) -> Contrast:
        """The comparison with the statistics of both corpora; raises :class:`InputError` for a file that is damaged."""
        first, second = map(_stats, self.stats)
        return Contrast(oriented(Comparison.load(self.comparison)), first, second, self.section, self.title, self.most)

    def read_fits(self) -> tuple[PrecisionPath, PrecisionPath]:
        """The fits of both corpora."""
        first, second = (oriented(PrecisionPath.load(path)) for path in self.fits)
        return first, second


@dataclass(frozen=True)
class ScoreFiles:
    """The scores of one corpus."""

    scores: Path
    section: VisualizeSection
    title: str

    def read(self) -> Scored:
        """The scores; raises :class:`InputError` for a file that is damaged."""
        return Scored(Scores.load(self.scores), self.section, self.title)


Files = LayersFiles | ContrastFiles | ScoreFiles


def files_of(config: Config, name: str, paths: Mapping[str, Path]) -> Files:
    """The files of what is drawn as ``name``; ``paths`` has the artifacts that it is made from, by their labels in a job."""
    if name in graphs(config):
        return graph_files(config, name, paths)
    corpus = corpus_of(config, name)
    title = f"{model_title(config)} · {corpus}"
    if not is_across(config, name):
        return ScoreFiles(paths[f"score/{corpus}"], config.visualize, title)
    artifacts = tuple((label.partition("/")[0], path) for label, path in paths.items())
    ordered = ordered_graph(config, corpus) if "fit" in dict(artifacts) else None
    return LayersFiles(artifacts, ordered, config.visualize, title)


def graph_files(config: Config, name: str, paths: Mapping[str, Path]) -> StudyFiles | ContrastFiles:
    """The files of a corpus or a comparison; ``paths`` has the artifacts that it is made from, by their labels in a job."""
    if name in config.corpora:
        title = f"{model_title(config)} · {name}"
        return StudyFiles(tuple(paths.items()), ordered_graph(config, name), config.visualize, title)
    a, b = config.comparisons[name]
    return ContrastFiles(
        paths["compare"],
        (paths[f"collect/{a}"], paths[f"collect/{b}"]),
        (paths[f"fit/{a}"], paths[f"fit/{b}"]),
        config.visualize,
        f"{model_title(config)} · {a} (A) against {b} (B)",
        config.compare.contexts,
    )
