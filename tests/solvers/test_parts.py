"""A path of parts is that of the whole matrix, and so is its certificate."""

from __future__ import annotations

import numpy as np
import pytest
from support.glasso_problems import band, hub, sample_correlation

from glasso_cli.errors import InputError
from glasso_cli.solvers import fit_path
from glasso_cli.solvers.certificate import certificate
from glasso_cli.solvers.components import labels
from glasso_cli.solvers.parts import Part, fit_parts
from glasso_cli.solvers.screening import members_of

ALPHAS = (0.3, 0.15, 0.06)


def three_groups() -> np.ndarray:
    """A band of 12, a hub of 20 and two alone; what is between them is not zero, but below every alpha."""
    random = np.random.default_rng(5)
    S = random.uniform(-0.01, 0.01, (34, 34))
    S = (S + S.T) / 2
    first, second = np.arange(0, 24, 2), np.setdiff1d(np.arange(32), np.arange(0, 24, 2))
    S[np.ix_(first, first)] = sample_correlation(band(12), 300, 1)
    S[np.ix_(second, second)] = sample_correlation(hub(20), 300, 2)
    np.fill_diagonal(S, 1.0)
    return np.asarray(S)


def parts(S: np.ndarray, alpha: float) -> list[Part]:
    return [Part.of(members, S[np.ix_(members, members)]) for members in members_of(labels(S, alpha))]


@pytest.mark.parametrize("small", [0, 48])  # neurons up to which a part is solved by compiled descent
@pytest.mark.parametrize("penalise_diagonal", [False, True])
def test_the_path_is_that_of_the_whole(penalise_diagonal: bool, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glasso_cli.solvers.parts.SMALL", small)
    S = three_groups()
    whole = fit_path(S, ALPHAS, penalise_diagonal=penalise_diagonal, tol=1e-11)
    apart = fit_parts(parts(S, min(ALPHAS)), np.ones(len(S)), ALPHAS, penalise_diagonal=penalise_diagonal, tol=1e-11)
    for expected, found in zip(whole, apart, strict=True):
        assert found.chain == expected.chain
        assert found.n_components == expected.n_components
        for name, error in (("rows", 0), ("cols", 0), ("values", 3e-4), ("diagonal", 3e-4), ("objective", 1e-8)):
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-8, atol=error)


def test_the_certificate_is_that_of_the_whole_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum of the gaps of the parts bounds the distance to the optimum of all neurons together."""
    monkeypatch.setattr("glasso_cli.solvers.parts.SMALL", 0)  # whose gaps would be zero
    S = three_groups()
    for point in fit_parts(parts(S, min(ALPHAS)), np.ones(len(S)), ALPHAS, tol=1e-4):
        assert 0 < point.duality_gap <= 1e-4
        proof = certificate(point.precision().toarray(), S, point.alpha)
        np.testing.assert_allclose(point.objective, proof.objective, rtol=1e-12)
        np.testing.assert_allclose(point.duality_gap, proof.duality_gap, rtol=1e-6, atol=1e-13)
        np.testing.assert_allclose(point.kkt_residual, proof.kkt_residual, atol=1e-12)


def test_a_strong_pair_between_parts_would_be_seen_by_the_certificate_of_the_whole() -> None:
    """The condition on the pairs between parts is needed: without it the certificate of the parts is not that of the whole."""
    S = three_groups()
    split = parts(S, min(ALPHAS))
    S[0, 33] = S[33, 0] = 0.1
    (point,) = fit_parts(split, np.ones(len(S)), [0.06])
    assert point.converged
    assert certificate(point.precision().toarray(), S, 0.06).duality_gap > 1e-5


def test_no_parts_and_bad_parts() -> None:
    (point,) = fit_parts([], np.ones(3), [0.5])
    assert (point.n_edges, point.converged, point.n_components) == (0, True, 3)
    with pytest.raises(InputError, match="no solver"):
        fit_parts([], np.ones(3), [0.5], solver="none")
    with pytest.raises(InputError, match="not a positive number"):
        fit_parts([], np.ones(3), [0.0])
    with pytest.raises(InputError, match="not positive semidefinite"):
        Part.of(np.arange(2), np.array([[1.0, 2.0], [2.0, 1.0]]))
