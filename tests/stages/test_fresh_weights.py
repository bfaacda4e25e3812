"""`collect.null: reinitialised` with tiny models: the sums are those of the fresh network, and the trained one is as before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.real_runs import Runner, interrupted_after

from glasso_cli.artifacts.pieces import write_piece
from glasso_cli.collection import corpus_pass

FRESH = "collect.null=reinitialised"


@pytest.mark.slow
def test_it_is_collected_beside_the_moments_and_changes_none_of_them(runner: Runner) -> None:
    plain, both = runner.collect(out="plain"), runner.collect(FRESH)
    assert plain.fresh_network() is None
    np.testing.assert_array_equal(plain.moments, both.moments)
    fresh = both.fresh_network()
    assert fresh is not None
    assert fresh.n_tokens > 0
    assert fresh.moments.shape == both.moments.shape
    assert fresh.autocorrelation.shape == both.autocorrelation.shape
    assert not np.allclose(fresh.covariance(), both.covariance(), rtol=0.1)


@pytest.mark.slow
def test_the_seed_alone_decides_the_weights(runner: Runner) -> None:
    first, again, other = runner.collect(FRESH), runner.collect(FRESH, out="again"), runner.collect(FRESH, "seed=7")
    np.testing.assert_array_equal(first.fresh_moments, again.fresh_moments)
    assert not np.allclose(first.fresh_moments, other.fresh_moments)


@pytest.mark.slow
@pytest.mark.parametrize("finished", [1, 6, 8])
def test_an_interrupted_collection_ends_in_the_same_bytes(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, finished: int
) -> None:
    monkeypatch.setattr(corpus_pass, "GROUP_TOKENS", 1)
    runner.collect(FRESH, out="whole")
    with monkeypatch.context() as patched:
        patched.setattr(corpus_pass, "write_piece", interrupted_after(finished, write_piece))
        with pytest.raises(KeyboardInterrupt):
            runner.collect(FRESH)
    assert not Path("out/collect/words.npz").exists()
    runner.collect(FRESH)
    assert Path("out/collect/words.npz").read_bytes() == Path("whole/collect/words.npz").read_bytes()
    assert not list(Path("out").rglob("block-*.npz"))


@pytest.mark.slow
def test_fit_puts_its_graph_beside_that_of_the_trained_network(runner: Runner) -> None:
    fit = runner.fit(FRESH)
    found = fit.metrics.fresh_network
    assert found is not None
    assert 0 <= found.drawn <= found.at_alpha
    assert "before training" in runner.command("show", "out/fit/words.npz").output
    assert fit.metrics.null is None
