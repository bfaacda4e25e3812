"""The tokens that set a community apart."""

from __future__ import annotations

import numpy as np

from glasso_cli.report.words.community_names import distinctive_tokens

WORDS = np.array([" warm", "Warm", " the", ",", " law", "\u2581court", " 1991"])


def test_the_word_of_a_community_comes_first() -> None:
    peaks = np.array([[0, 2]] * 30 + [[1, 2]] * 10 + [[4, 2]] * 30 + [[5, 2]] * 10)
    communities = np.repeat([0, 1], 40)
    warm, law = distinctive_tokens(peaks, WORDS, communities)
    assert [word for word, _ in warm] == ["warm"]  # spelled in two ways, counted as one
    assert [word for word, _ in law] == ["law", "court"]
    assert law[0][1] > law[1][1] > 1.64


def test_words_of_all_and_tokens_without_letters_are_no_name() -> None:
    peaks = np.full((40, 2), 3)
    peaks[:, 1] = 2
    assert distinctive_tokens(peaks, WORDS, np.repeat([0, 1], 20)) == [[], []]
    assert distinctive_tokens(np.full((4, 1), 6), WORDS, np.zeros(4, int)) == [[]]


def test_a_neuron_counts_once() -> None:
    loud = np.zeros((6, 8), int)  # one word in all contexts of a few neurons
    rest = np.full((40, 8), 2)
    (few, _) = distinctive_tokens(np.concatenate([loud[:1], rest]), WORDS, np.array([0] + [1] * 40))
    assert few == []


def test_no_communities_and_no_contexts() -> None:
    assert distinctive_tokens(np.zeros((3, 0), int), WORDS, np.full(3, -1)) == []
    assert distinctive_tokens(np.zeros((3, 0), int), WORDS, np.zeros(3, int)) == [[]]
    assert distinctive_tokens(np.full((3, 2), -1), WORDS, np.zeros(3, int)) == [[]]
