"""Byte-level byte-pair encoding by its definition, to compare tokenizers with: slow, and nothing but the rules.

Text is cut as llama.cpp cuts it for a vocabulary marked ``smollm``: a digit is alone, the rest falls into GPT-2's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import regex

DIGIT = regex.compile(r"(\p{N})")
WORD = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")


def byte_letters() -> list[str]:
    """The letter GPT-2 writes for each byte: itself where it is printable, one from U+0100 on where it is not."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


LETTERS = byte_letters()


def encoder(tokens: Sequence[str], merges: Sequence[str], special: Sequence[str]) -> Callable[[str], list[int]]:
    """A function from text to ids; ``merges`` are pairs with a space between, the first to be merged first."""
    ids = {token: index for index, token in enumerate(tokens)}
    ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
    whole = regex.compile(f"({'|'.join(map(regex.escape, special))})")

    def encode(text: str) -> list[int]:
        found: list[int] = []
        for part in whole.split(text):
            if part in special:
                found.append(ids[part])
                continue
            for word in _words(part):
                pieces = [letter for letter in map(LETTERS.__getitem__, word.encode()) if letter in ids]
                found += (ids[piece] for piece in _merged(pieces, ranks))
        return found

    return encode


def _words(text: str) -> Iterator[str]:
    for stretch in DIGIT.split(text):
        yield from WORD.findall(stretch)


def _merged(pieces: list[str], ranks: dict[tuple[str, ...], int]) -> list[str]:
    while True:
        known = [(ranks[pair], at) for at, pair in enumerate(pairwise(pieces)) if pair in ranks]
        if not known:
            return pieces
        _, at = min(known)
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
