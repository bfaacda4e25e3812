"""Blocks put together against one pass over everything, and neurons that cannot be fitted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from support.batches import kept_values, random_batch

from glasso_cli.collection import pilot
from glasso_cli.collection.autocorrelation import Autocorrelation
from glasso_cli.collection.batch import ActivationBatch
from glasso_cli.collection.block import BlockStatistics, DenseProducts, Merged, Piece, duplicates, merge, unusable
from glasso_cli.collection.contexts import POLES, WINDOWS
from glasso_cli.collection.pilot import Pilot
from glasso_cli.collection.tails import STEPS
from glasso_cli.linalg import moments

LAGS = 5


def some_batches(count: int = 8) -> list[ActivationBatch]:
    return [random_batch([17, 9, 9, 3, 1], p=4, seed=seed, first_document=10 * seed) for seed in range(count)]


def blocks(batches: list[ActivationBatch], count: int, measured: Pilot, contexts: bool = True) -> list[Piece]:
    pieces = []
    for index in range(count):
        sums = BlockStatistics(
            measured,
            DenseProducts(measured, Autocorrelation(len(measured.mean), LAGS)),
            extent=WINDOWS if contexts else None,
        )
        for batch in batches[index::count]:
            sums.update(batch)
        pieces.append(sums.finish())
    return pieces


def together(pieces: list[Piece], measured: Pilot) -> tuple[Merged, np.ndarray]:
    """The merged pieces and their covariance."""
    counts = np.array([int(piece["count"]) for piece in pieces])
    sums = np.stack([piece["sums"] for piece in pieces])
    covariance = moments.covariance_of(counts, sums, (piece["moments"] for piece in pieces))
    return merge(pieces, np.diag(covariance), measured, WINDOWS), covariance


@pytest.mark.parametrize("transform", ["none", "normal_scores"])
@pytest.mark.parametrize("count", [2, 8])
def test_blocks_are_one_pass(transform: str, count: int) -> None:
    batches = some_batches()
    measured = pilot.measure_sample(batches[0], transform)
    one, one_covariance = together(blocks(batches, 1, measured), measured)
    many, many_covariance = together(blocks(batches, count, measured), measured)
    np.testing.assert_allclose(many_covariance, one_covariance, atol=1e-6)
    np.testing.assert_allclose(many.autocorrelation, one.autocorrelation, atol=1e-5)
    for name, values in one.marginals.items():
        np.testing.assert_allclose(many.marginals[name], values, rtol=1e-6, atol=1e-6, err_msg=name)
    for pole, sign in (("top", 1), ("bottom", -1)):
        peaks = many.poles[pole].values[:, :, WINDOWS.width // 2]
        np.testing.assert_array_equal(peaks, one.poles[pole].values[:, :, WINDOWS.width // 2])
        assert (np.diff(sign * peaks, axis=1) <= 0).all()


@pytest.mark.parametrize("transform", ["none", "normal_scores"])
def test_they_are_the_statistics_of_the_kept_tokens(transform: str) -> None:
    batches = some_batches()
    measured = pilot.measure_sample(batches[0], transform)
    merged, covariance = together(blocks(batches, 3, measured), measured)
    raw = kept_values(batches)
    values = np.concatenate([measured.centred(batch.values[batch.kept]).double().numpy() for batch in batches])
    np.testing.assert_allclose(covariance, np.cov(values.T, ddof=0), atol=1e-6)
    assert merged.counts.sum() == len(raw)
    np.testing.assert_allclose(merged.sums.sum(axis=0), values.sum(axis=0), atol=1e-9)
    np.testing.assert_allclose(merged.marginals["mean"], raw.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(merged.marginals["std"], raw.std(axis=0), rtol=1e-5)
    np.testing.assert_allclose(merged.marginals["kurtosis"], stats.kurtosis(raw, axis=0), rtol=1e-4)
    np.testing.assert_allclose(merged.marginals["skewness"], stats.skew(raw, axis=0), rtol=1e-4)
    assert merged.autocorrelation.shape == (4, LAGS)


def test_an_empty_block_changes_nothing() -> None:
    batches = some_batches(4)
    measured = pilot.measure_sample(batches[0], "none")
    pieces = blocks(batches, 2, measured)
    nothing = BlockStatistics(
        measured, DenseProducts(measured, Autocorrelation(len(measured.mean), LAGS)), extent=WINDOWS
    ).finish()
    with_it, _ = together([*pieces, nothing], measured)
    without, _ = together(pieces, measured)
    np.testing.assert_array_equal(with_it.autocorrelation, without.autocorrelation)
    np.testing.assert_array_equal(with_it.poles["top"].documents, without.poles["top"].documents)
    assert with_it.counts.tolist() == [*without.counts.tolist(), 0]


def test_contexts_are_left_out_on_request() -> None:
    batches = some_batches(2)
    measured = pilot.measure_sample(batches[0], "none")
    pieces = blocks(batches, 2, measured, contexts=False)
    assert not [name for piece in pieces for name in piece if name.startswith(("top", "bottom"))]
    merged, _ = together(pieces, measured)
    assert {pole: held.values.shape for pole, held in merged.poles.items()} == dict.fromkeys(
        POLES, (4, 0, WINDOWS.width)
    )


def test_a_piece_is_plain_arrays_of_known_size() -> None:
    batches = some_batches(1)
    (piece,) = blocks(batches, 1, pilot.measure_sample(batches[0], "none"))
    shapes = {name: (array.dtype.name, array.shape) for name, array in piece.items()}
    assert shapes == {
        "count": ("int64", ()),
        "sums": ("float64", (4,)),
        "moments": ("float32", (10,)),
        "powers": ("float64", (4, 4)),
        "tail_counts": ("int64", (4, STEPS)),
        "tail_sums": ("float64", (4, STEPS)),
        "lag_pairs": ("float64", (LAGS,)),
        "lag_ends": ("float64", (LAGS, 4)),
        "lag_products": ("float64", (LAGS, 4)),
        **{f"{pole}_tokens": ("int32", (4, WINDOWS.top, WINDOWS.width)) for pole in POLES},
        **{f"{pole}_values": ("float32", (4, WINDOWS.top, WINDOWS.width)) for pole in POLES},
        **{f"{pole}_documents": ("int32", (4, WINDOWS.top)) for pole in POLES},
    }


# -- neurons that cannot be fitted ----------------------------------------------------------------


def planted(n: int = 4000) -> np.ndarray:
    """Neurons 1 and 4 repeat 0 (4 upside down), 2 is dead, 3 is free, 5 is constant off the centre, 6 rarely fires."""
    rng = np.random.default_rng(0)
    x, free = rng.standard_normal((2, n))
    rare = np.zeros(n)
    rare[17] = 1e-3
    columns = [x, 2 * x + 1e-4 * rng.standard_normal(n), 0 * x, free, 5 - x, 0 * x + 1 / 3, rare]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("count", [1, 16])
def test_dead_and_repeated_neurons_are_found(count: int) -> None:
    values = planted()
    parts = [values[index::count] for index in range(count)]
    packed = [moments.pack_upper(part.T @ part).astype(np.float32) for part in parts]
    sums = np.stack([part.sum(axis=0) for part in parts])
    covariance = moments.covariance_of(np.array([len(part) for part in parts]), sums, packed)
    dead, repeats = unusable(covariance, sums.sum(axis=0) / len(values))
    assert dead.tolist() == [False, False, True, False, False, True, False]
    assert repeats.tolist() == [-1, 0, -1, -1, 0, -1, -1]


def test_repeats_name_neurons_not_rows() -> None:
    r = np.array([[1, 0.2, 0.99995], [0.2, 1, 0], [0.99995, 0, 1]])
    assert duplicates(r, np.array([4, 7, 9])).tolist() == [-1, -1, 4]


def test_a_chain_of_near_repeats_is_not_one_group() -> None:
    """1 repeats 0 and 2 repeats 1, but 2 is not close enough to 0, so it stays."""
    r = np.array([[1, 0.99995, 0.9998, 0], [0.99995, 1, 0.99995, 0], [0.9998, 0.99995, 1, 0.99995], [0, 0, 0.99995, 1]])
    assert duplicates(r, np.arange(4)).tolist() == [-1, 0, -1, 2]


def test_a_neuron_between_two_others_repeats_the_first() -> None:
    r = np.array([[1, 0.9998, 0.99995], [0.9998, 1, 0.99995], [0.99995, 0.99995, 1]])
    assert duplicates(r, np.arange(3)).tolist() == [-1, -1, 0]


def test_all_neurons_may_be_dead() -> None:
    dead, repeats = unusable(np.zeros((3, 3)), np.ones(3))
    assert dead.all()
    assert repeats.tolist() == [-1, -1, -1]
