"""What the same fit finds where there is nothing to find: neurons shifted against each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasso_cli import edge_table
from glasso_cli.config import FitSection
from glasso_cli.errors import InputError
from glasso_cli.inference.blocks import Blocks
from glasso_cli.inference.edges import edge_tests
from glasso_cli.solvers.path import fit_from


@dataclass(frozen=True)
class NullEdges:
    """Edges among shifted neurons at the alpha and by the rules of the fit: all of them are false."""

    at_alpha: int
    drawn: int
    discoveries: int  # pairs of all with a q-value up to fit.fdr


def null_edges(
    covariance: np.ndarray | None,
    blocks: Blocks,
    autocorrelation: np.ndarray,
    alpha: float,
    section: FitSection,
    inflation: float,
) -> NullEdges | None:
    """The fit to the null ``covariance (P, P)`` of the collected neurons, with the errors of the real fit.

    None where there is none and none is asked for. Raises :class:`InputError` where one is asked for.
    """
    if covariance is None:
        if section.null:
            raise InputError(
                "fit.null asks for the shifted neurons, and the statistics have none.",
                "Collect them: collect.null: true.",
            )
        return None
    if section.null is False:
        return None
    correlation = blocks.correlation_of(covariance)
    point = fit_from(
        correlation,
        alpha,
        None,
        solver=section.solver,
        tol=section.tol,
        max_iter=section.max_iter,
        penalise_diagonal=section.penalise_diagonal,
    )
    tests = edge_tests(
        point.precision(),
        correlation,
        blocks,
        autocorrelation,
        point.rows,
        point.cols,
        fdr=section.fdr,
        variance="normal",
        inflation=inflation,
    )
    kept = edge_table.keep(tests, section.fdr, section.min_effect)
    return NullEdges(point.n_edges, int(kept.mask.sum()), tests.discoveries)
