"""A fit that is interrupted anywhere goes on from its finished parts, and ends in the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from support.sparse_fits import collected
from support.sparse_values import latents

from glasso_cli.artifacts import PrecisionPath
from glasso_cli.artifacts import pieces as artifacts
from glasso_cli.config import FitSection
from glasso_cli.config.sections.fit import SelectSection
from glasso_cli.fitting import finished_points, sample_fits
from glasso_cli.fitting.pieces import Pieces
from glasso_cli.fitting.sparse import finished
from glasso_cli.fitting.sparse.run import fit_sparse_corpus
from glasso_cli.inference.sparse import all_pairs, screening

P = 48
COLLECTED = collected(latents(P, 96, 10))
SECTION = FitSection(alpha=(0.3, 0.15), select=SelectSection(rule="fixed", alpha=0.15), half_samples=4)
SEARCH = FitSection(select=SelectSection(target=1.5), half_samples=2)


@pytest.fixture(autouse=True)
def _small_panels(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (screening, all_pairs):
        monkeypatch.setattr(module, "_PANEL", 20)  # three in a pass


def fitted(section: FitSection, folder: Path) -> PrecisionPath:
    return fit_sparse_corpus(COLLECTED, section, pieces=Pieces(folder / "fit-words-0", "problem", None))


def assert_same(one: PrecisionPath, other: PrecisionPath) -> None:
    for item in fields(PrecisionPath):
        if item.name != "meta":
            assert_array_equal(getattr(one, item.name), getattr(other, item.name), err_msg=item.name)
    assert one.meta == other.meta


def stops_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Interrupt in the place of the file of that number, from 0."""
    written = iter(range(number))

    def stopping(write: Callable[..., None]) -> Callable[..., None]:
        def stopped(*arguments: Any, **options: Any) -> None:
            if next(written, None) is None:
                raise KeyboardInterrupt
            write(*arguments, **options)

        return stopped

    monkeypatch.setattr(finished, "replace_piece", stopping(artifacts.replace_piece))
    monkeypatch.setattr(finished_points, "replace_piece", stopping(artifacts.replace_piece))
    monkeypatch.setattr(sample_fits, "write_piece", stopping(artifacts.write_piece))


@pytest.mark.slow
@pytest.mark.parametrize("section", [SECTION, SEARCH])
def test_a_fit_that_stops_at_every_part_ends_in_the_same_bytes(
    section: FitSection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitted(section, tmp_path / "whole")
    files = {path.name for path in (tmp_path / "whole").rglob("*.npz")}
    assert len(files) >= 16  # panels of two passes, alphas, the fit of the tests, panels of the tests, halves
    for _ in range(len(files) - 1):  # every run gets one part further
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            stops_at(patch, 1)
            fitted(section, tmp_path / "often")
    assert_same(fitted(section, tmp_path / "often"), whole)
    assert {path.name for path in (tmp_path / "often").rglob("*.npz")} == files
    with monkeypatch.context() as patch:
        stops_at(patch, 0)  # nothing is left to write
        assert_same(fitted(section, tmp_path / "often"), whole)


@pytest.mark.slow
def test_a_damaged_part_is_made_again(tmp_path: Path) -> None:
    section = SECTION.model_copy(update={"half_samples": 0})
    whole = fitted(section, tmp_path)
    files = sorted(tmp_path.rglob("*.npz"))
    for path in files:
        path.write_bytes(path.read_bytes()[:100])
    assert_same(fitted(section, tmp_path), whole)
    assert sorted(tmp_path.rglob("*.npz")) == files


@pytest.mark.slow
def test_the_size_of_panels_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = SECTION.model_copy(update={"half_samples": 0})
    some = fitted(section, tmp_path / "some")
    for module in (screening, all_pairs):
        monkeypatch.setattr(module, "_PANEL", P)
    assert_same(fitted(section, tmp_path / "one"), some)


def test_a_part_of_another_thing_is_not_taken(tmp_path: Path) -> None:
    parts = finished.FinishedParts(tmp_path / "fit-0", print)

    def made(of: str) -> int:
        return int(parts.within(of)("pairs", lambda: {"length": np.array(len(of))})["length"])

    assert [made(of) for of in ("", "a", "bc", "a")] == [0, 1, 2, 1]
    assert len(list(tmp_path.rglob("part-*.npz"))) == 3
