"""From numbers to an interactive page of every corpus and every comparison, before any figure is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glasso_cli.config import Config
from glasso_cli.pipeline.job import Job
from glasso_cli.pipeline.stage import Stage
from glasso_cli.report import subjects

PAGE = "explorer.html"


def settings(config: Config, name: str) -> dict[str, Any]:
    """What of the configuration decides a page; the model's name stands in its title."""
    section = config.visualize
    page = {"explorer": section.explorer, "explorer_mb": section.explorer_mb}
    return {"visualize": page, "model": config.model.name, "corpus": name}


def paths(config: Config, name: str) -> tuple[Path, tuple[Path, ...]]:
    """The manifest of the page, and the page if there is to be one."""
    folder = subjects.folder_of(config, name)
    return folder / "explorer.json", (folder / PAGE,) if config.visualize.explorer else ()


def make(job: Job) -> str:
    """Write the page of one corpus or comparison, or delete it where none is wanted, and write its manifest."""
    if not job.target.companions:
        job.target.path.with_name(PAGE).unlink(missing_ok=True)
        job.save_manifest(job.meta({"bytes": 0}, kind="explorer", schema=1), [])
        return "none is wanted (visualize.explorer)"
    size, words = _write(job)
    job.save_manifest(job.meta({"bytes": size}, kind="explorer", schema=1), job.target.companions)
    return f"open {job.target.companions[0].resolve()} in a browser ({words})"


def _write(job: Job) -> tuple[int, str]:
    """The size of the page, also in words, after writing it."""
    from glasso_cli.report.explorer import write_explorer
    from glasso_cli.report.explorer.from_artifacts import compared_view, view_of
    from glasso_cli.report.subject_files import StudyFiles, graph_files

    files = graph_files(job.config, job.corpus, job.upstream)
    view = view_of(files.read()) if isinstance(files, StudyFiles) else compared_view(files.read(), files.read_fits())
    written = write_explorer(view, job.target.companions[0], job.config.visualize.explorer_mb)
    return written.bytes, written.in_words


STAGE = Stage(
    version=1,
    sections=("model", "visualize", "compare"),
    after=("collect", "fit", "compare"),
    uses=subjects.BESIDE,
    settings=settings,
    pins=subjects.pins,
    paths=paths,
    make=make,
    targets=subjects.graphs,
    upstream=subjects.upstream,
    early=True,
    optional=subjects.is_optional,
)
