"""From numbers to pictures: of graphs, of what was found across layers, of comparisons and of scores, each with its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glasso_cli.config import Config, public_fields
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.stage import Stage
from glasso_cli.report import subjects

_OF_THE_PAGE = ("explorer", "explorer_mb")  # what figures do not depend on


def settings(config: Config, name: str) -> dict[str, Any]:
    """What of the configuration decides the pictures; the model's name stands in their titles."""
    drawn = {key: value for key, value in public_fields(config.visualize).items() if key not in _OF_THE_PAGE}
    read = {"visualize": drawn, "model": config.model.name, "corpus": name}
    return {**read, "contexts": config.compare.contexts} if name in config.comparisons else read


def paths(config: Config, name: str) -> tuple[Path, tuple[Path, ...]]:
    """The manifest that names the figures beside it."""
    return subjects.folder_of(config, name) / "figures.json", ()


def make(job: Job) -> str:
    """Draw one graph, comparison, scores, or what was found across layers: figures, their numbers as CSV, and a manifest."""
    from glasso_cli.report.drawing import draw_all, workers
    from glasso_cli.report.plots.figures.network import graphviz_note
    from glasso_cli.report.subject_files import files_of

    folder = job.target.path.parent
    if job.corpus in job.config.corpora and (note := graphviz_note()):
        job.console.warn(note)
    files = files_of(job.config, job.corpus, job.upstream)
    written = draw_all(files, folder, job.shared.entered_once("processes that draw", workers), job.console)
    metrics = {"figures": len({path.stem for path in written}), "files": len(written)}
    job.save_manifest(job.meta(metrics, kind="figures", schema=3), written)
    return f"{metrics['figures']} figures and tables in {folder}"


STAGE = Stage(
    version=11,
    sections=("model", "visualize", "compare"),
    after=("collect", "fit", "score", "compare"),
    uses=("structure", *subjects.ACROSS),
    settings=settings,
    pins=subjects.pins,
    paths=paths,
    make=make,
    targets=subjects.drawn,
    upstream=subjects.upstream,
    used=subjects.used,
    one_of=subjects.one_of,
    along=("explorer",),
    optional=subjects.is_optional,
)
