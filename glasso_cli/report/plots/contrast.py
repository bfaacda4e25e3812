"""What the pictures of a comparison are about: two corpora, their graphs, and the words that describe them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glasso_cli.artifacts import ActivationStats, Comparison, PrecisionPath
from glasso_cli.config import VisualizeSection
from glasso_cli.report.names import Name, NeuronNames, material_of, name_communities, names_of
from glasso_cli.report.words.comparison import activation_halves, halves
from glasso_cli.report.words.labels import count, positions, short_labels, titled


@dataclass(frozen=True, eq=False)
class Contrast:
    """A comparison with the statistics of both corpora; ``title`` names the model and which is A and which B.

    ``most`` is how many neurons are shown with their contexts in a picture.
    """

    comparison: Comparison
    first: ActivationStats
    second: ActivationStats
    section: VisualizeSection
    title: str
    most: int

    @property
    def p(self) -> int:
        return self.comparison.n_neurons

    @property
    def key(self) -> str:
        return str(self.comparison.meta["key"])

    @cached_property
    def names(self) -> tuple[str, str]:
        """The corpora A and B."""
        a, b = (corpus.name for corpus in self.comparison.metrics.corpora)
        return a, b

    @cached_property
    def order(self) -> np.ndarray:
        """Neurons by community of A, inside one by the edges they have in both; isolated ones at the end, ``(p,)``."""
        comparison = self.comparison
        last = comparison.communities_a.max(initial=-1) + 1
        community = np.where(comparison.communities_a < 0, last, comparison.communities_a)
        return np.lexsort((-(comparison.degree_a + comparison.degree_b), community))

    @cached_property
    def position(self) -> np.ndarray:
        """Where every neuron stands in ``order``, ``(p,)``."""
        return positions(self.order)

    @cached_property
    def labels(self) -> list[str]:
        """A short label of every neuron."""
        return short_labels([str(name) for name in self.comparison.neuron_ids], self.comparison.layers)

    @cached_property
    def active_labels(self) -> list[str]:
        """A short label of every neuron whose activation is compared."""
        comparison = self.comparison
        names = [str(name) for name in comparison.active_ids]
        return short_labels(names, self.first.layers[comparison.active_rows_a])

    def community_names(self, fits: tuple[PrecisionPath, PrecisionPath]) -> tuple[list[Name], list[Name]]:
        """The names of the communities of the fits of A and of B."""
        first, second = (
            name_communities(material_of(stats), fit.neurons, fit.communities)
            for stats, fit in zip((self.first, self.second), fits)
        )
        return first, second

    def _better_names(self, rows_a: np.ndarray, rows_b: np.ndarray) -> NeuronNames:
        """The names of the neurons at these rows of the statistics: that of A or of B, whichever has the larger score."""
        return names_of(self.first).at(rows_a).better(names_of(self.second).at(rows_b))

    @cached_property
    def neuron_names(self) -> NeuronNames:
        """The names of the neurons whose edges are compared."""
        return self._better_names(self.comparison.neurons_a, self.comparison.neurons_b)

    @cached_property
    def active_names(self) -> NeuronNames:
        """The names of the neurons whose activations are compared."""
        return self._better_names(self.comparison.active_rows_a, self.comparison.active_rows_b)

    @cached_property
    def titles(self) -> list[str]:
        """Label and name of every neuron whose edges are compared."""
        return [titled(label, name) for label, name in zip(self.labels, self.neuron_names.texts)]

    @cached_property
    def active_titles(self) -> list[str]:
        """Label and name of every neuron whose activation is compared."""
        return [titled(label, name) for label, name in zip(self.active_labels, self.active_names.texts)]

    @property
    def subject(self) -> str:
        """Model, corpora, size and rule, for under the headline of a picture."""
        metrics = self.comparison.metrics
        worth = ", ".join(
            f"{corpus.name} {corpus.tokens:,} {corpus.sample}s (worth {corpus.n_effective:,.0f} independent ones)"
            for corpus in metrics.corpora
        )
        return "  ·  ".join(
            [
                self.title,
                count(self.p, "neuron"),
                worth,
                f"{count(metrics.edges, 'pair')} of {metrics.pairs.tested:,} differ by more than {metrics.min_effect:g} at a false "
                f"discovery rate of {metrics.fdr:g}",
            ]
        )

    @property
    def doubt(self) -> str:
        """What the same rules find between halves of one corpus, in words."""
        return f"By the same rules, where nothing differs: {halves(self.comparison.metrics)}."

    @property
    def activation_doubt(self) -> str:
        """How many neurons the same rule finds between halves of one corpus, in words."""
        return f"By the same rule, where nothing differs: {activation_halves(self.comparison.metrics)}."
