"""What a stage measured, one type per kind of artifact; ``meta`` holds it as JSON."""

from glasso_cli.artifacts.metrics.audit import AuditMetrics
from glasso_cli.artifacts.metrics.codec import metrics_of, to_json
from glasso_cli.artifacts.metrics.collect import CollectMetrics
from glasso_cli.artifacts.metrics.comparison import ComparisonMetrics
from glasso_cli.artifacts.metrics.fit import FitMetrics
from glasso_cli.artifacts.metrics.influence import InfluenceMetrics
from glasso_cli.artifacts.metrics.interventions import InterventionMetrics
from glasso_cli.artifacts.metrics.joint import JointMetrics
from glasso_cli.artifacts.metrics.ordered import OrderedMetrics
from glasso_cli.artifacts.metrics.pathways import PathwayMetrics
from glasso_cli.artifacts.metrics.scores import ScoreMetrics
from glasso_cli.artifacts.metrics.structure import StructureMetrics

__all__ = [
    "AuditMetrics",
    "CollectMetrics",
    "ComparisonMetrics",
    "FitMetrics",
    "InfluenceMetrics",
    "InterventionMetrics",
    "JointMetrics",
    "OrderedMetrics",
    "PathwayMetrics",
    "ScoreMetrics",
    "StructureMetrics",
    "metrics_of",
    "to_json",
]
