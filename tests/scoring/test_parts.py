"""How documents are divided between attributions and exact effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from glasso_cli.errors import InputError
from glasso_cli.scoring.parts import split


@dataclass(frozen=True)
class Window:
    document: int
    size: int


def corpus(documents: int, seed: int = 0) -> list[Window]:
    rng = np.random.default_rng(seed)
    return [
        Window(number, int(size)) for number in range(documents) for size in rng.integers(5, 15, rng.integers(1, 4))
    ]


def test_no_document_is_in_both_parts_and_both_are_spread_over_the_corpus() -> None:
    windows = corpus(200)
    first, second = split(windows, 400, 200)
    sets = [{window.document for window in part} for part in (first, second)]
    assert not sets[0] & sets[1]
    assert all(min(numbers) < 5 for numbers in sets)
    assert 400 <= sum(window.size for window in first) < 450
    assert 200 <= sum(window.size for window in second) < 250
    for part, numbers in zip((first, second), sets):
        assert [window for window in windows if window.document in numbers] == part


def test_a_short_corpus_is_divided_in_the_same_proportion() -> None:
    first, second = split(corpus(60), 10**6, 5 * 10**5)
    sizes = [sum(window.size for window in part) for part in (first, second)]
    assert sizes[0] / sizes[1] == pytest.approx(2, rel=0.1)


def test_too_few_documents_are_refused() -> None:
    with pytest.raises(InputError, match="both need at least two"):
        split([Window(number, 10) for number in range(3)], 10**6, 1)
