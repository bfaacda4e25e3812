"""Solvers of the graphical lasso by name; every one has the signature of :class:`base.Solver`."""

from __future__ import annotations

from glasso_cli.solvers import gglasso, sklearn
from glasso_cli.solvers.base import Solver
from glasso_cli.solvers.newton.solve import solve as newton

SOLVERS: dict[str, Solver] = {
    "newton": newton,
    "gglasso": gglasso.solve,
    "sklearn": sklearn.solve,
}
