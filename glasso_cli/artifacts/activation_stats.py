"""Statistics of the neurons of one corpus, as `collect` writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact, array, frame_of
from glasso_cli.artifacts.crops import Crops
from glasso_cli.artifacts.metrics import CollectMetrics, metrics_of, to_json
from glasso_cli.artifacts.metrics.collect import OF_SAMPLES
from glasso_cli.artifacts.orientation import oriented, poles_of
from glasso_cli.errors import InputError, NoPairsError
from glasso_cli.linalg import moments

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class ActivationStats(Artifact):
    """Statistics of p neurons over B blocks of whole documents.

    Of tens of thousands of latents that are mostly zero, the values themselves are kept in the place of ``moments``.

    Moments are those of the *transformed* values about ``centre``; ``mean``, ``std``, ``skewness``,
    ``kurtosis`` and ``top_share`` describe the values as the model computes them.
    """

    kind: ClassVar[str] = "activation-stats"
    schema: ClassVar[int] = 4

    neuron_ids: np.ndarray = array("p", dtype="str")  # "layers.9.mlp[123]"
    layers: np.ndarray = array("p", dtype="int32")  # -1 where the hook point has no layer
    orientation: np.ndarray = array(
        "p", dtype="int8"
    )  # -1 where the heavier pole has negative values; see orientation.py
    counts: np.ndarray = array("B", dtype="int64")  # tokens kept
    documents: np.ndarray = array("B", dtype="int64")
    centre: np.ndarray = array("p", dtype="float64")
    sums: np.ndarray = array("B", "p", dtype="float64")  # of values minus centre
    # of values minus centre, packed row by row; empty where ``active_values`` are there
    moments: np.ndarray = array("B", "p(p+1)/2", dtype="float32", may_be_empty=True)
    # of circularly shifted neurons; empty without collect.null
    null_moments: np.ndarray = array("p(p+1)/2", dtype="float32", may_be_empty=True)
    # of the same network with fresh weights, F = B blocks; F = 0 without collect.null: reinitialised
    fresh_counts: np.ndarray = array("F", dtype="int64")
    fresh_sums: np.ndarray = array("F", "p", dtype="float64")  # about a centre of its own
    fresh_moments: np.ndarray = array("F", "p(p+1)/2", dtype="float32")
    fresh_autocorrelation: np.ndarray = array("p", "M", dtype="float32")  # lags 1 … M = L, or M = 0
    mean: np.ndarray = array("p", dtype="float64")
    std: np.ndarray = array("p", dtype="float64")
    skewness: np.ndarray = array("p", dtype="float64")  # third central moment over std cubed; 0 where std is 0
    kurtosis: np.ndarray = array("p", dtype="float64")  # excess: 0 for a Gaussian
    top_share: np.ndarray = array("p", dtype="float64")  # share of the variance that the strongest 1 % of tokens carry
    autocorrelation: np.ndarray = array("p", "L", dtype="float32")  # lags 1 … L within documents
    dead: np.ndarray = array("p", dtype="bool")  # zero variance
    duplicate_of: np.ndarray = array("p", dtype="int32")  # the first neuron with |r| > 0.9999, or -1
    vocabulary: np.ndarray = array("V", dtype="str")  # the tokens that contexts use
    # contexts of the highest values, and of the lowest, each from strong to weak:
    top_tokens: np.ndarray = array("p", "K", "W", dtype="int32")  # into vocabulary, -1 outside the text
    top_values: np.ndarray = array("p", "K", "W", dtype="float32")  # nan outside the text; the peak is in the middle
    top_documents: np.ndarray = array("p", "K", dtype="int32")  # -1 where there are fewer
    bottom_tokens: np.ndarray = array("p", "K", "W", dtype="int32")
    bottom_values: np.ndarray = array("p", "K", "W", dtype="float32")
    bottom_documents: np.ndarray = array("p", "K", dtype="int32")
    # groups from the lowest fifth to the highest:
    quantile_tokens: np.ndarray = array("p", "5", "E", "W", dtype="int32")
    quantile_values: np.ndarray = array("p", "5", "E", "W", dtype="float32")
    quantile_documents: np.ndarray = array("p", "5", "E", dtype="int32")
    # of images, numeric sequences and rows alone, where contexts are samples (W = 1); see crops.py
    crop_kind: np.ndarray | None = array("2", dtype="str", optional="crops")  # kind and mark
    crop_of: np.ndarray | None = array("V", dtype="int32", optional="crops")
    crop_pixels: np.ndarray | None = array("N", "h", "w", "k", dtype="uint8", optional="crops")
    crop_sizes: np.ndarray | None = array("N", "2", dtype="int32", optional="crops")
    crop_boxes: np.ndarray | None = array("V", "H", "4", dtype="float32", optional="crops")
    crop_field: np.ndarray | None = array("H", "2", dtype="int32", optional="crops")
    # of a crop, of the first document:
    crop_extent: np.ndarray | None = array("2", "2", dtype="int32", optional="crops")
    crop_points: np.ndarray | None = array("p", dtype="int32", optional="crops")
    # of sparse latents alone: the n kept tokens block after block, and their values that are not zero
    active_counts: np.ndarray | None = array("n", dtype="int32", optional="active")  # of every token
    active_columns: np.ndarray | None = array("nnz", dtype="int32", optional="active")  # increasing in each token
    active_values: np.ndarray | None = array("nnz", dtype="float32", optional="active")

    @cached_property
    def metrics(self) -> CollectMetrics:
        """The metrics in ``meta``; raises :class:`InputError` where they were damaged or are of another version."""
        return metrics_of(CollectMetrics, self.meta)

    @cached_property
    def _turned(self) -> ActivationStats:
        """The oriented copy."""
        return oriented(self)

    @cached_property
    def crops(self) -> Crops | None:
        """What is around the samples that are contexts; None where contexts are windows of text, or were not kept."""
        if self.crop_kind is None:
            return None
        names = ("of", "pixels", "sizes", "boxes", "field", "points")
        arrays: dict[str, Any] = {name: getattr(self, f"crop_{name}") for name in names}
        (kind, mark), (extent, whole) = self.crop_kind.tolist(), np.asarray(self.crop_extent)
        return Crops(kind=kind, mark=mark, extent=extent, whole=whole, **arrays)

    @property
    def keeps_values(self) -> bool:
        """Whether the values of sparse latents are kept, and not their moments."""
        return self.active_values is not None

    @property
    def dense_moments(self) -> np.ndarray:
        """``moments``; raises :class:`NoPairsError` where the values of sparse latents are kept in their place."""
        self.require_moments()
        return self.moments

    def require_moments(self) -> None:
        """Raise :class:`NoPairsError` where the values of sparse latents are kept in the place of the moments."""
        if self.keeps_values:
            raise NoPairsError(
                f"The statistics hold the values of {self.n_neurons:,} sparse latents, not the moments of all pairs, "
                "which this needs.",
                "Collect fewer latents (collect.neurons), with collect.sae.moments: dense.",
            )

    @property
    def has_words(self) -> bool:
        """Whether there are contexts, and these are windows of text."""
        return self.crop_kind is None and self.top_tokens.shape[1] > 0

    @property
    def n_neurons(self) -> int:
        return len(self.neuron_ids)

    def in_words(self) -> str:
        of_texts = self.meta.get("metrics", {}).get("model", {}).get("kind") not in OF_SAMPLES
        samples = f"{self.n_tokens:,} {'tokens' if of_texts else 'samples'}"
        return f"{self.n_neurons:,} neurons, {samples} in {len(self.counts)} blocks"

    @property
    def n_tokens(self) -> int:
        """Tokens in the statistics, masked ones excluded."""
        return int(self.counts.sum())

    @property
    def n_effective(self) -> float:
        """Independent tokens that those of the median pair of neurons are worth."""
        return self.metrics.n_effective.median

    def usable(self) -> np.ndarray:
        """Indices of the neurons that can be fitted: neither dead nor a duplicate."""
        return np.flatnonzero(~self.dead & (self.duplicate_of < 0))

    def covariance(self, blocks: Iterable[int] | None = None) -> np.ndarray:
        """The covariance ``(p, p)`` of the chosen blocks (all by default), float64, divided by n."""
        return moments.covariance(self.counts, self.sums, self.dense_moments, blocks)

    def null_covariance(self) -> np.ndarray | None:
        """The covariance ``(p, p)`` of circularly shifted neurons, float64; None if it was not collected."""
        if len(self.null_moments) == 0:
            return None
        return moments.covariance_of(np.array([self.n_tokens]), self.sums.sum(axis=0)[None], [self.null_moments])

    def fresh_network(self) -> ActivationStats | None:
        """What was summed over the network with fresh weights, in place of this one's; None if it was not collected.

        Counts, sums, moments, autocorrelation and the effective number of tokens are its own. All else is not.
        """
        worth = self.metrics.fresh_network
        if worth is None:
            return None
        metrics = replace(self.metrics, n_effective=worth, fresh_network=None)
        return replace(
            self,
            meta={**self.meta, "metrics": to_json(metrics)},
            counts=self.fresh_counts,
            sums=self.fresh_sums,
            moments=self.fresh_moments,
            autocorrelation=self.fresh_autocorrelation,
            null_moments=np.empty(0, np.float32),
            **no_fresh_network(self.n_neurons),
        )

    def correlation(self, neurons: np.ndarray | None = None, blocks: Iterable[int] | None = None) -> np.ndarray:
        """The correlation matrix of ``neurons`` (indices; the usable ones by default)."""
        chosen = self.usable() if neurons is None else neurons
        return moments.correlation(self.covariance(blocks)[np.ix_(chosen, chosen)])

    def neuron_columns(self) -> dict[str, Any]:
        """The table of all neurons in the order collected: their distribution, and why one cannot be fitted.

        ``mean`` and ``skewness`` are oriented; times ``orientation``, they are the model's own.
        """
        turned, same = self._turned, self.duplicate_of
        return {
            "neuron": self.neuron_ids,
            "layer": self.layers,
            "orientation": self.orientation,
            "mean": turned.mean,
            "std": self.std,
            "skewness": turned.skewness,
            "kurtosis": self.kurtosis,
            "top_share": self.top_share,
            "autocorrelation": self.autocorrelation[:, 0],
            "dead": self.dead,
            "duplicate_of": np.where(same < 0, "", self.neuron_ids[np.maximum(same, 0)]),
        }

    def contexts(self, neuron: str | int) -> pd.DataFrame:
        """The contexts of one neuron, given by id or index, as a data frame: a row for each.

        ``group`` is ``positive pole`` or ``negative pole`` for the windows of text with the strongest activations, the pole that is
        heavier in this corpus first, and ``fifth 1`` (the lowest) to ``fifth 5`` for those drawn from each fifth of the
        activations. Values are oriented. ``token`` and ``value`` are those of the middle of the window; ``text``,
        ``tokens`` and ``values`` are of all of it; ``document`` counts from 0 in the corpus. Raises :class:`InputError`
        for a neuron that was not collected.
        """
        index = self._index_of(neuron)
        turned = self._turned
        fifths = zip(turned.quantile_tokens[index], turned.quantile_values[index], turned.quantile_documents[index])
        groups = [(pole.name, pole.tokens, pole.values, pole.documents) for pole in poles_of(turned, index)]
        groups += [(f"fifth {k}", *group) for k, group in enumerate(fifths, start=1)]
        rows = [
            self._context(group, tokens, values, int(document))
            for group, all_tokens, all_values, documents in groups
            for tokens, values, document in zip(all_tokens, all_values, documents)
            if document >= 0
        ]
        names = ("group", "document", "token", "value", "text", "tokens", "values")
        return frame_of({name: _objects([row[name] for row in rows]) for name in names})

    def _context(self, group: str, tokens: np.ndarray, values: np.ndarray, document: int) -> dict[str, Any]:
        inside = np.flatnonzero(tokens >= 0)
        words = [str(self.vocabulary[token]) for token in tokens[inside]]
        middle = len(tokens) // 2
        return {
            "group": group,
            "document": document,
            "token": str(self.vocabulary[tokens[middle]]),
            "value": float(values[middle]),
            "text": "".join(words),
            "tokens": words,
            "values": [float(value) for value in values[inside]],
        }

    def _index_of(self, neuron: str | int) -> int:
        if isinstance(neuron, str):
            matches = np.flatnonzero(self.neuron_ids == neuron)
        else:
            matches = np.arange(self.n_neurons)[neuron : neuron + 1] if neuron >= 0 else np.zeros(0, int)
        if len(matches) == 0:
            raise InputError(
                f"There is no neuron {neuron!r} among the {self.n_neurons:,} collected.",
                f"Give an index from 0 to {self.n_neurons - 1}, or an id such as {str(self.neuron_ids[0])!r}.",
            )
        return int(matches[0])


def no_fresh_network(p: int) -> dict[str, np.ndarray]:
    """The arrays of the network with fresh weights, for statistics of p neurons without one."""
    return {
        "fresh_counts": np.zeros(0, np.int64),
        "fresh_sums": np.zeros((0, p)),
        "fresh_moments": np.zeros((0, moments.packed_length(p)), np.float32),
        "fresh_autocorrelation": np.zeros((p, 0), np.float32),
    }


def _objects(values: list[Any]) -> Any:
    """``values`` as a column; lists stay lists."""
    if values and isinstance(values[0], list):
        column = np.empty(len(values), dtype=object)
        for row, value in enumerate(values):
            column[row] = value
        return column
    return values
