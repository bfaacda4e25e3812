"""Fits of the same tokens without and with a matrix of all pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.artifacts import PrecisionPath
from glasso_cli.config import FitSection
from glasso_cli.fitting.run import fit_corpus
from glasso_cli.fitting.sparse.collected import SparseCollected
from glasso_cli.inference.sparse.values import SparseValues
from support.planted import autocorrelation
from support.planted_corpora import statistics
from support.sparse_values import block_of_tokens


def collected(tokens: np.ndarray) -> SparseCollected:
    """What `collect` would give for ``tokens (D, T, p)``, with autocorrelations and without a dense moment."""
    stats = statistics(tokens)
    p = tokens.shape[2]
    return SparseCollected(
        values=SparseValues.of(csr_array(tokens.reshape(-1, p)), block_of_tokens(tokens, 16)),
        neuron_ids=stats.neuron_ids,
        layers=stats.layers,
        orientation=stats.orientation,
        autocorrelation=autocorrelation(tokens).astype(np.float32),
        usable=stats.usable(),
        metrics=stats.metrics,
    )


def dense(tokens: np.ndarray, section: FitSection) -> PrecisionPath:
    """The fit of the dense route."""
    stats = replace(statistics(tokens), autocorrelation=autocorrelation(tokens).astype(np.float32))
    return fit_corpus(stats, section)
