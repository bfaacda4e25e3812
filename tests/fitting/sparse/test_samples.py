"""Resamples of many sparse neurons choose the alpha of the dense route."""

from __future__ import annotations

from typing import Literal

import pytest
from numpy.testing import assert_allclose, assert_array_equal
from support.sparse_fits import collected, dense
from support.sparse_values import latents

from glasso_cli.config import FitSection
from glasso_cli.config.sections.fit import SelectSection
from glasso_cli.console import PythonWarnings
from glasso_cli.engine.pool import Pool
from glasso_cli.engine.tasks import using
from glasso_cli.fitting import sample_curves
from glasso_cli.fitting.sparse.run import fit_sparse_corpus


class Notes(PythonWarnings):
    """Keeps what is said of progress."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        """Keep the line."""
        self.said.append(text)


ALPHAS = (0.6, 0.4, 0.25, 0.15, 0.08, 0.04, 0.02)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["cv", "stars"])
def test_the_curve_and_the_alpha_are_those_of_the_dense_route(
    rule: Literal["cv", "stars"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_curves, "_TOLERANCE", 0.0)
    tokens = latents(48, 256, 10)
    tokens[::2, :, 7] = 0  # varies in half of the blocks
    section = FitSection(
        alpha=ALPHAS,
        select=SelectSection(rule=rule, folds=4, half_samples=4, instability=0.02),
        estimate="lasso",
        half_samples=0,
        tol=1e-11,
    )
    expected, found = dense(tokens, section), fit_sparse_corpus(collected(tokens), section)
    assert_allclose(found.criterion, expected.criterion, rtol=1e-5)
    assert_allclose(found.criterion_error, expected.criterion_error, rtol=1e-3)
    assert found.selected == expected.selected
    assert 0 < found.selected < len(ALPHAS) - 1
    assert_array_equal(found.rows, expected.rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("halves", "workers", "engine", "named"),
    [
        (2, 4, None, ["fit.workers"]),
        (2, 4, Pool(), ["fit.workers and engine"]),
        (2, 1, None, []),
        (0, 4, Pool(), []),
    ],
)
def test_processes_that_are_asked_for_are_told_to_be_unused(
    halves: int, workers: int, engine: Pool | None, named: list[str]
) -> None:
    notes = Notes()
    section = FitSection(alpha=(0.4,), select=SelectSection(rule="fixed"), half_samples=halves, workers=workers)
    with using(engine):
        fit_sparse_corpus(collected(latents(12, 64, 10)), section, reporter=notes)
    told = "not used: halves and folds of sparse latents are fitted one after the other"
    assert [text for text in notes.said if "not used" in text] == [f"fit corpus: {keys} {told}" for keys in named]
