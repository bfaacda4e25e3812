"""The graph of the network with fresh weights: what an untrained network gives as well says nothing about training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from glasso_cli.artifacts import ActivationStats
from glasso_cli.artifacts.metrics.fit import FreshNetwork
from glasso_cli.config import FitSection
from glasso_cli.fitting import edge_table
from glasso_cli.fitting.sample_fits import signed_pairs
from glasso_cli.fitting.tested_edges import fit_at, tested_anyhow
from glasso_cli.graph.communities import find_communities
from glasso_cli.inference.blocks import LEAST, Blocks, blocks_of_variation
from glasso_cli.inference.factors import leading_factors
from glasso_cli.inference.resampling import replication


def fresh_network(
    stats: ActivationStats, alpha: float, trained: Blocks, section: FitSection, seed: int
) -> FreshNetwork | None:
    """The graph that ``section`` gives at ``alpha`` for the fresh weights in ``stats``; None if they were not collected.

    The neurons are those of ``trained``, the blocks that were fitted, less those that vary in fewer than two blocks.
    Its edges are tested by the lasso where its inverse correlation does not exist. ``seed`` finds communities.
    """
    fresh = stats.fresh_network()
    if fresh is None or section.null is False:
        return None
    varying = blocks_of_variation(fresh.counts, fresh.sums, fresh.moments)[trained.neurons] > 1
    if np.count_nonzero(varying) < 2:
        return None
    blocks = Blocks.of(fresh.counts, fresh.sums, fresh.moments, trained.neurons[varying])
    correlation = blocks.correlation()
    if section.remove_factors:
        blocks = blocks.without(leading_factors(correlation, section.remove_factors))
        correlation = blocks.correlation()
    point = fit_at(correlation, alpha, None, section)
    tests = tested_anyhow(point, correlation, fresh, blocks, section).tests
    kept = edge_table.filter_edges(tests, point.values < 0, section.fdr).mask
    sizes = np.abs(tests.partial_correlation[kept])
    communities = find_communities(len(correlation), point.rows[kept], point.cols[kept], sizes, seed)
    return FreshNetwork(
        at_alpha=point.n_edges,
        drawn=int(np.count_nonzero(kept)),
        discoveries=tests.discoveries,
        communities=int(communities.max(initial=-1)) + 1,
        replication=_replication(blocks, alpha, section),
        replication_trained=_replication(trained, alpha, section),
        variance_inflation=tests.inflation,
    )


def _replication(blocks: Blocks, alpha: float, section: FitSection) -> float | None:
    """The share of the edges of the even blocks that the odd ones have too, and the other way round."""
    if len(blocks.filled) < LEAST:
        return None
    share = replication(list(_halves(blocks, alpha, section)))
    return None if np.isnan(share) else share


def _halves(blocks: Blocks, alpha: float, section: FitSection) -> Iterator[np.ndarray]:
    p = len(blocks.neurons)
    for start in (0, 1):
        point = fit_at(blocks.correlation(blocks.filled[start::2]), alpha, None, section)
        yield signed_pairs(point.rows, point.cols, point.values < 0, p)
