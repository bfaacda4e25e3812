"""The types that stages hand to each other, one file each, and how they are stored."""

from glasso_cli.artifacts.activation_stats import ActivationStats
from glasso_cli.artifacts.artifact import Artifact
from glasso_cli.artifacts.comparison import Comparison
from glasso_cli.artifacts.effects.audit import Audit
from glasso_cli.artifacts.effects.interventions import Interventions
from glasso_cli.artifacts.influence import Influence
from glasso_cli.artifacts.joint_precision import JointPrecision
from glasso_cli.artifacts.ordered_graph import OrderedGraph
from glasso_cli.artifacts.precision_path import PrecisionPath
from glasso_cli.artifacts.score.pathways import Pathways
from glasso_cli.artifacts.score.scores import Scores
from glasso_cli.artifacts.score.structure import Structure

__all__ = [
    "ActivationStats",
    "Artifact",
    "Audit",
    "Comparison",
    "Influence",
    "Interventions",
    "JointPrecision",
    "OrderedGraph",
    "Pathways",
    "PrecisionPath",
    "Scores",
    "Structure",
]
