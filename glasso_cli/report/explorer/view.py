"""What the page shows, as arrays: neurons, one or two corpora with their graphs along alpha, and the pairs that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glasso_cli.artifacts.crops import Crops
from glasso_cli.report.names import Name

MOST_ALPHAS = 32  # bits of a presence mask


@dataclass(frozen=True, eq=False)
class ShownSamples:
    """Contexts that are samples of images, sequences or rows: where they are in their documents, and their crops."""

    crops: Crops
    places: np.ndarray  # (V,) str
    samples: np.ndarray  # (p, K) into places
    neurons: np.ndarray  # (p,) into the neurons of ``crops``


@dataclass(frozen=True, eq=False)
class CorpusView:
    """A corpus: all E edges of its path, each once with row < column, and the results for them.

    Bit k of ``present`` says whether the graph of alpha k has the edge. ``rho`` holds the partial correlations of alpha 0,
    then those of alpha 1 and so on, each in the order of the edges. Only the S edges of the selected alpha were tested:
    ``tested`` holds their indices, ascending, and the arrays of the tests have the same order.
    """

    name: str
    words: Mapping[str, Any]  # numbers and sentences about the fit, JSON
    alphas: np.ndarray  # (A,) decreasing, at most 32
    selected: int
    rows: np.ndarray  # (E,)
    cols: np.ndarray  # (E,)
    present: np.ndarray  # (E,) uint32
    rho: np.ndarray  # (sum of edges at the alphas,)
    marginal: np.ndarray  # (E,) plain correlations
    tested: np.ndarray  # (S,) indices of edges
    kept: np.ndarray  # (S,) bool: passes the rules and is drawn
    debiased: np.ndarray  # (S,)
    standard_error: np.ndarray  # (S,)
    q_values: np.ndarray  # (S,)
    frequencies: np.ndarray  # (S,) share of half-samples, nan without any
    communities: np.ndarray  # (p,) -1 for isolated neurons
    community_names: Sequence[Name]  # without words where a community has none
    vocabulary: np.ndarray  # (V,) str
    poles: np.ndarray  # (p, K) the sign of the pole that a context is of; 0 where there are fewer
    tokens: np.ndarray  # (p, K, W) into vocabulary, -1 outside the text
    values: np.ndarray  # (p, K, W) nan outside the text
    documents: np.ndarray  # (p, K) -1 where there are fewer
    shown: ShownSamples | None = None  # where contexts are samples: the vocabulary are documents, and W = 1


@dataclass(frozen=True, eq=False)
class Change:
    """The D pairs that differ between two corpora, row < column."""

    rows: np.ndarray  # (D,)
    cols: np.ndarray  # (D,)
    rho: tuple[np.ndarray, np.ndarray]  # (D,) in each corpus, without the penalty's bias
    error: tuple[np.ndarray, np.ndarray]  # (D,)
    q_values: np.ndarray  # (D,)
    classes: np.ndarray  # (D,) index into ``kinds``
    kinds: tuple[str, ...]
    words: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Activity:
    """How the activations of the p neurons differ between two corpora, A and B; nan where one is not compared."""

    mean: tuple[np.ndarray, np.ndarray]  # (p,) in each corpus, oriented
    shift: np.ndarray  # (p,) mean of B less A, in standard deviations
    shift_error: np.ndarray  # (p,)
    shift_q: np.ndarray  # (p,) of H0: at most the minimum effect
    ratio: np.ndarray  # (p,) variance of B over that of A
    ratio_q: np.ndarray  # (p,)
    words: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class AcrossColumn:
    """What one method says of M pairs; nan where a number was not estimated or not kept."""

    name: str
    words: str
    looked: np.ndarray  # (M,) bool
    found: np.ndarray  # (M,) bool
    value: np.ndarray  # (M,)
    error: np.ndarray  # (M,)
    q_values: np.ndarray  # (M,)
    rms: np.ndarray | None  # (M,) over tokens, where the method has it
    rms_error: np.ndarray | None  # (M,) its standard error


@dataclass(frozen=True, eq=False)
class Across:
    """M pairs of neurons in different layers, the strongest first, the source in the earlier layer."""

    sources: np.ndarray  # (M,)
    targets: np.ndarray  # (M,)
    reading: np.ndarray  # (M,) index into the readings of ``words``; the last is of pairs that are not read
    columns: tuple[AcrossColumn, ...]
    words: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class NeuronColumn:
    """A number of each of the p neurons of the page; nan where there is none."""

    title: str
    words: str  # what the number is, in a sentence or two
    value: np.ndarray  # (p,)
    error: np.ndarray | None = None  # (p,) standard errors
    signed: bool = False
    low_first: bool = False  # how it is sorted first


@dataclass(frozen=True, eq=False)
class ColumnGroup:
    """Columns that one stage made."""

    name: str  # in addresses
    title: str
    words: str  # on which texts, and what the errors are
    columns: tuple[NeuronColumn, ...]


@dataclass(frozen=True, eq=False)
class PathwayView:
    """n neurons in layers, E edges from earlier to later ones, and K paths, the strongest first; all signs are oriented.

    The n neurons need not be among the p of the page. If paths end in a scalar, it is the last of the n, in a layer after all
    others, and the last E edges lead to it: slopes, per token and standard deviation.
    """

    ids: list[str]  # (n,)
    labels: list[str]  # (n,)
    names: list[str]  # (n,) empty where a neuron has none
    layers: np.ndarray  # (n,)
    neurons: np.ndarray  # (n,) index into the neurons of the page, -1 where it has none
    ranks: np.ndarray  # (n,) by importance among all scored neurons, from 1; 0 where it was not scored
    importance: np.ndarray  # (n,) nan where it was not scored
    sources: np.ndarray  # (E,)
    targets: np.ndarray  # (E,)
    weights: np.ndarray  # (E,)
    errors: np.ndarray  # (E,)
    paths: np.ndarray  # (K, M) neurons, -1 beyond the last
    effects: np.ndarray  # (K,) products of the weights, with the slope of the scalar
    effect_errors: np.ndarray  # (K,)
    through: np.ndarray  # (K,) measured through the neuron in the middle; nan where the path was not tried
    through_errors: np.ndarray  # (K,)
    words: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class View:
    """The whole page: p neurons, one or two corpora."""

    title: str
    sentence: str
    ids: np.ndarray  # (p,) str
    labels: list[str]  # (p,)
    names: list[str]  # (p,) empty where a neuron has none
    name_scores: np.ndarray  # (p,) nan where it is unknown
    layers: np.ndarray  # (p,) -1 where there is none
    orientation: np.ndarray  # (p,) what the signs of the model were multiplied by: -1 or 1
    corpora: tuple[CorpusView, ...]
    change: Change | None = None
    activity: Activity | None = None
    across: Across | None = None
    columns: tuple[ColumnGroup, ...] = ()
    pathways: PathwayView | None = None

    @property
    def p(self) -> int:
        return len(self.ids)
