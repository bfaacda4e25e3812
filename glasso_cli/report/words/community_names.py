"""A guess at what a community is about: the tokens that activate its neurons more than they activate all others.

The log ratio of their shares with an informative Dirichlet prior, over its standard error (after Monroe, Colaresi and Quinn
2008, who take the log odds): a token counts once for every neuron that has it at the peak of one of its strongest contexts,
at either pole.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csr_array

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.artifacts.orientation import poles_of

_LEAST = 1.64  # standard errors; what is weaker is not named
_PRIOR = 100.0  # tokens that the prior is worth


def community_tokens(stats: ActivationStats, fit: PrecisionPath, most: int = 5) -> list[list[tuple[str, float]]]:
    """:func:`distinctive_tokens` of the communities of a fit, by all contexts of both poles of its neurons."""
    peaks = pole_peaks(stats, fit.neurons)
    return distinctive_tokens(peaks, stats.vocabulary, fit.communities, most)


def pole_peaks(stats: ActivationStats, neurons: np.ndarray) -> np.ndarray:
    """The tokens at the peaks of the contexts at both poles of ``neurons (p,)``, ``(p, 2 K)``, -1 where there is none."""
    count = stats.top_tokens.shape[1]
    peaks = np.full((len(neurons), 2 * count), -1)
    for row, neuron in enumerate(neurons.tolist()):
        for place, pole in enumerate(poles_of(stats, neuron)):
            peaks[row, place * count : (place + 1) * count] = peak_tokens(pole.tokens[None], pole.documents[None])[0]
    return peaks


def peak_tokens(tokens: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """The token at the peak, which is the middle, of every context, ``(p, K)``, -1 where a neuron has fewer.

    ``tokens (p, K, W)`` and ``documents (p, K)`` as in :class:`ActivationStats`.
    """
    return np.where(documents >= 0, tokens[:, :, tokens.shape[2] // 2], -1)


def distinctive_tokens(
    peaks: np.ndarray, vocabulary: np.ndarray, communities: np.ndarray, most: int = 5
) -> list[list[tuple[str, float]]]:
    """For every community the tokens, with their z, that set its members apart, strongest first.

    ``peaks (p, K)`` index into ``vocabulary (V,)``, -1 where a neuron has fewer contexts; ``communities (p,)`` are -1 for
    isolated neurons. Tokens that differ in spaces and capitals alone count as one; those without a letter are left out.
    """
    k = int(communities.max(initial=-1)) + 1
    words, merged = _words(vocabulary)
    if k == 0 or not words:
        return [[] for _ in range(k)]
    counts = _counts(np.where(peaks >= 0, merged[peaks], -1), communities, k, len(words))
    total = np.asarray(counts.sum(axis=0)).ravel()
    background = _PRIOR * total / max(total.sum(), 1.0)
    by_community = []
    for community in range(k):
        row = counts[[community]]
        here, places = row.data, row.indices
        by_community.append(_strongest(here, total[places], background[places], total.sum(), words, places, most))
    return by_community


def _strongest(
    here: np.ndarray,
    everywhere: np.ndarray,
    prior: np.ndarray,
    total: float,
    words: list[str],
    places: np.ndarray,
    most: int,
) -> list[tuple[str, float]]:
    inside, rest = here + prior, everywhere - here + prior
    n_inside, n_rest = here.sum() + _PRIOR, total - here.sum() + _PRIOR
    ratio = np.log(inside / n_inside) - np.log(rest / n_rest)
    z = ratio / np.sqrt(1 / inside + 1 / rest)
    order = np.argsort(-z, kind="stable")[:most]
    return [(words[places[i]], float(z[i])) for i in order.tolist() if z[i] >= _LEAST]


def _words(vocabulary: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The distinct words with a letter, and which of them each token is, ``(V,)``; -1 for the others."""
    index: dict[str, int] = {}
    merged = np.full(len(vocabulary), -1)
    for place, token in enumerate(vocabulary.tolist()):
        word = token.strip("\u2581\u0120 \t\r\n").casefold()
        if any(letter.isalpha() for letter in word):
            merged[place] = index.setdefault(word, len(index))
    return list(index), merged


def _counts(words: np.ndarray, communities: np.ndarray, k: int, size: int) -> csr_array:
    """How many members of each community have each word, ``(k, size)``."""
    rows = np.repeat(np.arange(len(words)), words.shape[1])
    flat = words.ravel()
    used = (flat >= 0) & (communities[rows] >= 0)
    pairs = np.unique(rows[used] * size + flat[used])  # once a neuron
    data = np.ones(len(pairs))
    counts = coo_array((data, (communities[pairs // size], pairs % size)), shape=(k, size))
    return csr_array(counts)
