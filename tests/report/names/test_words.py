"""Whole words from the tokens of several tokenizers."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.report.names.words import read_words, words_before


def words_of(vocabulary: list[str], *rows: list[str]) -> list[list[str | None]]:
    """The word of every token in windows that hold ``rows``, one text each; None where there is none."""
    place = {token: index for index, token in enumerate(vocabulary)}
    width = max(len(row) for row in rows) + 2
    windows = np.full((len(rows), width), -1)
    for window, row in zip(windows, rows):
        window[1 : len(row) + 1] = [place[token] for token in row]
    words, (found,) = read_words(np.array(vocabulary), windows)
    return [
        [words.shown[word] if word >= 0 else None for word in window[1 : len(row) + 1]]
        for window, row in zip(found.tolist(), rows)
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        ["The", " cli", "mate", " warm", "ing"],
        ["\u2581The", "\u2581cli", "mate", "\u2581warm", "ing"],
        ["The", "\u0120cli", "mate", "\u0120warm", "ing"],
        ["the", "cli", "##mate", "warm", "##ing"],
        ["T", "h", "e", " ", "c", "l", "i", "m", "a", "t", "e", " ", "w", "a", "r", "m", "i", "n", "g"],
    ],
    ids=["decoded", "sentencepiece", "byte-level", "wordpiece", "characters"],
)
def test_pieces_of_every_tokenizer_make_whole_words(pieces: list[str]) -> None:
    (words,) = words_of(list(dict.fromkeys(pieces)), pieces)
    assert [word for word in dict.fromkeys(words) if word != "‹space›"] in (
        ["The", "climate", "warming"],
        ["the", "climate", "warming"],
    )


def test_capitals_do_not_count_and_are_shown_where_the_word_has_no_small_letters() -> None:
    vocabulary = [" Kemp", " KEMP", " My", " my"]
    assert words_of(vocabulary, [" Kemp", " Kemp", " KEMP"]) == [["Kemp"] * 3]
    assert words_of(vocabulary, [" My", " My", " my"]) == [["my"] * 3]


def test_digits_are_numbers_and_breaks_and_marks_have_names() -> None:
    vocabulary = [" ", "1", "9", "\n", '."', ",", " in"]
    (words,) = words_of(vocabulary, [" in", " ", "1", "9", "9", "1", ",", '."', "\n"])
    assert words == ["in", "‹space›", *["‹number›"] * 4, "‹comma›", '“."”', "‹newline›"]


def test_scripts_without_spaces_keep_their_tokens() -> None:
    assert words_of([" a", "气候", "变化"], ["气候", "变化"]) == [["气候", "变化"]]


def test_tokens_that_say_nothing_of_spaces_are_words() -> None:
    assert words_of(["w1", "w2"], ["w1", "w2"]) == [["w1", "w2"]]


def test_a_word_that_the_window_cuts_is_none() -> None:
    vocabulary = np.array([" cli", "mate", " of", " warm"])
    windows = np.array([[1, 2, 0, 1, 2, 3], [0, 1, 2, 2, 0, 1]])
    words, (found,) = read_words(vocabulary, windows)
    assert [words.shown[w] if w >= 0 else "" for w in found[0]] == ["", "of", "climate", "climate", "of", ""]
    assert found[1, -1] == -1
    assert words.shown[found[1, 0]] == "climate"


def test_part_of_a_character_is_in_no_name() -> None:
    words, (found,) = read_words(np.array([" a", " caf", "\ufffd"]), np.array([[-1, 0, 1, 2, 2, 0, -1]]))
    assert found[0, 2] == found[0, 4]
    assert not words.usable[found[0, 2]]
    assert words.usable[found[0, 1]]


def test_hostile_characters_are_shown_and_long_words_cut() -> None:
    (words,) = words_of(
        [" \x1b[31m", " " + "x" * 99, " a\u202eb", " a"], [" \x1b[31m", " " + "x" * 99, " a\u202eb", " a"]
    )
    assert words[0] == "□[31m"
    assert words[1] == "x" * 23 + "…"
    assert words[2] == "a□b"


def test_the_word_before_is_that_of_the_joined_text() -> None:
    vocabulary = np.array([" the", " cli", "mate"])
    words, (found,) = read_words(vocabulary, np.array([[0, 1, 2, 0]]))
    before = words_before(found)[0]
    assert [words.shown[word] if word >= 0 else None for word in before] == [None, "the", "the", "climate"]


def test_windows_keep_their_shapes() -> None:
    vocabulary = np.array([" a", " b"])
    shapes = [(3, 2, 5), (3, 5, 1, 5)]
    _, found = read_words(vocabulary, *(np.zeros(shape, int) for shape in shapes))
    assert [part.shape for part in found] == shapes
