"""From two fitted corpora to the dependencies that differ, every pair of corpora of the experiment."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glasso_cli import neurons
from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.comparison_summary import one_line
from glasso_cli.config import Config, public_fields
from glasso_cli.files import atomic_write
from glasso_cli.pipeline import Job
from glasso_cli.tables import write_table

if TYPE_CHECKING:
    from glasso_cli.compared import Corpus

VERSION = 1
NO_TARGETS = ("There is one corpus, and nothing to compare it with.", "Give another under corpora.")


def pairs(config: Config) -> dict[str, tuple[str, str]]:
    """The names of all comparisons, and the corpora A and B of each."""
    return {f"{a}-vs-{b}": (a, b) for a, b in itertools.combinations(config.corpora, 2)}


def targets(config: Config) -> list[str]:
    """One comparison for every pair of corpora."""
    return list(pairs(config))


def upstream(config: Config, pair: str) -> list[tuple[str, str]]:
    """The statistics and fits of both corpora."""
    return [(stage, corpus) for corpus in pairs(config)[pair] for stage in ("collect", "fit")]


def settings(config: Config, pair: str) -> dict[str, Any]:
    """What of the configuration decides the comparison; how a fit is solved, for the one that is solved anew."""
    fit = public_fields(config.fit)
    fit["neurons"] = neurons.without_path(config.fit.neurons)
    return {
        "compare": public_fields(config.compare),
        "visualize": {name: public_fields(config.visualize)[name] for name in ("formats", "dpi")},
        "fit": {name: fit[name] for name in ("solver", "tol", "max_iter", "method", "remove_factors")},
        "model": Path(config.model.id).name,
        "pair": pair,
    }


def pins(config: Config, pair: str) -> dict[str, Any]:
    """Nothing from outside."""
    return {}


def paths(config: Config, pair: str) -> tuple[Path, tuple[Path, ...]]:
    """Where the comparison, the graph of what differs and the tables of pairs and neurons go."""
    folder = config.folder / "compare"
    return folder / f"{pair}.npz", tuple(
        folder / f"{pair}.{ending}" for ending in ("dot", "edges.csv", "neurons.csv", "communities.csv")
    )


def make(job: Job) -> str:
    """Compare two corpora: the artifact, its graph, tables and figures."""
    from glasso_cli import comparison
    from glasso_cli.compared import common_neurons, estimated
    from glasso_cli.plots import draw_comparison
    from glasso_cli.plots.contrast import Contrast

    config = job.config
    first, second = (_corpus(job, name) for name in pairs(config)[job.corpus])
    common = common_neurons(first, second)
    if not common.is_all:
        job.console.warn(
            f"{job.corpus}: {len(common.ids):,} neurons are compared; {first.path.n_neurons - len(common.ids):,} of "
            f"{first.name} and {second.path.n_neurons - len(common.ids):,} of {second.name} are not in the other fit."
        )
    compared = estimated(first, second, common, config.fit)
    found = comparison.assemble(job.meta, first, second, common, compared, config.compare)
    metrics = found.meta["metrics"]
    for name, calibration in metrics["calibration"].items():
        if calibration is not None and calibration["discoveries"]:
            job.console.warn(
                f"{job.corpus}: the halves of {name} differ in {calibration['discoveries']:,} pairs by the same rules, where "
                "none should; take what is found here with as much doubt."
            )
    dot, edges, per_neuron, communities = job.target.companions
    folder = dot.with_suffix("")
    contrast = Contrast(found, first.stats, second.stats, config.visualize, _title(config, first, second))
    files = [path for written in draw_comparison(contrast, folder, config.compare.contexts) for path in written]
    found.meta["files"] = sorted(f"{folder.name}/{path.name}" for path in files)
    with atomic_write(dot, "w") as file:
        file.writelines(comparison.dot_lines(found))
    write_table(edges, comparison.edge_columns(found))
    write_table(per_neuron, comparison.neuron_columns(found))
    write_table(communities, comparison.community_columns(found))
    found.save(job.target.path)
    return one_line(metrics)


def _corpus(job: Job, name: str) -> Corpus:
    from glasso_cli.compared import Corpus

    stats: ActivationStats = ActivationStats.load(job.upstream[f"collect/{name}"])
    path: PrecisionPath = PrecisionPath.load(job.upstream[f"fit/{name}"])
    return Corpus(name, stats, path)


def _title(config: Config, first: Corpus, second: Corpus) -> str:
    return f"{Path(config.model.id).name.removeprefix('builtin:')} · {first.name} (A) against {second.name} (B)"
