"""Whole words from the tokens of contexts, whatever the tokenizer.

A token belongs to the word that the joined text has there: " cli" and "mate" are both in "climate". Where a text has no
spaces between words, or the texts of tokens do not say where spaces are, every token is a word.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

_SPACES = "\u2581\u0120"  # how tokenizers write a space before a word
_BROKEN = "\ufffd"  # part of a character
_MARKS = {
    **{",": "‹comma›", ".": "‹period›", ":": "‹colon›", ";": "‹semicolon›", "-": "‹hyphen›", "'": "‹apostrophe›"},
    **{"’": "‹apostrophe›", '"': "‹quote›", "“": "‹quote›", "”": "‹quote›"},
}
_NUMBER, _NEWLINE, _SPACE = "‹number›", "‹newline›", "‹space›"
_CLASSES = frozenset((*_MARKS.values(), _NUMBER, _NEWLINE, _SPACE))
_LONGEST = 24  # characters of a word
_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x312F), (0x31F0, 0xA4CF), (0xF900, 0xFAFF))
_MULTIPLIERS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93))


@dataclass(frozen=True, eq=False)
class Words:
    """The V distinct words of some contexts, in alphabetical order, as they are shown; ``usable (V,)`` can be in a name."""

    shown: list[str]
    usable: np.ndarray

    def __len__(self) -> int:
        return len(self.shown)


def read_words(vocabulary: np.ndarray, *windows: np.ndarray) -> tuple[Words, list[np.ndarray]]:
    """The words of ``windows (…, W)``, arrays of indices into ``vocabulary``, and which of them each token belongs to.

    -1 where there is no token, or where the end of the window cuts the word.
    """
    pieces = _Pieces.of(vocabulary)
    flat = np.concatenate([np.reshape(part, (-1, part.shape[-1])) for part in windows])
    spans, texts = _spans(flat, pieces)
    folded = [_folded(text) for text in texts]
    alphabet = sorted(set(folded))
    place = {word: index for index, word in enumerate(alphabet)}
    of_span = np.array([place[word] for word in folded], dtype=np.int32)
    found = np.where(spans >= 0, of_span[spans] if len(of_span) else -1, -1)
    words = Words(
        _most_common_spelling(alphabet, folded, texts, np.bincount(spans[spans >= 0], minlength=len(texts))),
        np.array([bool(word) and _BROKEN not in word for word in alphabet], dtype=bool),
    )
    stops = np.cumsum([part[..., 0].size for part in windows])[:-1]
    return words, [part.reshape(window.shape) for part, window in zip(np.split(found, stops), windows)]


def words_before(words: np.ndarray) -> np.ndarray:
    """For every token of ``words (…, W)`` the word before its own, -1 where it is not in the window."""
    before = np.full_like(words, -1)
    for place in range(1, words.shape[-1]):
        same = words[..., place] == words[..., place - 1]
        before[..., place] = np.where(same, before[..., place - 1], words[..., place - 1])
    return before


# -- tokens -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Pieces:
    """The texts of tokens, and at which tokens a word may be joined to its neighbour, each ``(V,)``."""

    texts: list[str]
    joins_left: np.ndarray
    joins_right: np.ndarray

    @classmethod
    def of(cls, vocabulary: np.ndarray) -> _Pieces:
        tokens = [str(token) for token in vocabulary]
        if any(token[:1].isspace() or token[:1] in _SPACES for token in tokens if token):
            texts = [_with_space(token) for token in tokens]
            left = [_is_letter(text[:1]) or (text[:1] in "'’" and text[1:2].isalpha()) for text in texts]
            right = [_is_letter(text[-1:]) for text in texts]
        elif any(_is_continuation(token) for token in tokens):
            texts = [token[2:] if _is_continuation(token) else token for token in tokens]
            left, right = [_is_continuation(token) for token in tokens], [True] * len(tokens)
        else:
            texts, left, right = tokens, [False] * len(tokens), [False] * len(tokens)
        return cls(texts, np.array(left, dtype=bool), np.array(right, dtype=bool))


def _with_space(token: str) -> str:
    inside = token.lstrip(_SPACES)
    return " " * (len(token) - len(inside)) + inside


def _is_continuation(token: str) -> bool:
    return token.startswith("##") and len(token) > 2


def _is_letter(character: str) -> bool:
    """Whether a word may go on at ``character``: a letter or digit of a script with spaces, or a part of one."""
    if not (character.isalnum() or character in ("_", _BROKEN)) or not character:
        return False
    return not any(low <= ord(character) <= high for low, high in _UNSPACED)


def _spans(windows: np.ndarray, pieces: _Pieces) -> tuple[np.ndarray, list[str]]:
    """The distinct runs of joined tokens: which one each token of ``windows (n, W)`` is in, -1 as above; their texts."""
    inside = windows >= 0
    tokens = np.maximum(windows, 0)
    joined = np.zeros(windows.shape, dtype=bool)  # to the token before
    joined[:, 1:] = (
        inside[:, 1:] & inside[:, :-1] & pieces.joins_left[tokens[:, 1:]] & pieces.joins_right[tokens[:, :-1]]
    )
    number = np.cumsum(~joined.ravel()) - 1
    starts = np.flatnonzero(~joined.ravel())
    lengths = np.diff(np.append(starts, joined.size))
    cut = np.zeros(len(starts), dtype=bool)
    cut[number.reshape(windows.shape)[:, 0]] |= inside[:, 0] & pieces.joins_left[tokens[:, 0]]
    cut[number.reshape(windows.shape)[:, -1]] |= inside[:, -1] & pieces.joins_right[tokens[:, -1]]
    _, first, which = np.unique(_hashes(tokens.ravel(), starts, lengths), return_index=True, return_inverse=True)
    flat = tokens.ravel()
    texts = ["".join(pieces.texts[t] for t in flat[starts[k] : starts[k] + lengths[k]]) for k in first.tolist()]
    known = inside.ravel()[starts] & ~cut
    return np.where(known, which, -1)[number].reshape(windows.shape), texts


def _hashes(tokens: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """A number for every run of ``tokens``: equal runs have equal numbers, and others differ but for chance of 1e-10."""
    value = np.zeros(len(starts), dtype=np.uint64)
    for place in range(int(lengths.max(initial=0))):
        going = np.flatnonzero(lengths > place)
        step = (tokens[starts[going] + place].astype(np.uint64) + np.uint64(1)) * _MULTIPLIERS[0]
        mixed = (value[going] ^ (step ^ (step >> np.uint64(29)))) * _MULTIPLIERS[1]
        value[going] = mixed ^ (mixed >> np.uint64(32))
    return value


# -- words --------------------------------------------------------------------------------------------


def _folded(text: str) -> str:
    """What is compared: small letters, and names for numbers, white space and common marks."""
    inside = text.strip()
    if not inside:
        return _white(text)
    if inside.isdecimal():
        return _NUMBER
    return _MARKS.get(inside, inside.casefold())


def _white(text: str) -> str:
    if not text:
        return ""
    return _NEWLINE if any(letter in text for letter in "\r\n\v\f") else _SPACE


def _most_common_spelling(alphabet: list[str], folded: list[str], texts: list[str], counts: np.ndarray) -> list[str]:
    spellings: dict[str, Counter[str]] = {word: Counter() for word in alphabet}
    for word, text, count in zip(folded, texts, counts.tolist()):
        spellings[word][text.strip()] += count
    return [_shown(word, _spelling(word, spellings[word])) for word in alphabet]


def _spelling(word: str, counts: Counter[str]) -> str:
    """Small letters where the text has them in a tenth of the cases, as names do not; else the most common spelling."""
    if counts[word] >= 0.1 * counts.total():
        return word
    return max(counts.items(), key=lambda item: (item[1], item[0]))[0]


def _shown(word: str, spelling: str) -> str:
    """A word for a label: other punctuation in quotes, and no characters that control a terminal."""
    if word in _CLASSES:
        return word
    text = "".join(letter if letter.isprintable() else "□" for letter in spelling)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 1]}…"
    return text if any(letter.isalnum() for letter in text) else f"“{text}”"
