"""Documents that repeat others are counted by their tokens."""

from __future__ import annotations

import numpy as np
from support.tokenizers import bos_tokenizer

from glasso_cli.corpora.repeats import Repeats, count_repeats
from glasso_cli.corpora.windows import tokenize

RNG = np.random.default_rng(0)


def counted(*texts: str, length: int = 16) -> Repeats:
    return count_repeats(tokenize(texts, bos_tokenizer(), max_length=length, max_tokens=None))


def random_text(words: int = 60) -> str:
    return " ".join(f"w{i}" for i in RNG.integers(0, 40, words))


def test_forty_documents_of_one_word_are_one() -> None:
    assert counted(*["w1"] * 40) == Repeats(39, 0)


def test_different_documents_are_different() -> None:
    assert counted(*(random_text() for _ in range(30))) == Repeats(0, 0)


def test_nearly_equal_documents_are_counted_apart() -> None:
    text = random_text(200)
    words = text.split()
    near = " ".join([*words[:100], "a", *words[101:]])
    assert counted(text, near, random_text(200), text) == Repeats(1, 1)


def test_windows_of_one_document_are_compared_as_a_whole() -> None:
    text = random_text(100)
    other = " ".join(text.split()[:50]) + " " + random_text(50)
    assert counted(text, other, length=12) == Repeats(0, 0)
