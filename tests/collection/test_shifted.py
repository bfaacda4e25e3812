from __future__ import annotations

import numpy as np
import pytest
import torch

from glasso_cli.collection import shifted
from glasso_cli.collection.shifted import ShiftedMoments, rotate_columns
from glasso_cli.linalg.moments import unpack_upper


def series(n: int, p: int, ar: float = 0.0, common: float = 0.0) -> torch.Tensor:
    random = np.random.default_rng(n)
    steps = np.sqrt(1 - common) * random.standard_normal((n, p)) + np.sqrt(common) * random.standard_normal((n, 1))
    for t in range(1, n):
        steps[t] = ar * steps[t - 1] + np.sqrt(1 - ar**2) * steps[t]
    return torch.tensor(steps, dtype=torch.float32)


@pytest.mark.parametrize(("n", "p"), [(1, 3), (10, 1), (50, 70), (7, 130)])
def test_every_column_is_turned_by_its_offset(n: int, p: int) -> None:
    values = series(n, p)
    offsets = np.random.default_rng(0).integers(n, size=p)
    found = rotate_columns(values, offsets).numpy()
    for column, offset in enumerate(offsets):
        np.testing.assert_array_equal(found[:, column], np.roll(values[:, column].numpy(), offset))


def moments(values: torch.Tensor, sizes: list[int], seed: tuple[int, ...] = (0, 1)) -> np.ndarray:
    sums = ShiftedMoments(values.shape[1], seed)
    for part in values.split(sizes):
        sums.update(part)
    return unpack_upper(sums.finish(), values.shape[1])


@pytest.mark.parametrize("n", [30, 99, 100, 101, 517])
def test_batches_of_any_size_give_the_same_bytes(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shifted, "CHUNK", 50)
    values = series(n, 9)
    whole = moments(values, [n])
    assert moments(values, [1] * n).tobytes() == moments(values, [n - 7, 7]).tobytes() == whole.tobytes()
    np.testing.assert_allclose(whole.diagonal(), (values.double() ** 2).sum(0), rtol=1e-12)
    assert moments(values, [n], seed=(0, 2)).tobytes() != whole.tobytes()


def test_what_neurons_have_in_common_is_gone_and_their_own_past_is_kept() -> None:
    values = series(20_000, 30, ar=0.8, common=0.6)
    found = moments(values, [20_000]) / 20_000
    off = np.abs(found[np.triu_indices(30, 1)])
    assert np.abs(np.cov(values.numpy().T)[0, 1]) > 0.5
    expected = np.sqrt((1 + 0.64) / (1 - 0.64) / 20_000)  # the standard deviation of a correlation of such series
    assert np.sqrt((off**2).mean()) == pytest.approx(expected, rel=0.3)


def test_of_no_tokens_there_is_nothing() -> None:
    assert moments(series(1, 4)[:0], [0]).tolist() == np.zeros((4, 4)).tolist()
