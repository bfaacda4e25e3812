"""The graphical lasso with hidden factors: a sparse precision matrix less one of low rank."""

from glasso_cli.solvers.latent.solve import LatentResult, nuclear_penalty, solve

__all__ = ["LatentResult", "nuclear_penalty", "solve"]
