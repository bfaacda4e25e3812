"""From numbers to pictures of every corpus and every comparison, each with the numbers it shows."""

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
    PrecisionPath,
)
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.config import Config, public_fields
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.ordered import ordered_graph, pin_ordered
from glasso_cli.pipeline.stage import Stage

if TYPE_CHECKING:
    from glasso_cli.report.explorer import View

EXPLORER = "explorer.html"


def targets(config: Config) -> list[str]:
    """Every corpus, and every comparison of two of them; joint fits have no figures."""
    return [*config.corpora, *(config.comparisons if config.compare.method == "differential" else ())]


def is_comparison(config: Config, name: str) -> bool:
    """Whether ``name`` is a comparison, which is drawn only where it was made."""
    return name not in config.corpora


def upstream(config: Config, name: str) -> list[tuple[str, str]]:
    """The statistics and the fit of a corpus, or the comparison with those of its two corpora."""
    if not is_comparison(config, name):
        return [("collect", name), ("fit", name)]
    corpora = config.comparisons[name]
    return [("compare", name), *((stage, corpus) for corpus in corpora for stage in ("collect", "fit"))]


def settings(config: Config, name: str) -> dict[str, Any]:
    """What of the configuration decides the pictures; the model's name stands in their titles."""
    read = {"visualize": public_fields(config.visualize), "model": config.model.name, "corpus": name}
    return {**read, "contexts": config.compare.contexts} if is_comparison(config, name) else read


def pins(config: Config, name: str) -> dict[str, Any]:
    """The digest of the ordered graph of a corpus, if it has one."""
    return {} if is_comparison(config, name) else pin_ordered(config, name)


def paths(config: Config, name: str) -> tuple[Path, tuple[Path, ...]]:
    """The manifest that names the figures beside it, and the explorer."""
    manifest = config.folder / "figures" / name / "figures.json"
    return manifest, (manifest.with_name(EXPLORER),) if config.visualize.explorer else ()


def make(job: Job) -> str:
    """Draw one corpus or comparison: figures, their numbers as CSV, the explorer, and a manifest."""
    folder = job.target.path.parent
    files, view = _comparison(job) if is_comparison(job.config, job.corpus) else _corpus(job)
    written: list[Path] = []
    for group in files:
        written += group
        job.console.detail(f"visualize {job.corpus}: {', '.join(path.name for path in group)}")
    if job.config.visualize.explorer:
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
    study = Study(
        stats=oriented(ActivationStats.load(job.upstream["collect"])),
        fit=oriented(PrecisionPath.load(job.upstream["fit"])),
        influence=None if influence is None else oriented(Influence.load(influence)),
        interventions=None if interventions is None else oriented(Interventions.load(interventions)),
        ordered=None if ordered is None else oriented(OrderedGraph.load(ordered)),
        audit=None if audit is None else Audit.load(audit),
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


def _model(config: Config) -> str:
    return config.model.name.removeprefix("builtin:")


def _explorer(job: Job, view: View) -> Path:
    from glasso_cli.report.explorer import write_explorer

    (page,) = job.target.companions
    return write_explorer(view, page, job.config.visualize.explorer_mb, job.console.note).path


STAGE = Stage(
    version=9,
    sections=("model", "visualize", "compare"),
    after=("collect", "fit", "compare"),
    uses=("influence", "intervene", "audit"),
    settings=settings,
    pins=pins,
    paths=paths,
    make=make,
    targets=targets,
    upstream=upstream,
    optional=is_comparison,
)
