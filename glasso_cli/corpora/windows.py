"""From documents to windows of tokens, and from windows to batches without waste.

A document longer than ``max_length`` is cut into windows that stay one document. Each window carries the special
tokens its tokenizer puts around a text, once; they are the model's business, not the statistics'.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glasso_cli.corpora.unicode import well_formed
from glasso_cli.errors import InputError
from glasso_cli.models.forward import errors_of_tokenizer

_TOKENIZE = 512  # documents per call of the tokenizer


@dataclass(frozen=True)
class Frame:
    """The special tokens that a tokenizer puts before and after a text."""

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    special: tuple[int, ...]  # every special id, those two included
    start: tuple[int, ...] = ()  # what a decoder reads before all that


@dataclass(frozen=True, eq=False)
class Window:
    """Tokens of one forward pass: ``ids (T,)`` int32 with special tokens; ``document`` counts from 0."""

    document: int
    ids: np.ndarray

    @property
    def size(self) -> int:
        """Its tokens, special ones included."""
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class TokenizedCorpus:
    """All windows of a corpus, four bytes a token, and what was left out on the way."""

    windows: tuple[Window, ...]
    n_documents: int
    n_empty: int
    n_tokens: int  # without special tokens


@dataclass(frozen=True, eq=False)
class Batch:
    """Right-padded tokens: ``ids (b, T)`` int64, ``lengths (b,)``, ``documents (b,)``."""

    ids: np.ndarray
    lengths: np.ndarray
    documents: np.ndarray

    @property
    def attention(self) -> np.ndarray:
        """Which positions hold tokens, ``(b, T)`` bool."""
        return np.arange(self.ids.shape[1])[None, :] < self.lengths[:, None]


def special_frame(tokenizer: Any, start: int | None = None) -> Frame:
    """What ``tokenizer`` adds around a text, found by encoding one with and without, after a decoder's ``start`` token."""
    with errors_of_tokenizer():
        plain = tokenizer("a", add_special_tokens=False)["input_ids"]
        framed = tokenizer("a", add_special_tokens=True)["input_ids"]
    if not plain:
        raise InputError(
            "The tokenizer has no token for the letter 'a', nor one for what it does not know.",
            "Use a tokenizer with a token for unknown text.",
        )
    before = () if start is None else (start,)
    for place in range(len(framed) - len(plain) + 1):
        if framed[place : place + len(plain)] == plain:
            stop = place + len(plain)
            special = {*_special_ids(tokenizer), *framed[:place], *framed[stop:], *before}
            return Frame(tuple(framed[:place]), tuple(framed[stop:]), tuple(sorted(special)), before)
    raise InputError(
        "The tokenizer changes a text when it adds special tokens.",
        "Use a tokenizer that puts them before and after the text.",
    )


def _special_ids(tokenizer: Any) -> set[int]:
    """All special ids: those with a role, and those only marked so (the turns of a chat)."""
    named = {int(i) for i in tokenizer.all_special_ids if i is not None}
    added = getattr(tokenizer, "added_tokens_decoder", {})
    marked = {int(i) for i, token in added.items() if token.special}
    return named | marked


def tokenize(
    texts: Iterable[str], tokenizer: Any, *, max_length: int, max_tokens: int | None, start: int | None = None
) -> TokenizedCorpus:
    """The windows of ``texts``, up to and including the document that reaches ``max_tokens``.

    Each window begins with the ``start`` token of a decoder, where there is one. Raises :class:`InputError` when no document holds a token.
    """
    frame = special_frame(tokenizer, start)
    room = max_length - len(frame.start) - len(frame.prefix) - len(frame.suffix)
    if room < 1:
        raise InputError(
            f"collect.max_length {max_length} leaves no room beside the special tokens.",
            "Raise collect.max_length.",
        )
    windows: list[Window] = []
    documents = empty = tokens = 0
    for ids in _token_ids(texts, tokenizer):
        if not ids:
            empty += 1
            continue
        windows += (Window(documents, part) for part in _cut(ids, room, frame))
        documents += 1
        tokens += len(ids)
        if max_tokens is not None and tokens >= max_tokens:
            break
    if not windows:
        raise InputError(f"The corpus has no text: {empty} documents, all empty.", "Give texts with words in them.")
    return TokenizedCorpus(tuple(windows), documents, empty, tokens)


def _token_ids(texts: Iterable[str], tokenizer: Any) -> Iterator[list[int]]:
    iterator = iter(texts)
    while chunk := list(itertools.islice(iterator, _TOKENIZE)):
        # A blank text has tokens (spaces) but nothing to say; it counts as empty.
        with errors_of_tokenizer():
            encoded = tokenizer(
                [well_formed(text) if text.strip() else "" for text in chunk],
                add_special_tokens=False,
                return_attention_mask=False,
                verbose=False,
            )
        yield from encoded["input_ids"]


def _cut(ids: Sequence[int], room: int, frame: Frame) -> Iterator[np.ndarray]:
    for start in range(0, len(ids), room):
        part = tuple(ids[start : start + room])
        # A text that already spells its first special token must not get it twice.
        doubled = bool(frame.prefix) and part[: len(frame.prefix)] == frame.prefix
        yield np.array((*frame.start, *(() if doubled else frame.prefix), *part, *frame.suffix), dtype=np.int32)


def batches(windows: Sequence[Window], *, budget: int, pad_id: int, mixed_lengths: bool = True) -> Iterator[Batch]:
    """``windows`` from long to short in right-padded batches of at most ``budget`` positions.

    A batch holds at least one window, however long; without ``mixed_lengths``, windows of one length.
    """
    order = sorted(range(len(windows)), key=lambda i: (-len(windows[i].ids), i))
    start = 0
    while start < len(order):
        longest = len(windows[order[start]].ids)
        taken = [windows[i] for i in order[start : start + max(1, budget // longest)]]
        if not mixed_lengths:
            taken = [window for window in taken if len(window.ids) == longest]
        yield _pad(taken, longest, pad_id)
        start += len(taken)


def _pad(windows: list[Window], length: int, pad_id: int) -> Batch:
    ids = np.full((len(windows), length), pad_id, dtype=np.int64)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = window.ids
    lengths = np.array([len(window.ids) for window in windows], dtype=np.int64)
    documents = np.array([window.document for window in windows], dtype=np.int64)
    return Batch(ids, lengths, documents)
