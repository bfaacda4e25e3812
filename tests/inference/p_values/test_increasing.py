from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.inference.p_values.increasing import increasing

M = 50_000


def drawn(kind: str) -> np.ndarray:
    random = np.random.default_rng(0)
    return {
        "normal": np.abs(random.standard_normal(M)),
        "few values": random.integers(0, 7, M) / 3.0,
        "all equal": np.full(M, 2.5),
        "every size": np.exp(random.uniform(-700, 700, M)),
        "decreasing": np.arange(M, 0, -1.0),
        "without end": np.where(random.uniform(size=M) < 0.1, np.inf, random.uniform(size=M)),
        "hardly different": 1 + random.permutation(M) * 2.0**-52,
    }[kind]


@pytest.mark.parametrize(
    "kind", ["normal", "few values", "all equal", "every size", "decreasing", "without end", "hardly different"]
)
@pytest.mark.parametrize("m", [0, 1, 100, M])
def test_the_order_is_that_of_numpy(kind: str, m: int) -> None:
    values = drawn(kind)[:m]
    assert increasing(values.copy()).tolist() == np.sort(values).tolist()


def test_minus_zero_is_zero() -> None:
    values = np.where(np.arange(M) % 2 == 0, -0.0, np.arange(M) / M)
    assert increasing(values.copy()).tolist() == np.sort(np.abs(values)).tolist()
