"""What the pictures of a graph are about: one corpus, one path, the selected graph, and the words that describe them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glasso_cli.artifacts import PrecisionPath, Scores, Structure
from glasso_cli.graph import Graph, build_graph
from glasso_cli.graph.graph import community_order
from glasso_cli.graph.sums import edge_sums
from glasso_cli.report.names import Name, NeuronNames, material_of, name_communities
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.words.labels import count, percent, positions, short_labels, titled


class Edges(NamedTuple):
    """Undirected edges, each once: ``rows`` and ``cols (E,)`` with row < col, ``rho (E,)``."""

    rows: np.ndarray
    cols: np.ndarray
    rho: np.ndarray  # partial correlations


@dataclass(frozen=True, eq=False, kw_only=True)
class Study(LayersStudy):
    """The artifacts of one corpus with the ``.dot`` file of the selected alpha. All are oriented but ``pathways``, whose tables are."""

    fit: PrecisionPath
    dot: Path
    structure: Structure | None = None
    scores: Scores | None = None

    # -- the selected graph -----------------------------------------------------------------------

    @property
    def p(self) -> int:
        return self.fit.n_neurons

    @property
    def index(self) -> int:
        """Which alpha of the path is drawn."""
        return int(self.fit.selected)

    @property
    def alpha(self) -> float:
        return float(self.fit.alphas[self.index])

    @cached_property
    def edges(self) -> Edges:
        """The edges of the selected alpha from strong to weak; ties in the order of the artifact."""
        graph, order = self.graph, self._from_strong
        return Edges(graph.rows[order], graph.cols[order], graph.weights[order])

    @cached_property
    def _from_strong(self) -> np.ndarray:
        return np.argsort(-np.abs(self.graph.weights), kind="stable")

    @cached_property
    def _part(self) -> np.ndarray:
        """Where the drawn edges stand in the path."""
        return self.fit.drawn()

    @cached_property
    def precision(self) -> np.ndarray:
        """The precision entries of ``edges``, ``(E,)``: their sign is opposite."""
        return np.asarray(self.fit.values[self._part][self._from_strong])

    @cached_property
    def correlation(self) -> np.ndarray:
        """The plain correlations of the pairs in ``edges``, ``(E,)``."""
        return np.asarray(self.fit.marginals[self._part][self._from_strong])

    def tested(self, name: str) -> np.ndarray:
        """A field of the path about the tests of the pairs in ``edges``, ``(E,)``."""
        return np.asarray(getattr(self.fit, name)[self.fit.kept][self._from_strong])

    @property
    def n_edges(self) -> int:
        return len(self.edges.rho)

    @cached_property
    def graph(self) -> Graph:
        """The graph of the selected alpha, with the communities of the artifact."""
        fit, part = self.fit, self._part
        return build_graph(
            fit.neuron_ids,
            np.asarray(fit.rows[part]),
            np.asarray(fit.cols[part]),
            np.asarray(fit.values[part]),
            fit.diagonals[self.index],
            fit.layers,
            communities=fit.communities,
        )

    @property
    def degree(self) -> np.ndarray:
        """Edges of every neuron, ``(p,)``."""
        return self.graph.degree

    @property
    def strength(self) -> np.ndarray:
        """Sum of \\|partial correlation\\| of every neuron, ``(p,)``."""
        return self.graph.strength

    @cached_property
    def expected_influence(self) -> np.ndarray:
        """Expected influence ``(p,)``: the sum of partial correlations with their signs (Robinaugh et al. 2016)."""
        return edge_sums(self.p, *self.edges)

    @cached_property
    def by_strength(self) -> np.ndarray:
        """All neurons from strong to weak, ``(p,)``."""
        return np.argsort(-self.strength, kind="stable")

    def edges_of(self, neuron: int) -> np.ndarray:
        """Which of ``edges`` touch ``neuron``, from strong to weak."""
        return np.flatnonzero((self.edges.rows == neuron) | (self.edges.cols == neuron))

    # -- communities --------------------------------------------------------------------------------

    @property
    def communities(self) -> np.ndarray:
        return self.fit.communities

    @cached_property
    def order(self) -> np.ndarray:
        """Neurons by community, inside one by strength; isolated neurons at the end, ``(p,)``."""
        return community_order(self.graph)

    @cached_property
    def position(self) -> np.ndarray:
        """Where every neuron stands in ``order``, ``(p,)``."""
        return positions(self.order)

    @cached_property
    def labels(self) -> list[str]:
        """A short label of every neuron."""
        return short_labels([str(name) for name in self.fit.neuron_ids], self.fit.layers)

    # -- names --------------------------------------------------------------------------------------

    @cached_property
    def names(self) -> NeuronNames:
        """The names of all fitted neurons."""
        return self.collected_names.at(self.fit.neurons)

    @cached_property
    def community_names(self) -> list[Name]:
        """The name of every community, without words where it has none."""
        return name_communities(material_of(self.stats), self.fit.neurons, self.communities)

    @cached_property
    def titles(self) -> list[str]:
        """Label and name of every neuron."""
        return [titled(label, name) for label, name in zip(self.labels, self.names.texts)]

    # -- words ----------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        """The key of the drawn artifact."""
        return str(self.fit.meta["key"])

    @property
    def rule(self) -> str:
        """How alpha was chosen: fixed, degree, ebic, cv or stars."""
        return self.fit.metrics.rule

    @property
    def target(self) -> float | None:
        """The mean degree that the degree rule aims at."""
        return self._select["target"] if self.rule == "degree" else None

    @property
    def threshold(self) -> float | None:
        """The largest instability that the stars rule allows."""
        return self._select["instability"] if self.rule == "stars" else None

    @property
    def tolerance(self) -> float:
        """The duality gap per neuron, in nats, that the certificate had to reach."""
        return self.fit.metrics.tol

    @property
    def _select(self) -> dict[str, Any]:
        section: dict[str, Any] = self.fit.meta["material"]["config"]["fit"]["select"]
        return section

    @property
    def chosen(self) -> str:
        """α and why this one, in words."""
        reasons = {
            "fixed": "as given",
            "degree": "chosen by mean degree",
            "ebic": "chosen by the smallest EBIC",
            "cv": "chosen by held-out likelihood",
            "stars": "chosen by stability",
        }
        reason = reasons[self.rule]
        if self.target is not None:
            reason += f", target {self.target:g} edges per neuron"
        if self.rule == "ebic":
            reason += f", γ = {self._select['gamma']:g}"
        if self.threshold is not None:
            reason += f", instability up to {self.threshold:g}"
        return f"α = {self.alpha:.4g} ({reason})"

    @property
    def density(self) -> float:
        """Edges as a share of all pairs."""
        return self.n_edges / max(1, self.p * (self.p - 1) // 2)

    @property
    def subject(self) -> str:
        """Model, corpus, size and choice, for under the headline of a picture."""
        parts = [
            self.title,
            count(self.p, "neuron"),
            self.tokens,
            self.chosen,
            f"{count(self.n_edges, 'edge')} ({percent(self.density)} of pairs)",
        ]
        if not bool(self.fit.converged[self.index]):
            parts.append("NOT CONVERGED at this α")
        return "  ·  ".join(parts)
