"""Read a YAML file as a checked configuration, and report every problem with its line and column."""

from glasso_cli.config.experiment import Config
from glasso_cli.config.sections.collect import CollectSection, MaskSection
from glasso_cli.config.sections.compare import CompareSection
from glasso_cli.config.sections.corpora import CorpusSection
from glasso_cli.config.sections.effects.audit import AuditSection
from glasso_cli.config.sections.effects.influence import InfluenceSection
from glasso_cli.config.sections.effects.intervene import InterveneSection
from glasso_cli.config.sections.effects.score import ScoreSection
from glasso_cli.config.sections.engine import EngineSection
from glasso_cli.config.sections.fit import FitSection, SelectSection
from glasso_cli.config.sections.graphs.pathways import PathwaysSection
from glasso_cli.config.sections.graphs.structure import StructureSection
from glasso_cli.config.sections.model import ModelSection
from glasso_cli.config.sections.section import Section, is_runtime, public_fields
from glasso_cli.config.sections.synth import SynthSection
from glasso_cli.config.sections.visualize import VisualizeSection

__all__ = [
    "AuditSection",
    "CollectSection",
    "CompareSection",
    "Config",
    "CorpusSection",
    "EngineSection",
    "FitSection",
    "InfluenceSection",
    "InterveneSection",
    "MaskSection",
    "ModelSection",
    "PathwaysSection",
    "ScoreSection",
    "Section",
    "SelectSection",
    "StructureSection",
    "SynthSection",
    "VisualizeSection",
    "is_runtime",
    "public_fields",
]
