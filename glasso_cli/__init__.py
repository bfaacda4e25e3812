"""Which neurons of a network depend on which others: sparse precision matrices over activations.

``import glasso_cli as g`` offers in Python what the command line does; everything below is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glasso_cli.api.across import edges_across as edges_across
    from glasso_cli.api.artifacts import load as load
    from glasso_cli.api.audit import audit as audit
    from glasso_cli.api.estimator import GraphicalLasso as GraphicalLasso
    from glasso_cli.api.graphs import pathways as pathways
    from glasso_cli.api.graphs import structure as structure
    from glasso_cli.api.influence import influence as influence
    from glasso_cli.api.run import run as run
    from glasso_cli.api.sparse import fit_sparse as fit_sparse
    from glasso_cli.api.stages import collect as collect
    from glasso_cli.api.stages import collect_arrays as collect_arrays
    from glasso_cli.api.stages import compare as compare
    from glasso_cli.api.stages import fit as fit
    from glasso_cli.api.stages import fit_ordered as fit_ordered
    from glasso_cli.api.stages import intervene as intervene
    from glasso_cli.api.stages import score as score
    from glasso_cli.artifacts import ActivationStats as ActivationStats
    from glasso_cli.artifacts import Audit as Audit
    from glasso_cli.artifacts import Comparison as Comparison
    from glasso_cli.artifacts import Influence as Influence
    from glasso_cli.artifacts import Interventions as Interventions
    from glasso_cli.artifacts import JointPrecision as JointPrecision
    from glasso_cli.artifacts import OrderedGraph as OrderedGraph
    from glasso_cli.artifacts import Pathways as Pathways
    from glasso_cli.artifacts import PrecisionPath as PrecisionPath
    from glasso_cli.artifacts import Scores as Scores
    from glasso_cli.artifacts import Structure as Structure
    from glasso_cli.errors import GlassoError as GlassoError
    from glasso_cli.hooks import ablate as ablate
    from glasso_cli.hooks import record as record
    from glasso_cli.hooks import resolve_hook_points as resolve_hook_points
    from glasso_cli.models.load import load_model as load_model
    from glasso_cli.solvers import fit_path as fit_path
    from glasso_cli.solvers import solve as solve

__version__ = "0.1.0"

# name → the module that it comes from
_PUBLIC = {
    "ActivationStats": "glasso_cli.artifacts",
    "Audit": "glasso_cli.artifacts",
    "Comparison": "glasso_cli.artifacts",
    "GlassoError": "glasso_cli.errors",
    "GraphicalLasso": "glasso_cli.api.estimator",
    "Interventions": "glasso_cli.artifacts",
    "Influence": "glasso_cli.artifacts",
    "JointPrecision": "glasso_cli.artifacts",
    "OrderedGraph": "glasso_cli.artifacts",
    "Pathways": "glasso_cli.artifacts",
    "PrecisionPath": "glasso_cli.artifacts",
    "Scores": "glasso_cli.artifacts",
    "Structure": "glasso_cli.artifacts",
    "ablate": "glasso_cli.hooks",
    "audit": "glasso_cli.api.audit",
    "collect": "glasso_cli.api.stages",
    "collect_arrays": "glasso_cli.api.stages",
    "compare": "glasso_cli.api.stages",
    "edges_across": "glasso_cli.api.across",
    "fit": "glasso_cli.api.stages",
    "fit_ordered": "glasso_cli.api.stages",
    "fit_path": "glasso_cli.solvers",
    "fit_sparse": "glasso_cli.api.sparse",
    "influence": "glasso_cli.api.influence",
    "intervene": "glasso_cli.api.stages",
    "load": "glasso_cli.api.artifacts",
    "load_model": "glasso_cli.models.load",
    "pathways": "glasso_cli.api.graphs",
    "record": "glasso_cli.hooks",
    "resolve_hook_points": "glasso_cli.hooks",
    "run": "glasso_cli.api.run",
    "score": "glasso_cli.api.stages",
    "solve": "glasso_cli.solvers",
    "structure": "glasso_cli.api.graphs",
}
__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604 - the keys are text


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'glasso_cli' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
