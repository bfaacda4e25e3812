"""What the pictures across layers are about: one corpus, and what was found between the neurons of its layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from glasso_cli.across.from_artifacts import Neurons, edges_across
from glasso_cli.across.table import EdgesAcross
from glasso_cli.artifacts import (
    ActivationStats,
    Audit,
    Influence,
    Interventions,
    OrderedGraph,
    Pathways,
    PrecisionPath,
)
from glasso_cli.config import VisualizeSection
from glasso_cli.report.names import NeuronNames, names_of
from glasso_cli.report.words.labels import count, short_labels, titled


@dataclass(frozen=True, eq=False, kw_only=True)
class LayersStudy:
    """The statistics of one corpus with what was made across layers; ``title`` names model and corpus.

    All are oriented but ``pathways``, whose tables are. What was not made is None.
    """

    stats: ActivationStats
    section: VisualizeSection
    title: str
    fit: PrecisionPath | None = None
    influence: Influence | None = None
    interventions: Interventions | None = None
    ordered: OrderedGraph | None = None
    audit: Audit | None = None
    pathways: Pathways | None = None

    @cached_property
    def collected(self) -> Neurons:
        """All collected neurons, to which the indices of ``across`` belong."""
        return Neurons(self.stats.neuron_ids, self.stats.layers, self.stats.orientation)

    @cached_property
    def across(self) -> EdgesAcross | None:
        """The edges across layers, if an ordered graph, influence or interventions were made; None if there are none."""
        if self.ordered is None and self.influence is None and self.interventions is None:
            return None
        edges = edges_across(self.collected, self.association_graph, self.influence, self.interventions)
        return edges if len(edges) else None

    @property
    def association_graph(self) -> OrderedGraph | PrecisionPath | None:
        """The graph whose edges across layers are their association: the ordered one, where there is one."""
        return self.fit if self.ordered is None else self.ordered

    # -- names --------------------------------------------------------------------------------------

    @cached_property
    def collected_labels(self) -> list[str]:
        """A short label of every collected neuron."""
        return short_labels(self.collected.ids.tolist(), self.collected.layers)

    @cached_property
    def collected_titles(self) -> list[str]:
        """Label and name of every collected neuron."""
        return [titled(label, name) for label, name in zip(self.collected_labels, self.collected_names.texts)]

    @property
    def collected_names(self) -> NeuronNames:
        """The names of all collected neurons."""
        return names_of(self.stats)

    @property
    def has_words(self) -> bool:
        """Whether contexts are text, so that neurons can have names."""
        return self.stats.has_words

    # -- words --------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        """The key of the statistics."""
        return str(self.stats.meta["key"])

    @property
    def tokens(self) -> str:
        """How much was read, in words."""
        return f"{count(self.stats.n_tokens, self.stats.metrics.sample)} (worth {self.stats.n_effective:,.0f} independent ones)"

    @property
    def subject(self) -> str:
        """Model, corpus and size, for under the headline of a picture."""
        return "  ·  ".join([self.title, count(self.stats.n_neurons, "neuron"), self.tokens])
