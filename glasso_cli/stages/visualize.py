"""From numbers to pictures of every corpus, every comparison and all scores, each with the numbers it shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.config import Config, public_fields
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.stage import Stage
from glasso_cli.report import subjects

if TYPE_CHECKING:
    from glasso_cli.report.drawing import Files

_SCORE = ".score"
_OF_THE_PAGE = ("explorer", "explorer_mb")  # what figures do not depend on


def targets(config: Config) -> list[str]:
    """Every corpus, every comparison of two of them, and the scores of every corpus; joint fits have no figures."""
    scored = [f"{corpus}{_SCORE}" for corpus in config.corpora] if "score" in config.model_fields_set else []
    return [*subjects.graphs(config), *scored]


def is_score(config: Config, name: str) -> bool:
    """Whether ``name`` is that of the scores of a corpus."""
    return name not in subjects.graphs(config)


def is_optional(config: Config, name: str) -> bool:
    """Whether ``name`` is drawn only where it was made."""
    return is_score(config, name) or subjects.is_optional(config, name)


def upstream(config: Config, name: str) -> list[tuple[str, str]]:
    """The artifacts of a graph, or the scores of a corpus."""
    return [("score", name.removesuffix(_SCORE))] if is_score(config, name) else subjects.upstream(config, name)


def settings(config: Config, name: str) -> dict[str, Any]:
    """What of the configuration decides the pictures; the model's name stands in their titles."""
    drawn = {key: value for key, value in public_fields(config.visualize).items() if key not in _OF_THE_PAGE}
    read = {"visualize": drawn, "model": config.model.name, "corpus": name}
    return {**read, "contexts": config.compare.contexts} if name in config.comparisons else read


def pins(config: Config, name: str) -> dict[str, Any]:
    """The digest of the ordered graph of a corpus, if it has one."""
    return {} if is_score(config, name) else subjects.pins(config, name)


def paths(config: Config, name: str) -> tuple[Path, tuple[Path, ...]]:
    """The manifest that names the figures beside it."""
    return subjects.folder_of(config, name) / "figures.json", ()


def make(job: Job) -> str:
    """Draw one corpus, comparison or scores: figures, their numbers as CSV, and a manifest."""
    from glasso_cli.report.drawing import draw_all, workers
    from glasso_cli.report.plots.figures.network import graphviz_note

    folder = job.target.path.parent
    if job.corpus in job.config.corpora and (note := graphviz_note()):
        job.console.warn(note)
    written = draw_all(_files(job), folder, job.shared.entered_once("processes that draw", workers), job.console)
    metrics = {"figures": len({path.stem for path in written}), "files": len(written)}
    job.save_manifest(job.meta(metrics, kind="figures", schema=3), written)
    return f"{metrics['figures']} figures and tables in {folder}"


def _files(job: Job) -> Files:
    from glasso_cli.report.subject_files import ScoreFiles, graph_files

    if not is_score(job.config, job.corpus):
        return graph_files(job.config, job.corpus, job.upstream)
    corpus = job.corpus.removesuffix(_SCORE)
    title = f"{subjects.model_title(job.config)} · {corpus}"
    return ScoreFiles(job.upstream[f"score/{corpus}"], job.config.visualize, title)


STAGE = Stage(
    version=10,
    sections=("model", "visualize", "compare"),
    after=("collect", "fit", "score", "compare"),
    uses=subjects.BESIDE,
    settings=settings,
    pins=pins,
    paths=paths,
    make=make,
    targets=targets,
    upstream=upstream,
    along=("explorer",),
    optional=is_optional,
)
