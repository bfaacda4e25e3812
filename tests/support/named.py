"""Statistics whose neurons are strongest at planted words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from glasso_cli.artifacts import ActivationStats
from support.planted_corpora import statistics

REACH = 4
FILLER = [" the", " of", " stone", *(f" filler{letter}" for letter in "abcdefghijklmnopqrstuvwxyzäöüß")]


def planted_contexts(
    planted: Sequence[Sequence[str]],
    noise: int = 30,
    documents: int = 24,
    contexts: int = 20,
    seed: int = 0,
    filler: Sequence[str] = FILLER,
) -> ActivationStats:
    """Neurons that are strongest at the words of ``planted``, then ``noise`` neurons that are strongest anywhere.

    At their lowest values all are anywhere. The text is made of ``filler``.
    """
    rng = np.random.default_rng(seed)
    vocabulary = list(dict.fromkeys([*filler, *(word for words in planted for word in words)]))
    p, width = len(planted) + noise, 2 * REACH + 1
    base = statistics(rng.standard_normal((16, 4, p)))
    shape = (p, contexts, width)
    high, low = rng.integers(0, len(filler), (2, *shape)).astype(np.int32)
    for neuron, words in enumerate(planted):
        high[neuron, :, REACH] = rng.choice([vocabulary.index(word) for word in words], contexts)
    fifths = rng.integers(0, len(filler), (p, 5, 5, width)).astype(np.int32)
    numbers = np.stack([rng.permutation(documents)[:contexts] for _ in range(2 * p)]).reshape(2, p, contexts)
    strengths = np.sort(rng.uniform(2, 3, (p, contexts)), axis=1)[:, ::-1]
    values = rng.uniform(0, 1, (2, *shape))
    values[:, :, :, REACH] = strengths
    return replace(
        base,
        vocabulary=np.array(vocabulary),
        skewness=np.ones(p),
        top_tokens=high,
        top_values=values[0].astype(np.float32),
        top_documents=numbers[0].astype(np.int32),
        bottom_tokens=low,
        bottom_values=-values[1].astype(np.float32),
        bottom_documents=numbers[1].astype(np.int32),
        quantile_tokens=fifths,
        quantile_values=rng.normal(size=fifths.shape).astype(np.float32),
        quantile_documents=rng.integers(0, documents, (p, 5, 5)).astype(np.int32),
    )
