"""Flat rows and padded windows say the same."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import random_batch, windows

from glasso_cli.artifacts.metrics.collect import TokenCounts
from glasso_cli.collection.batch import add_counts, join


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
@settings(deadline=None, max_examples=30)
def test_rows_know_their_window_and_position(lengths: list[int]) -> None:
    batch = random_batch(lengths)
    expected = [(w, t) for w, length in enumerate(batch.lengths.tolist()) for t in range(length)]
    found = zip(batch.window_of().tolist(), batch.position_of().tolist(), strict=True)
    assert list(found) == expected
    assert batch.starts().tolist() == [row for row, (_, t) in enumerate(expected) if t == 0]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
@settings(deadline=None, max_examples=30)
def test_padding_fills_the_ends_of_windows_alone(lengths: list[int]) -> None:
    batch = random_batch(lengths)
    padded = batch.padded(batch.values, fill=-7)
    assert padded.shape == (len(lengths), max(lengths), 3)
    for row, (_, values, _, _) in zip(padded, windows(batch), strict=True):
        assert torch.equal(row[: len(values)], torch.from_numpy(values))
        assert (row[len(values) :] == -7).all()
    assert batch.padded(batch.kept).sum() == batch.kept.sum()


def test_joined_batches_keep_every_token_in_its_window() -> None:
    batches = [random_batch([9, 4], seed=0), random_batch([3, 3, 1], seed=1, first_document=2)]
    joined = join(batches)
    assert torch.equal(joined.values, torch.cat([batch.values for batch in batches]))
    assert joined.window_of().tolist() == [0] * 9 + [1] * 4 + [2] * 3 + [3] * 3 + [4]
    assert joined.documents.tolist() == [0, 1, 2, 3, 4]


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(1, 5))
@settings(deadline=None, max_examples=30)
def test_windows_dealt_out_and_joined_again_are_all_there(lengths: list[int], hands: int) -> None:
    batch = random_batch(lengths)
    dealt = [batch.windows(batch.documents % hands == hand) for hand in range(hands)]
    for hand, part in enumerate(dealt):
        expected = [w for w in windows(batch) if w[0] % hands == hand]
        for (document, *arrays), (found, *others) in zip(expected, windows(part), strict=True):
            assert document == found
            for one, other in zip(arrays, others, strict=True):
                np.testing.assert_array_equal(one, other)
    counts = batch.token_counts()
    assert add_counts(part.token_counts() for part in dealt) == TokenCounts(read=sum(lengths), **counts)


def test_a_token_is_masked_once() -> None:
    batch = random_batch([6], masked=0)
    odd = torch.arange(6) % 2 == 1
    both = batch.masked(odd, "first").masked(torch.ones(6, dtype=torch.bool), "massive")
    assert both.token_counts() == {"kept": 0, "special": 0, "first": 3, "massive": 3}
    assert batch.kept.all()
