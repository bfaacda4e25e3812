"""The distinct words of the built-in texts, as letters for networks that read spellings."""

from __future__ import annotations

import re

import numpy as np

from glasso_cli.corpora import topics
from glasso_cli.models.known.g2p import SYMBOLS, letters


class Spellings(list[np.ndarray]):
    """Words as numbers, and the symbols that the numbers stand for."""

    symbols = np.array(SYMBOLS)


def every() -> Spellings:
    """The words of all topics, each a document."""
    return _words(*topics.TOPICS)


def climate() -> Spellings:
    """The words of the texts on climate change."""
    return _words("climate change")


def quantum() -> Spellings:
    """The words of the texts on quantum computing."""
    return _words("quantum computing")


def _words(*names: str) -> Spellings:
    found = (word for name in names for text in topics.passages(name) for word in re.findall(r"[a-z]+", text.lower()))
    return Spellings(letters(word) for word in dict.fromkeys(found) if len(word) > 1)
