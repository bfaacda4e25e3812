"""A fit of many values that are mostly zero, such as the latents of a dictionary, out of a sparse matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.api.settings import section_of
from glasso_cli.api.stages import made_from
from glasso_cli.artifacts import PrecisionPath
from glasso_cli.artifacts.metrics.collect import (
    CollectMetrics,
    DocumentCounts,
    EffectiveTokens,
    ModelRead,
    TokenCounts,
)
from glasso_cli.config import FitSection
from glasso_cli.errors import InputError


def fit_sparse(
    values: Any,
    documents: Sequence[Any] | np.ndarray,
    *,
    ids: Sequence[str] | None = None,
    blocks: int = 16,
    lags: int = 32,
    name: str = "corpus",
    seed: int = 0,
    **settings: Any,
) -> PrecisionPath:
    """Sparse precision matrices of p values that are mostly zero, one alpha selected, and every edge tested.

    ``values (n, p)`` is a sparse matrix or array of SciPy, one row per token, such as the latents of a dictionary; p can be
    tens of thousands, since no matrix of all pairs is ever made. ``documents (n,)`` says which rows belong together:
    rows of one document follow each other in the order of its tokens. Document i goes to block i mod ``blocks``, and
    autocorrelations within documents are read up to ``lags`` tokens. ``ids`` name the p columns; ``column[3]`` and so on
    without them. ``settings`` are the keys of the section ``fit``; without ``alpha``, the fit searches for one. Columns that
    do not vary, or that repeat an earlier one, are left out.

    Raises :class:`ConfigError` for a setting that does not exist or is out of bounds, and :class:`InputError` for values
    that are no sparse matrix, for what needs a matrix of all pairs, and for an alpha or a search that comes to too large a
    component.
    """
    from glasso_cli.collection.sparse.latents import autocorrelation_of, unusable_of
    from glasso_cli.console import PythonWarnings
    from glasso_cli.fitting.run import shortfall
    from glasso_cli.fitting.sparse.collected import SparseCollected
    from glasso_cli.fitting.sparse.run import fit_sparse_corpus
    from glasso_cli.inference.effective_n import effective_n
    from glasso_cli.inference.sparse.values import SparseValues

    section = section_of(FitSection, "fit", settings)
    matrix, document = _checked(values, documents, ids, blocks)
    read = SparseValues.of(matrix, document % blocks)
    dead, duplicate_of = unusable_of(read)
    usable = np.flatnonzero(~dead & (duplicate_of < 0))
    R = autocorrelation_of(matrix, document, lags)
    worth = effective_n(R[usable], len(document))
    count = int(document.max()) + 1
    metrics = CollectMetrics(
        model=ModelRead("values", str(matrix.dtype), 0),
        hook_points=(),
        documents=DocumentCounts(count, 0, 0, 0),
        windows=count,
        tokens=TokenCounts(len(document), 0, 0, 0, len(document)),
        n_effective=EffectiveTokens(worth.n_tokens, worth.median, worth.q05),
        neurons=len(dead),
        dead=int(dead.sum()),
        duplicates=int((duplicate_of >= 0).sum()),
        invariants={},
        dtype_difference={},
    )
    p = len(dead)
    collected = SparseCollected(
        values=read,
        neuron_ids=np.array([f"column[{k}]" for k in range(p)] if ids is None else list(ids)),
        layers=np.full(p, -1, np.int32),
        orientation=np.ones(p, np.int8),
        autocorrelation=R,
        usable=usable,
        metrics=metrics,
    )
    fit = fit_sparse_corpus(collected, section, name=name, seed=seed)
    if below := shortfall(name, section, fit):
        PythonWarnings().warn(below)
    return replace(fit, meta={**fit.meta, "below": below, **made_from(fit=section, seed=seed)})


def _checked(values: Any, documents: Any, ids: Any, blocks: int) -> tuple[csr_array, np.ndarray]:
    """The values in rows, and the number of the document of every row."""
    if not hasattr(values, "tocsr"):
        raise InputError(
            f"The values are {type(values).__name__}, not a sparse matrix.", "Give scipy.sparse.csr_array(values)."
        )
    matrix = csr_array(values)
    if matrix.shape[0] == 0 or matrix.shape[1] < 2:
        raise InputError(f"The values have shape {matrix.shape}.", "Give at least one token and two columns.")
    if ids is not None and (len(ids) != matrix.shape[1] or len(set(ids)) != len(ids)):
        raise InputError(
            f"There are {len(set(ids)):,} different ids for {matrix.shape[1]:,} columns.",
            "Give each column its own id.",
        )
    if blocks < 1:
        raise InputError(f"blocks is {blocks}.", "Give at least one block.")
    labels = np.asarray(documents)
    if labels.shape != (matrix.shape[0],):
        raise InputError(
            f"The documents have shape {labels.shape}, and there are {matrix.shape[0]} tokens.",
            "Give the document of each row.",
        )
    number = np.concatenate([[0], np.cumsum(labels[1:] != labels[:-1])])
    if len(np.unique(labels)) != number[-1] + 1:
        raise InputError("The rows of a document do not follow each other.", "Sort the rows by document.")
    return matrix, number
