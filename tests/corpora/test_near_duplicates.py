"""Near duplicates: the quick search finds what comparing every pair finds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasso_cli.corpora.near_duplicates import Pieces, distinct, mean_similarity, pieces, similarity

TEXTS = st.lists(st.text(alphabet="ab cd", min_size=0, max_size=14), max_size=25)


def slowly(texts: list[str], threshold: float, kept: list[str]) -> list[bool]:
    before, answers = [pieces(text) for text in kept], []
    for found in map(pieces, texts):
        answers.append(all(similarity(found, other) < threshold for other in before))
        if answers[-1]:
            before.append(found)
    return answers


@given(TEXTS, TEXTS, st.sampled_from([0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]))
def test_the_same_as_comparing_every_pair(texts: list[str], kept: list[str], threshold: float) -> None:
    assert distinct(texts, threshold, kept) == slowly(texts, threshold, kept)


@pytest.mark.parametrize("changed", [0, 1, 5, 20])
def test_a_text_with_some_words_changed(changed: int) -> None:
    rng = random.Random(3)
    words = [f"w{rng.randrange(10**6)}" for _ in range(100)]
    other = words.copy()
    for place in rng.sample(range(100), changed):
        other[place] = f"x{rng.randrange(10**6)}"
    alike = similarity(pieces(" ".join(words)), pieces(" ".join(other)))
    for threshold in (0.3, 0.8, alike, alike + 1e-6):
        assert distinct([" ".join(words), " ".join(other)], min(threshold, 1.0)) == [True, alike < min(threshold, 1.0)]


def test_case_and_spacing_do_not_make_a_text_new() -> None:
    assert distinct(["The sea is rising.", "the  SEA\nis rising."], 1.0) == [True, False]


def test_short_texts_are_compared_as_a_whole() -> None:
    assert distinct(["sea", "sea", "ski"], 1.0) == [True, False, True]
    assert pieces("") == {""}


def test_the_order_decides_which_of_two_is_kept() -> None:
    assert distinct(["a rising tide", "another text", "a rising tide"], 0.8, ["another text"]) == [True, False, False]


def test_the_mean_similarity() -> None:
    assert mean_similarity([]) == mean_similarity(["one text"]) == 0.0
    assert mean_similarity(["one text", "one text"]) == 1.0
    a, b, c = "abcdefgh", "abcdefxy", "zzzzzzzz"
    pairs = [similarity(pieces(x), pieces(y)) for x, y in ((a, b), (a, c), (b, c))]
    assert mean_similarity([a, b, c]) == pytest.approx(sum(pairs) / 3)
    assert 0 < mean_similarity([a, b, c]) < 1


def test_of_many_pairs_a_part_gives_about_the_mean() -> None:
    texts = [f"number {n % 2}" for n in range(400)]
    assert mean_similarity(texts) == pytest.approx(mean_similarity(texts[:200]), abs=0.02)


@pytest.mark.slow
def test_thousands_of_texts_take_few_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    words = [f"{rng.randrange(36**4):x}" for _ in range(2000)]
    texts = [" ".join(rng.choice(words) for _ in range(60)) for _ in range(2000)]
    compared = 0

    def counted(a: Pieces, b: Pieces) -> float:
        nonlocal compared
        compared += 1
        return similarity(a, b)

    monkeypatch.setattr("glasso_cli.corpora.near_duplicates.similarity", counted)
    assert all(distinct(texts, 0.8))
    assert compared < 2000 * 1999 / 2 / 10
