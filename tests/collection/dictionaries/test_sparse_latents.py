"""Latents whose values are kept, and the fit of them, are those of dense moments; what needs moments is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from support.latents import write_parts
from support.tiny_models import TEXT

import glasso_cli as g
from glasso_cli.artifacts import ActivationStats
from glasso_cli.collection.dictionaries import reading
from glasso_cli.collection.run import collect_corpus
from glasso_cli.config import CollectSection, FitSection
from glasso_cli.config.sections.fit import SelectSection
from glasso_cli.errors import InputError, NoPairsError
from glasso_cli.fitting.run import fit_corpus
from glasso_cli.models.loaded import LoadedModel

pytestmark = pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")
FIT = FitSection(
    alpha=(0.5, 0.3), select=SelectSection(rule="fixed", alpha=0.3), estimate="lasso", half_samples=4, tol=1e-11
)
Collect = Callable[..., ActivationStats]


@pytest.fixture
def collect(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> Collect:
    """The latents that are the positive and the negative parts of 32 coordinates of a tiny model."""
    folder, model = write_parts(tmp_path / "parts", 32, 3.0), loaded("gemma3")
    random = np.random.default_rng(5)
    texts = [" ".join(random.choice(TEXT.split(), 20)) for _ in range(64)]

    def collected(moments: str, **more: Any) -> ActivationStats:
        sae = {"file": str(folder), "hook_point": "resid.1", "least_documents": 8, "moments": moments}
        return collect_corpus(model, texts, CollectSection.model_validate({"blocks": 8, "lags": 4, **more, "sae": sae}))

    return collected


@pytest.mark.slow
def test_the_statistics_and_the_fit_are_those_of_dense_moments(collect: Collect, tmp_path: Path) -> None:
    dense, sparse = collect("dense"), collect("sparse")
    assert sparse.keeps_values
    assert not dense.keeps_values
    assert sparse.moments.size == 0
    for item in fields(ActivationStats):
        if item.name not in ("meta", "moments") and not item.name.startswith("active"):
            expected, found = getattr(dense, item.name), getattr(sparse, item.name)
            if expected is not None and expected.dtype.kind == "f":
                assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=item.name)
            else:
                assert_array_equal(found, expected, err_msg=item.name)
    path = tmp_path / "sparse.npz"
    sparse.save(path)
    expected, found = fit_corpus(dense, FIT), fit_corpus(ActivationStats.load(path), FIT)
    assert found.metrics.edges_at_alpha > 5
    for name in ("neuron_ids", "neurons", "rows", "cols", "kept"):
        assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    for name in ("values", "marginals", "debiased", "standard_error"):
        assert_allclose(getattr(found, name), getattr(expected, name), rtol=2e-3, atol=2e-4, err_msg=name)


@pytest.mark.slow
def test_many_latents_are_kept_as_values(collect: Collect, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not collect("auto").keeps_values
    monkeypatch.setattr(reading, "MOST_DENSE", 10)
    assert collect("auto").keeps_values
    assert not collect("auto", neurons=5).keeps_values
    assert not collect("dense").keeps_values


@pytest.mark.slow
def test_the_size_of_batches_changes_no_byte(collect: Collect) -> None:
    one, other = collect("sparse"), collect("sparse", batch_tokens=64)
    for name in ("active_counts", "active_columns"):
        assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.slow
def test_what_needs_moments_is_refused(collect: Collect) -> None:
    with pytest.raises(InputError, match="null: true needs the moments"):
        collect("sparse", null=True)
    stats = collect("sparse")
    fit = g.fit(stats, alpha=0.5, half_samples=0)
    acts: list[Callable[[], object]] = [
        stats.covariance,
        stats.correlation,
        lambda: g.fit_ordered(stats, alpha=0.5),
        lambda: g.structure(stats, fit),
        lambda: g.compare((stats, fit), (stats, fit)),
    ]
    for act in acts:
        with pytest.raises(NoPairsError, match="not the moments of all pairs"):
            act()
