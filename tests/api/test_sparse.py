"""A fit of a sparse matrix from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import coo_array, csc_array, csr_array
from support.sparse_values import latents

import glasso_cli as g
from glasso_cli.errors import ConfigError, InputError

P = 30
TOKENS = latents(P, 640, 10, seed=2)
VALUES = csr_array(TOKENS.reshape(-1, P))
DOCUMENTS = np.repeat(np.arange(640), 10)
OPTIONS: dict[str, Any] = {"alpha": 0.1, "half_samples": 0}


def test_planted_edges_are_found_and_the_fit_is_an_artifact(tmp_path: Path) -> None:
    fit = g.fit_sparse(VALUES, DOCUMENTS, name="planted", **OPTIONS)
    part = fit.drawn()
    pairs = set(zip(fit.rows[part].tolist(), fit.cols[part].tolist()))
    assert pairs == {(j, j + 1) for first in range(0, P // 2, 3) for j in (first, first + 1)}
    assert fit.neuron_ids[3] == "column[3]"
    path = tmp_path / "fit.npz"
    fit.save(str(path))
    loaded = g.load(str(path))
    assert isinstance(loaded, g.PrecisionPath)
    assert len(loaded.edges_frame()) == fit.metrics.edges_at_alpha
    assert "planted" in repr(loaded)


@pytest.mark.parametrize("kind", [coo_array, csc_array])
def test_any_sparse_matrix_gives_the_same_fit(kind: type) -> None:
    one, other = (g.fit_sparse(values, DOCUMENTS, **OPTIONS) for values in (VALUES, kind(VALUES)))
    for name in ("rows", "cols", "values", "q_values"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_columns_that_cannot_be_fitted_are_left_out() -> None:
    tokens = TOKENS.copy()
    tokens[..., 1] = 0
    tokens[..., 4] = tokens[..., 3]
    ids = [f"latent {k}" for k in range(P)]
    fit = g.fit_sparse(csr_array(tokens.reshape(-1, P)), DOCUMENTS, ids=ids, **OPTIONS)
    left = np.setdiff1d(np.arange(P), [1, 4])
    np.testing.assert_array_equal(fit.neurons, left)
    assert fit.neuron_ids.tolist() == [ids[k] for k in left]
    assert (fit.metrics.collect.dead, fit.metrics.collect.duplicates) == (1, 1)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="not a sparse matrix"):
        g.fit_sparse(VALUES.toarray(), DOCUMENTS, **OPTIONS)
    with pytest.raises(InputError, match="do not follow each other"):
        g.fit_sparse(VALUES, DOCUMENTS % 7, **OPTIONS)
    with pytest.raises(InputError, match="documents have shape"):
        g.fit_sparse(VALUES, DOCUMENTS[1:], **OPTIONS)
    with pytest.raises(InputError, match="1 different ids for 30"):
        g.fit_sparse(VALUES, DOCUMENTS, ids=["a"] * P, **OPTIONS)
    with pytest.raises(InputError, match="blocks is 0"):
        g.fit_sparse(VALUES, DOCUMENTS, blocks=0, **OPTIONS)
    with pytest.raises(ConfigError, match="did you mean"):
        g.fit_sparse(VALUES, DOCUMENTS, alphas=0.1)
