"""From sums by document to effects: tests over all pairs, documents in several batches, and ratios of slopes."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.inference.document_means import beyond_least, clustered, sign_flips
from glasso_cli.intervention.assemble import by_document, judged


def planted(documents: int, effects: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums and squares ``(S, D, T)`` of tokens whose mean effects are ``effects (S, T)``, and tokens per document."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(30, 80, documents)
    sums, squares = np.zeros((2, len(effects), documents, effects.shape[1]))
    for place, count in enumerate(tokens.tolist()):
        own = effects + 0.05 * rng.standard_normal(effects.shape)
        values = own + 0.2 * rng.standard_normal((count, *effects.shape))
        sums[:, place], squares[:, place] = values.sum(axis=0), (values**2).sum(axis=0)
    return sums, squares, tokens


@pytest.mark.slow
@pytest.mark.parametrize("documents", [20, 40])
def test_few_of_the_found_effects_are_not_there(documents: int) -> None:
    rng = np.random.default_rng(1)
    effects = np.where(rng.random((8, 400)) < 0.2, 0.3, 0.02) * rng.choice([-1, 1], (8, 400))
    sums, squares, tokens = planted(documents, effects)
    found = judged(sums, squares, tokens, 0.02, sign_flips(documents, 0), "mean")
    hits = found.q <= 0.05
    real = np.abs(effects) > 0.1
    assert hits[real].mean() > 0.95
    assert (hits & ~real).sum() <= 0.06 * hits.sum()


def test_each_pair_has_the_error_and_the_p_value_of_its_own_documents() -> None:
    effects = np.random.default_rng(2).normal(0, 0.1, (3, 5))
    sums, squares, tokens = planted(12, effects)
    signs = sign_flips(12, 0)
    by_mean, by_rms = (judged(sums, squares, tokens, 0.02, signs, by) for by in ("mean", "rms"))
    for source in range(3):
        mean, error = clustered(sums[source], tokens)
        np.testing.assert_array_equal(by_mean.effects[source], mean)
        np.testing.assert_array_equal(by_mean.errors[source], error)
        np.testing.assert_array_equal(by_mean.p[source], beyond_least(sums[source], tokens, 0.02, signs))
        power, power_error = clustered(squares[source], tokens)
        np.testing.assert_allclose(by_rms.rms[source], np.sqrt(power))
        np.testing.assert_allclose(by_rms.rms_errors[source], power_error / (2 * np.sqrt(power)))
    order = np.argsort(by_mean.p.ravel())
    assert (np.diff(by_mean.q.ravel()[order]) >= 0).all()


def test_the_error_of_a_root_mean_square_is_its_spread() -> None:
    runs = [planted(20, np.array([[0.3]]), seed) for seed in range(300)]
    made = [judged(sums, squares, tokens, 0.0, np.empty((0, 20)), "mean") for sums, squares, tokens in runs]
    spread = np.std([found.rms[0, 0] for found in made])
    assert np.mean([found.rms_errors[0, 0] for found in made]) == pytest.approx(spread, rel=0.15)


def test_a_document_in_two_batches_is_one_document() -> None:
    rng = np.random.default_rng(3)

    def piece(documents: list[int]) -> dict[str, np.ndarray]:
        d = len(documents)
        shapes = {"sums": (2, 3, d, 4), "squares": (2, 3, d, 4), "linear": (1, 1, d, 4), "random": (2, d, 4)}
        shapes |= {"random_squares": (2, d, 4), "outputs": (2, 3, d, 1), "output_tokens": (d, 1)}
        arrays = {name: rng.random(shape) for name, shape in shapes.items()}
        return {**arrays, "documents": np.array(documents), "outside": np.array([len(documents)])}

    one, two = piece([0, 3]), piece([3, 7, 9])
    found = by_document([one, two], {0: 10, 3: 25, 7: 4})
    assert found.documents.tolist() == [0, 3, 7]
    assert found.tokens.tolist() == [10, 25, 4]
    np.testing.assert_allclose(found.arrays["sums"][:, :, 1], one["sums"][:, :, 1] + two["sums"][:, :, 0])
    np.testing.assert_allclose(found.arrays["random"][:, 2], two["random"][:, 1])
    np.testing.assert_allclose(found.arrays["output_tokens"][1], one["output_tokens"][1] + two["output_tokens"][0])
    assert found.arrays["outside"] == [5]
