"""Solvers of the graphical lasso by name; every one has the signature of :data:`base.Solver`."""

from __future__ import annotations

from glasso_cli.solvers import gglasso, newton, sklearn
from glasso_cli.solvers.base import Solver

SOLVERS: dict[str, Solver] = {
    "newton": newton.solve,
    "gglasso": gglasso.solve,
    "sklearn": sklearn.solve,
}
