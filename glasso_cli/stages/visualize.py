"""From numbers to pictures of every corpus, every comparison and all scores, each with the numbers it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from glasso_cli.config import Config, public_fields
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.ordered import ordered_graph, pin_ordered
from glasso_cli.pipeline.stage import Stage

if TYPE_CHECKING:
    from glasso_cli.report.explorer import View

EXPLORER = "explorer.html"


_SCORE = ".score"


def targets(config: Config) -> list[str]:
    """Every corpus, every comparison of two of them, and the scores of every corpus; joint fits have no figures."""
    compared = config.comparisons if config.compare.method == "differential" else ()
    scored = [f"{corpus}{_SCORE}" for corpus in config.corpora] if _has_scores(config) else []
    return [*config.corpora, *compared, *scored]


def _has_scores(config: Config) -> bool:
    return "score" in config.model_fields_set


def is_comparison(config: Config, name: str) -> bool:
    """Whether ``name`` is a comparison."""
    return name not in config.corpora and not is_score(config, name)


def is_score(config: Config, name: str) -> bool:
    """Whether ``name`` is that of the scores of a corpus."""
    return _has_scores(config) and name.endswith(_SCORE) and name.removesuffix(_SCORE) in config.corpora


def is_optional(config: Config, name: str) -> bool:
    """Whether ``name`` is drawn only where it was made: comparisons, scores, and beside scores the graphs of corpora, too."""
    return name not in config.corpora or _has_scores(config)


def upstream(config: Config, name: str) -> list[tuple[str, str]]:
    """The statistics and the fit of a corpus, or the comparison with those of its two corpora."""
    if not is_comparison(config, name):
        if is_score(config, name):
            return [("score", name.removesuffix(_SCORE))]
        return [("collect", name), ("fit", name)]
    corpora = config.comparisons[name]
    return [("compare", name), *((stage, corpus) for corpus in corpora for stage in ("collect", "fit"))]


def settings(config: Config, name: str) -> dict[str, Any]:
    """What of the configuration decides the pictures; the model's name stands in their titles."""
    read = {"visualize": public_fields(config.visualize), "model": config.model.name, "corpus": name}
    return {**read, "contexts": config.compare.contexts} if is_comparison(config, name) else read


def pins(config: Config, name: str) -> dict[str, Any]:
    """The digest of the ordered graph of a corpus, if it has one."""
    return pin_ordered(config, name) if name in config.corpora else {}


def paths(config: Config, name: str) -> tuple[Path, tuple[Path, ...]]:
    """The manifest that names the figures beside it, and the explorer."""
    manifest = config.folder / "figures" / name / "figures.json"
    explorer = config.visualize.explorer and not is_score(config, name)
    return manifest, (manifest.with_name(EXPLORER),) if explorer else ()


def make(job: Job) -> str:
    """Draw one corpus or comparison: figures, their numbers as CSV, the explorer, and a manifest."""
    folder = job.target.path.parent
    if is_score(job.config, job.corpus):
        files, view = _scores(job), None
    else:
        files, view = _comparison(job) if is_comparison(job.config, job.corpus) else _corpus(job)
    written: list[Path] = []
    for group in files:
        written += group
        job.console.detail(f"visualize {job.corpus}: {', '.join(path.name for path in group)}")
    if view is not None and job.config.visualize.explorer:
        written.append(_explorer(job, view()))
    else:
        (folder / EXPLORER).unlink(missing_ok=True)
    metrics = {"figures": len({path.stem for path in written} - {"explorer"}), "files": len(written)}
    job.save_manifest(job.meta(metrics, kind="figures", schema=2), written)
    return f"{metrics['figures']} figures and tables in {folder}"


def _corpus(job: Job) -> tuple[Iterable[list[Path]], Callable[[], View]]:
    from glasso_cli.report.explorer.from_artifacts import view_of
    from glasso_cli.report.plots import draw
    from glasso_cli.report.plots.figures.network import graphviz_note
    from glasso_cli.report.plots.study import Study

    ordered = ordered_graph(job.config, job.corpus)
    influence, interventions, audit = (job.upstream.get(stage) for stage in ("influence", "intervene", "audit"))
    structure, scores, pathways = (job.upstream.get(stage) for stage in ("structure", "score", "pathways"))
    study = Study(
        stats=oriented(ActivationStats.load(job.upstream["collect"])),
        fit=oriented(PrecisionPath.load(job.upstream["fit"])),
        influence=None if influence is None else oriented(Influence.load(influence)),
        interventions=None if interventions is None else oriented(Interventions.load(interventions)),
        ordered=None if ordered is None else oriented(OrderedGraph.load(ordered)),
        audit=None if audit is None else Audit.load(audit),
        structure=None if structure is None else Structure.load(structure),
        scores=None if scores is None else Scores.load(scores),
        pathways=None if pathways is None else Pathways.load(pathways),
        dot=job.upstream["fit"].with_suffix(".dot"),
        section=job.config.visualize,
        title=f"{_model(job.config)} · {job.corpus}",
    )
    if note := graphviz_note():
        job.console.warn(note)
    return draw(study, job.target.path.parent), lambda: view_of(study)


def _comparison(job: Job) -> tuple[Iterable[list[Path]], Callable[[], View]]:
    from glasso_cli.report.explorer.from_artifacts import compared_view
    from glasso_cli.report.plots import draw_comparison
    from glasso_cli.report.plots.contrast import Contrast

    config = job.config
    names = config.comparisons[job.corpus]
    first, second = (oriented(ActivationStats.load(job.upstream[f"collect/{name}"])) for name in names)
    one, other = (oriented(PrecisionPath.load(job.upstream[f"fit/{name}"])) for name in names)
    title = f"{_model(config)} · {names[0]} (A) against {names[1]} (B)"
    contrast = Contrast(oriented(Comparison.load(job.upstream["compare"])), first, second, config.visualize, title)
    files = draw_comparison(contrast, job.target.path.parent, config.compare.contexts)
    return files, lambda: compared_view(contrast, (one, other))


def _scores(job: Job) -> Iterable[list[Path]]:
    from glasso_cli.report.plots import draw_scores
    from glasso_cli.report.plots.scored import Scored

    corpus = job.corpus.removesuffix(_SCORE)
    scores = Scores.load(job.upstream[f"score/{corpus}"])
    return draw_scores(Scored(scores, job.config.visualize, f"{_model(job.config)} · {corpus}"), job.target.path.parent)


def _model(config: Config) -> str:
    return config.model.name.removeprefix("builtin:")


def _explorer(job: Job, view: View) -> Path:
    from glasso_cli.report.explorer import write_explorer

    (page,) = job.target.companions
    return write_explorer(view, page, job.config.visualize.explorer_mb, job.console.note).path


STAGE = Stage(
    version=9,
    sections=("model", "visualize", "compare"),
    after=("collect", "fit", "score", "compare"),
    uses=("influence", "intervene", "audit", "structure", "score", "pathways"),
    settings=settings,
    pins=pins,
    paths=paths,
    make=make,
    targets=targets,
    upstream=upstream,
    optional=is_optional,
)
