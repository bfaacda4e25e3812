"""From the matrix to pictures, each with the numbers it shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.artifacts.manifest import write_manifest
from glasso_cli.config import Config, public_fields
from glasso_cli.files import sha256_of
from glasso_cli.pipeline.job import Job

if TYPE_CHECKING:
    from glasso_cli.report.plots.study import Study

VERSION = 2
EXPLORER = "explorer.html"


def settings(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides the pictures; the model's name stands in their titles."""
    return {"visualize": public_fields(config.visualize), "model": Path(config.model.id).name, "corpus": corpus}


def pins(config: Config, corpus: str) -> dict[str, Any]:
    """Nothing from outside."""
    return {}


def paths(config: Config, corpus: str) -> tuple[Path, tuple[Path, ...]]:
    """The manifest that names the figures beside it, and the explorer."""
    manifest = config.folder / "figures" / corpus / "figures.json"
    return manifest, (manifest.with_name(EXPLORER),) if config.visualize.explorer else ()


def make(job: Job) -> str:
    """Draw one corpus: figures, their numbers as CSV, and a manifest."""
    from glasso_cli.report.plots import draw
    from glasso_cli.report.plots.figures.network import graphviz_note
    from glasso_cli.report.plots.study import Study

    folder = job.target.path.parent
    study = Study(
        stats=ActivationStats.load(job.upstream["collect"]),
        path=PrecisionPath.load(job.upstream["fit"]),
        dot=job.upstream["fit"].with_suffix(".dot"),
        section=job.config.visualize,
        title=f"{Path(job.config.model.id).name.removeprefix('builtin:')} · {job.corpus}",
    )
    if note := graphviz_note():
        job.console.warn(note)
    written: list[Path] = []
    for files in draw(study, folder):
        written += files
        job.console.detail(f"visualize {job.corpus}: {', '.join(path.name for path in files)}")
    if job.config.visualize.explorer:
        written.append(_explorer(job, study))
    else:
        (folder / EXPLORER).unlink(missing_ok=True)
    digests = {path.name: sha256_of(path) for path in written}
    metrics = {"figures": len({path.stem for path in written} - {"explorer"}), "files": len(written)}
    manifest = job.meta(metrics, kind="figures", schema=1, files=sorted({*digests} - {EXPLORER}), content=digests)
    write_manifest(job.target.path, manifest)
    return f"{metrics['figures']} figures and tables in {folder}"


def _explorer(job: Job, study: Study) -> Path:
    from glasso_cli.report.explorer import write_explorer
    from glasso_cli.report.explorer.from_artifacts import view_of

    (page,) = job.target.companions
    return write_explorer(view_of(study), page, job.config.visualize.explorer_mb, job.console.note).path
