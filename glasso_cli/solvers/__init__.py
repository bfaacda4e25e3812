"""Solvers of the graphical lasso by name; every one has the signature of :data:`base.Solver`."""

from __future__ import annotations

from glasso_cli.solvers import gglasso, sklearn
from glasso_cli.solvers.base import Solver

SOLVERS: dict[str, Solver] = {
    "gglasso": gglasso.solve,
    "sklearn": sklearn.solve,
}
