"""The graphical lasso: the problem, its certificate, the solvers, and paths of penalties."""

from glasso_cli.solvers.path import fit_path
from glasso_cli.solvers.registry import SOLVERS
from glasso_cli.solvers.screening import solve

__all__ = ["SOLVERS", "fit_path", "solve"]
