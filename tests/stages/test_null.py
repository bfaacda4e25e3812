"""The circular-shift null, from `collect` to what `fit` says about it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.real_runs import Runner, interrupted_after

from glasso_cli.artifacts.pieces import write_piece
from glasso_cli.collection import corpus_pass
from glasso_cli.errors import InputError

NULL = "collect.null=true"


@pytest.mark.slow
def test_it_is_collected_beside_the_moments_and_changes_none_of_them(runner: Runner) -> None:
    plain, null = runner.collect(out="plain"), runner.collect(NULL)
    assert plain.null_covariance() is None
    np.testing.assert_array_equal(plain.moments, null.moments)
    shifted, true = null.null_covariance(), null.covariance()
    assert shifted is not None
    np.testing.assert_allclose(shifted.diagonal(), true.diagonal(), rtol=1e-4)
    off = ~np.eye(len(true), dtype=bool)
    scale = np.sqrt(np.outer(true.diagonal(), true.diagonal()))
    assert np.abs((shifted / scale)[off]).mean() < 0.5 * np.abs((true / scale)[off]).mean()


@pytest.mark.slow
@pytest.mark.parametrize("budget", [16, 64, 100_000])
def test_the_size_of_batches_does_not_change_it(runner: Runner, budget: int) -> None:
    first = runner.collect(NULL)
    second = runner.collect(NULL, f"collect.batch_tokens={budget}", out="other")
    np.testing.assert_allclose(second.null_moments, first.null_moments, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_an_interrupted_collection_ends_in_the_same_bytes(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_pass, "GROUP_TOKENS", 1)
    runner.collect(NULL, out="whole")
    with monkeypatch.context() as patched:
        patched.setattr(corpus_pass, "write_piece", interrupted_after(3, write_piece))
        with pytest.raises(KeyboardInterrupt):
            runner.collect(NULL)
    assert not Path("out/collect/words.npz").exists()
    runner.collect(NULL)
    assert Path("out/collect/words.npz").read_bytes() == Path("whole/collect/words.npz").read_bytes()


@pytest.mark.slow
def test_fit_counts_what_it_finds_there(runner: Runner) -> None:
    fit = runner.fit(NULL, "fit.fdr=0.05")
    found = fit.metrics.null
    assert found is not None
    assert found.at_alpha < fit.metrics.edges_at_alpha / 4
    assert found.drawn <= found.at_alpha
    assert "shifted against each other" in runner.command("show", "out/fit/words.npz").output
    without = runner.fit(NULL, "fit.null=false")
    assert without.metrics.null is None


def test_a_null_that_was_not_collected_is_refused(runner: Runner) -> None:
    runner.collect()
    with pytest.raises(InputError, match="the statistics have none") as caught:
        runner.run("fit", set_=("fit.null=true",))
    assert "collect.null: true" in caught.value.hint


def test_show_says_how_far_a_fit_can_be_trusted(runner: Runner) -> None:
    runner.fit("fit.fdr=0.05", "fit.min_effect=0.1")
    text = runner.command("show", "out/fit/words.npz").output
    metrics = json.loads(runner.command("show", "out/fit/words.npz", "--json").output)["metrics"]
    for part in (
        f"worth {metrics['collect']['n_effective']['median']:,.0f} independent ones",
        "special",
        "0.4 of 3: as given",
        "certified: duality gap",
        f"{metrics['edges']:,} drawn",
        "expected among those drawn",
        "by a jackknife over documents",
        "% of the edges of one half of the documents",
        "leading ones carry",
    ):
        assert part in text
