"""Example contexts against a search through every window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import random_batch, windows

from glasso_cli.collection import contexts
from glasso_cli.collection.batch import ActivationBatch
from glasso_cli.collection.contexts import GROUPS, WINDOWS, Contexts, PoleContexts


def around(values: np.ndarray, tokens: np.ndarray, at: int) -> tuple[list[int], list[float]]:
    """One neuron's context in one window, by stepping from place to place."""
    places = range(at - WINDOWS.reach, at + WINDOWS.reach + 1)
    inside = [0 <= place < len(tokens) for place in places]
    return (
        [int(tokens[place]) if ok else -1 for place, ok in zip(places, inside, strict=True)],
        [float(values[place]) if ok else float("nan") for place, ok in zip(places, inside, strict=True)],
    )


def searched(batches: list[ActivationBatch], sign: int) -> Contexts:
    """The ``WINDOWS.top`` windows of every neuron by their strongest kept token at one pole; the first of equals leads."""
    p = batches[0].values.shape[1]
    found = contexts.empty(p, WINDOWS.top)
    for neuron in range(p):
        candidates = []
        for batch in batches:
            for document, values, tokens, kept in windows(batch):
                if kept.any():
                    at = int(np.argmax(np.where(kept, sign * values[:, neuron], -np.inf)))
                    candidates.append((sign * values[at, neuron], document, *around(values[:, neuron], tokens, at)))
        candidates.sort(key=lambda item: -item[0])
        for rank, (_, document, ids, strengths) in enumerate(candidates[: WINDOWS.top]):
            found.tokens[neuron, rank], found.values[neuron, rank] = ids, strengths
            found.documents[neuron, rank] = document
    return found


def streamed(batches: list[ActivationBatch], pole: str = "top") -> Contexts:
    poles = PoleContexts(batches[0].values.shape[1])
    for batch in batches:
        poles.update(batch)
    return contexts.read(poles.finish(), pole)


SIGNS = {"top": 1, "bottom": -1}


def assert_same(found: Contexts, expected: Contexts) -> None:
    for name in ("documents", "tokens", "values"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
        assert getattr(found, name).dtype == getattr(expected, name).dtype


@given(
    st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=12), min_size=1, max_size=5),
    st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    st.integers(0, 3),
    st.sampled_from(list(SIGNS)),
)
@settings(deadline=None, max_examples=60)
def test_the_top_is_what_a_search_finds(lengths: list[list[int]], masked: float, seed: int, pole: str) -> None:
    """Values are coarse, so that ties abound, and windows are shorter than a context or longer."""
    batches = [
        random_batch(part, masked=masked, seed=seed + index, first_document=100 * index)
        for index, part in enumerate(lengths)
    ]
    assert_same(streamed(batches, pole), searched(batches, SIGNS[pole]))


@pytest.mark.parametrize("pole", SIGNS)
def test_many_windows_of_few_strengths(pole: str) -> None:
    batches = [random_batch([6] * 60, p=2, seed=seed, first_document=100 * seed) for seed in range(4)]
    assert_same(streamed(batches, pole), searched(batches, SIGNS[pole]))


def test_zeros_of_either_sign_are_equal() -> None:
    """An activation function gives both; the first window leads."""
    zeros = random_batch([3] * 30, p=2, seed=0)
    either = replace(
        zeros, values=torch.where(torch.arange(len(zeros.values)) % 2 == 0, -0.0, 0.0)[:, None].repeat(1, 2)
    )
    found = streamed([either])
    np.testing.assert_array_equal(found.documents, np.tile(either.documents[: WINDOWS.top].numpy(), (2, 1)))


def test_a_neuron_of_the_other_sign_has_its_poles_exchanged() -> None:
    batches = [random_batch([9] * 5, seed=seed, first_document=100 * seed) for seed in range(5)]
    flipped = [replace(batch, values=-batch.values) for batch in batches]
    for pole, other in (("top", "bottom"), ("bottom", "top")):
        expected = streamed(batches, other)
        assert_same(streamed(flipped, pole), replace(expected, values=-expected.values))


def test_a_window_takes_one_place_however_often_it_is_strong() -> None:
    batch = random_batch([50, 4, 3], p=1, masked=0.0)
    batch.values[:50] = 9.0
    found = streamed([batch])
    assert found.documents[0, :4].tolist() == [0, *found.documents[0, 1:3].tolist(), -1]
    assert set(found.documents[0, 1:3].tolist()) == {1, 2}


def test_masked_tokens_are_shown_and_never_chosen() -> None:
    batch = random_batch([5], p=1, masked=0.0)
    batch.values[:, 0] = torch.tensor([1.0, 7.0, 2.0, 0.0, 0.0])
    batch = batch.masked(batch.values[:, 0] == 7.0, "massive")
    found = streamed([batch])
    assert found.values[0, 0, WINDOWS.reach] == 2.0
    assert found.values[0, 0, WINDOWS.reach - 1] == 7.0
    assert found.tokens[0, 0, WINDOWS.reach - 1] == batch.tokens[1]


@pytest.mark.parametrize("pole", SIGNS)
def test_merging_blocks_is_one_pass(pole: str) -> None:
    batches = [random_batch([9] * 15, seed=seed, first_document=100 * seed) for seed in range(6)]
    pieces = [streamed(part, pole) for part in (batches[:1], batches[1:4], batches[4:])]
    assert_same(contexts.merge(pieces, pole), streamed(batches, pole))


def test_merging_few_examples_leaves_places_empty() -> None:
    batches = [random_batch([9], seed=seed, first_document=seed) for seed in range(2)]
    merged = contexts.merge([streamed([batch]) for batch in batches], "top")
    assert merged.documents.shape == (3, WINDOWS.top)
    assert (np.sort(merged.documents[:, :2]) == [0, 1]).all()
    assert (merged.documents[:, 2:] == -1).all()
    assert np.isnan(merged.values[:, 2:]).all()


@pytest.mark.parametrize("lengths", [[3], [40, 20, 7], [12] * 20])
def test_quantile_examples_are_evenly_spaced_ranks(lengths: list[int]) -> None:
    batch = random_batch(lengths, p=4)
    found = contexts.quantile_contexts(batch)
    total = GROUPS * WINDOWS.examples
    assert found.values.shape == (4, total, WINDOWS.width)
    kept = np.sort(batch.values[batch.kept].numpy(), axis=0)
    ranks = [int((i + 0.5) * len(kept) / total) for i in range(total)]
    np.testing.assert_array_equal(found.values[:, :, WINDOWS.reach], kept[ranks].T)


def test_quantile_examples_are_whole_contexts() -> None:
    batch = random_batch([30, 12, 2], p=300)
    shown = {document: (values, tokens, kept) for document, values, tokens, kept in windows(batch)}
    found = contexts.quantile_contexts(batch)
    for neuron in (0, 255, 256, 299):
        for example in range(GROUPS * WINDOWS.examples):
            values, tokens, kept = shown[found.documents[neuron, example]]
            possible = [around(values[:, neuron], tokens, int(at)) for at in np.flatnonzero(kept)]
            ids, strengths = found.tokens[neuron, example].tolist(), found.values[neuron, example]
            assert any(ids == i and np.array_equal(strengths, s, equal_nan=True) for i, s in possible)


def test_the_vocabulary_holds_each_token_once() -> None:
    first, second = np.array([[7, -1, 3]]), np.array([[3, 900]])
    ids, (one, two) = contexts.vocabulary(first, second)
    assert ids.tolist() == [3, 7, 900]
    assert one.tolist() == [[1, -1, 0]]
    assert two.tolist() == [[0, 2]]


def test_a_vocabulary_of_no_examples_is_empty() -> None:
    ids, (tokens,) = contexts.vocabulary(np.full((2, 0, WINDOWS.width), -1))
    assert ids.size == tokens.size == 0
