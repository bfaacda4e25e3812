"""What a joint fit refuses, in words and before it computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.joint_problems import corpora

from glasso_cli.errors import InputError
from glasso_cli.solvers.joint import admm, cost
from glasso_cli.solvers.joint.fit import fit_joint

GOOD = corpora(4, 30)
NAN = GOOD.copy()
NAN[1, 0, 1] = np.nan
INDEFINITE = np.stack([GOOD[0], np.eye(4) - 2 * np.eye(4)[::-1]])


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (GOOD, {"lambda1": -0.1}, "lambda1 is -0.1"),
        (GOOD, {"lambda2": np.inf}, "lambda2 is inf"),
        (GOOD, {"lambda2": np.nan}, "lambda2 is nan"),
        (GOOD, {"lambda1": 0.0}, "in common unpenalised"),
        (GOOD, {"lambda1": 0.0, "lambda2": 0.0, "penalty": "group"}, "Both lambdas are 0"),
        (GOOD, {"penalty": "elastic"}, "no joint penalty 'elastic'"),
        (GOOD[:1], {}, "two corpora or more, not 1"),
        ([], {}, "two corpora or more, not 0"),
        ([GOOD[0], GOOD[0][:3, :3]], {}, "4, 3 neurons, not the same number"),
        ([GOOD[0], GOOD[0][:3]], {}, r"Corpus 2 of 2: The covariance has shape \(3, 4\)"),
        (GOOD[0], {}, "Corpus 1 of 4"),
        (NAN, {}, "Corpus 2 of 2: The covariance contains NaN"),
        (INDEFINITE, {}, "Corpus 2 of 2: .* not positive semidefinite"),
        (GOOD, {"weights": [1.0]}, r"weights have shape \(1,\), not \(2,\)"),
        (GOOD, {"weights": [1.0, 0.0]}, "not a positive number"),
        (GOOD, {"weights": [1.0, np.nan]}, "not a positive number"),
    ],
)
def test_bad_input(given: list[Any] | np.ndarray, options: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"lambda1": 0.1, "lambda2": 0.1, "penalty": "fused"} | options
    with pytest.raises(InputError, match=message) as caught:
        fit_joint(given, arguments.pop("lambda1"), arguments.pop("lambda2"), **arguments)
    assert caught.value.hint


@pytest.mark.parametrize("error", [AssertionError(), AssertionError("not symmetric"), np.linalg.LinAlgError("no eigh")])
def test_a_breakdown_of_gglasso_is_said_in_words(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_args: Any, **_options: Any) -> Any:
        raise error

    monkeypatch.setattr(admm, "_admm", lambda: breaks)
    with pytest.raises(InputError, match=f"GGLasso broke down on the joint problem: .*{error}"):
        fit_joint(GOOD, 0.05, 0.05, penalty="group")


def test_a_fit_of_more_than_ten_minutes_is_refused_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admm, "solve", None)
    monkeypatch.setattr(cost, "LIMIT", cost.seconds(9, 2))
    S = np.stack([np.eye(12)] * 2)
    S[:, :10, :10] = 0.5 * np.eye(10) + 0.5
    with pytest.raises(InputError, match=r"2 corpora over 12 neurons \(10 of them connected\)") as caught:
        fit_joint(S, 0.1, 0.1, penalty="group")
    assert "compare.neurons" in caught.value.hint


def test_the_estimate_of_time() -> None:
    assert cost.seconds(400, 2) / cost.ITERATIONS == pytest.approx(0.09, rel=0.1)
    assert cost.seconds(400, 4) == 2 * cost.seconds(400, 2)
    for K in (2, 5):
        assert cost.seconds(cost.most(K), K) <= 600 < cost.seconds(cost.most(K) + 1, K)
    cost.check_time(5000, 400, 2)
    with pytest.raises(InputError, match=r"3 corpora over 4,000 neurons would take about 1\d\d minutes"):
        cost.check_time(4000, 4000, 3)
