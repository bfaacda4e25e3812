"""From fitted corpora to the dependencies that differ: every pair of corpora tested, or all fitted at once."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.artifacts.tables import write_table
from glasso_cli.config import Config, public_fields
from glasso_cli.files import atomic_write
from glasso_cli.pipeline.job import Job
from glasso_cli.report.words.comparison import one_line
from glasso_cli.report.words.labels import fewer_tokens_than_neurons

if TYPE_CHECKING:
    import numpy as np

    from glasso_cli.compare.estimated import Common, Compared, Corpus
    from glasso_cli.compare.pairwise import Permute
    from glasso_cli.compare.permutation import Permuted

VERSION = 2
EXPLORER = "explorer.html"
_DRAWN = ("formats", "dpi", "explorer", "explorer_mb")
NO_TARGETS = ("There is one corpus, and nothing to compare it with.", "Give another under corpora.")


def compared_corpora(config: Config) -> dict[str, tuple[str, ...]]:
    """The names of all comparisons, and the corpora of each: every pair of them, or all at once where they are fitted so."""
    names = tuple(config.corpora)
    if len(names) < 2:
        return {}
    groups = itertools.combinations(names, 2) if config.compare.method == "differential" else [names]
    return {"-vs-".join(group): tuple(group) for group in groups}


def targets(config: Config) -> list[str]:
    """One comparison for every pair of corpora, or one of all."""
    return list(compared_corpora(config))


def upstream(config: Config, name: str) -> list[tuple[str, str]]:
    """The statistics and fits of all corpora compared."""
    return [(stage, corpus) for corpus in compared_corpora(config)[name] for stage in ("collect", "fit")]


def settings(config: Config, name: str) -> dict[str, Any]:
    """What of the configuration decides the comparison; how a fit is solved, for the one that is solved anew."""
    fit = public_fields(config.fit)
    return {
        "compare": public_fields(config.compare),
        "visualize": {name: public_fields(config.visualize)[name] for name in _DRAWN},
        "fit": {name: fit[name] for name in ("solver", "tol", "max_iter", "method", "remove_factors")},
        "model": Path(config.model.id).name,
        "compared": name,
        "seed": config.seed if config.compare.permutations else None,
    }


def pins(config: Config, name: str) -> dict[str, Any]:
    """Nothing from outside."""
    return {}


def paths(config: Config, name: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the comparison, the graph of what differs, the tables and the explorer go."""
    folder = config.folder / "compare"
    endings = ["dot", "edges.csv"]
    more: list[Path] = []
    if config.compare.method == "differential":
        endings += ["neurons.csv", "communities.csv"]
        more += [folder / name / EXPLORER] if config.visualize.explorer else []
    return folder / f"{name}.npz", (*(folder / f"{name}.{ending}" for ending in endings), *more)


def make(job: Job) -> str:
    """Compare corpora: the artifact, its graph, tables and figures."""
    from glasso_cli.compare.estimated import common_neurons, left_out

    corpora = [_corpus(job, name) for name in compared_corpora(job.config)[job.corpus]]
    common = common_neurons(*corpora)
    if missing := left_out(corpora, common):
        job.console.warn(
            f"{job.corpus}: {len(common.ids):,} neurons are compared; {missing} are not in every other fit."
        )
    if job.config.compare.method == "differential":
        first, second = corpora
        return _differential(job, first, second, common)
    return _joint(job, corpora, common)


def _corpus(job: Job, name: str) -> Corpus:
    from glasso_cli.compare.estimated import Corpus

    stats = ActivationStats.load(job.upstream[f"collect/{name}"])
    path = PrecisionPath.load(job.upstream[f"fit/{name}"])
    return Corpus(name, stats, path)


def _differential(job: Job, first: Corpus, second: Corpus, common: Common) -> str:
    from glasso_cli.compare import pairwise
    from glasso_cli.compare.estimated import estimated
    from glasso_cli.report.explorer import write_explorer
    from glasso_cli.report.explorer.from_artifacts import compared_view
    from glasso_cli.report.plots import draw_comparison
    from glasso_cli.report.plots.contrast import Contrast

    config = job.config
    compared = estimated(first, second, common, config.fit)
    permute = _permutations(job, first, second, compared) if config.compare.permutations else None
    found = pairwise.assemble(job.meta, first, second, common, compared, config.compare, permute)
    metrics = found.metrics
    for corpus in metrics.corpora:
        if few := fewer_tokens_than_neurons(corpus.n_effective, metrics.neurons, f"the tokens of {corpus.name}"):
            job.console.warn(
                f"{job.corpus}: {few}: error bars are too small, and what differs cannot be trusted. Collect more "
                "text, compare fewer neurons, or believe compare.permutations alone."
            )
    for name, calibration in metrics.calibration.items():
        if calibration is not None and calibration.discoveries:
            job.console.warn(
                f"{job.corpus}: the halves of {name} differ in {calibration.discoveries:,} pairs by the same rules, where "
                "none should; take what is found here with as much doubt."
            )
    dot, edges, per_neuron, communities, *page = job.target.companions
    folder = dot.with_suffix("")
    title = f"{Path(config.model.id).name.removeprefix('builtin:')} · {first.name} (A) against {second.name} (B)"
    contrast = Contrast(found, first.stats, second.stats, config.visualize, title)
    files = [path for written in draw_comparison(contrast, folder, config.compare.contexts) for path in written]
    found.meta["files"] = sorted(f"{folder.name}/{path.name}" for path in files)
    with atomic_write(dot, "w") as file:
        file.writelines(pairwise.dot_lines(found))
    write_table(edges, pairwise.edge_columns(found))
    write_table(per_neuron, pairwise.neuron_columns(found))
    write_table(communities, pairwise.community_columns(found))
    if not page:
        (folder / EXPLORER).unlink(missing_ok=True)
    for path in page:
        write_explorer(
            compared_view(contrast, (first.path, second.path)), path, config.visualize.explorer_mb, job.console.note
        )
    found.save(job.target.path)
    return one_line(metrics)


def _permutations(job: Job, first: Corpus, second: Corpus, compared: Compared) -> Permute:
    """The test of pairs by divisions of the documents; raises :class:`InputError` where it could find nothing."""
    from glasso_cli.compare.permutation import check_permutations, permuted

    section, blocks = job.config.compare, (compared.first.blocks, compared.second.blocks)
    check_permutations(len(blocks[0].filled), len(blocks[1].filled), section.permutations, section.fdr)
    centres = (first.stats.centre[blocks[0].neurons], second.stats.centre[blocks[1].neurons])
    both = compared.pooled(centres, job.config.fit)

    def permute(rows: np.ndarray, cols: np.ndarray) -> Permuted:
        with job.console.progress(f"permutations {job.corpus}", 2 * section.permutations, "divisions") as advance:
            return permuted(both, rows, cols, section.permutations, job.config.seed, advance)

    return permute


def _joint(job: Job, corpora: list[Corpus], common: Common) -> str:
    from glasso_cli.compare import joint

    found = joint.joint_fit(lambda metrics, below: job.meta(metrics, below=below), corpora, common, job.config.compare)
    dot, edges = job.target.companions
    with atomic_write(dot, "w") as file:
        file.writelines(joint.dot_lines(found))
    write_table(edges, joint.edge_columns(found))
    found.save(job.target.path)
    return joint.summary(found.metrics)
