"""Documents to windows to batches: nothing lost, nothing doubled, nothing moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tokenizers import TOKENIZERS, WORDS, bert_tokenizer, bos_tokenizer, plain_tokenizer, word_tokenizer

from glasso_cli.collection.reading import windows_of_block
from glasso_cli.corpora.windows import Window, batches, special_frame, tokenize
from glasso_cli.errors import InputError

BUILT = {name: make() for name, make in TOKENIZERS.items()}


def document(words: int, seed: int = 0) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, words))


def ids_of(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


# -- frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "prefix", "suffix", "special"),
    [
        ("bos", (2,), (), (0, 1, 2, 3)),
        ("bert", (1,), (2,), (0, 1, 2)),
        ("plain", (), (), ()),
        ("zero", (), (), (0,)),
    ],
)
def test_the_frame_is_what_the_tokenizer_adds(
    name: str, prefix: tuple[int, ...], suffix: tuple[int, ...], special: tuple[int, ...]
) -> None:
    frame = special_frame(BUILT[name])
    assert (frame.prefix, frame.suffix, frame.special) == (prefix, suffix, special)


def test_a_frame_of_several_tokens() -> None:
    frame = special_frame(word_tokenizer(["<s>", "<lang>", "</s>"], "<s> <lang> $A </s> <s>"))
    assert (frame.prefix, frame.suffix, frame.special) == ((0, 1), (2, 0), (0, 1, 2))


class Odd:
    """A tokenizer that answers as told."""

    all_special_ids = (0, 9, None)

    def __init__(self, plain: list[int], framed: list[int]) -> None:
        self._answers = {False: plain, True: framed}

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": self._answers[add_special_tokens]}


def test_a_tokenizer_that_changes_the_text_is_refused() -> None:
    with pytest.raises(InputError, match="changes a text"):
        special_frame(Odd([5], [9, 6, 7]))


def test_a_tokenizer_without_a_token_for_a_letter_is_refused() -> None:
    """Its frame cannot be told apart into before and after."""
    with pytest.raises(InputError, match="no token for the letter"):
        special_frame(Odd([], [9, 8]))


def test_zero_is_a_special_id_and_none_is_not() -> None:
    assert special_frame(Odd([5], [9, 5])).special == (0, 9)


# -- windows --------------------------------------------------------------------------------------


@given(
    name=st.sampled_from(sorted(BUILT)),
    lengths=st.lists(st.integers(0, 60), min_size=1, max_size=8).filter(any),
    max_length=st.integers(3, 30),
)
@settings(deadline=None, max_examples=80)
def test_windows_partition_documents(name: str, lengths: list[int], max_length: int) -> None:
    tokenizer = BUILT[name]
    frame = special_frame(tokenizer)
    texts = [document(length, seed) for seed, length in enumerate(lengths)]
    corpus = tokenize(texts, tokenizer, max_length=max_length, max_tokens=None)
    full = [ids_of(tokenizer, text) for text in texts if text]
    put_together: list[list[int]] = [[] for _ in full]
    for window in corpus.windows:
        ids = tuple(window.ids.tolist())
        start, stop = len(frame.prefix), len(ids) - len(frame.suffix)
        assert window.ids.dtype == np.int32
        assert len(ids) <= max_length
        assert (ids[:start], ids[stop:]) == (frame.prefix, frame.suffix)
        assert stop > start
        put_together[window.document] += ids[start:stop]
    assert put_together == full
    assert corpus.n_documents == len(full)
    assert corpus.n_empty == len(texts) - len(full)
    assert corpus.n_tokens == sum(map(len, full))
    assert [window.document for window in corpus.windows] == sorted(w.document for w in corpus.windows)


@given(count=st.integers(1, 9), lengths=st.lists(st.integers(1, 30), min_size=1, max_size=20))
@settings(deadline=None, max_examples=40)
def test_blocks_partition_documents(count: int, lengths: list[int]) -> None:
    corpus = tokenize(map(document, lengths), BUILT["bos"], max_length=8, max_tokens=None)
    blocks = [windows_of_block(corpus.windows, index, count) for index in range(count)]
    assert sorted(id(window) for block in blocks for window in block) == sorted(map(id, corpus.windows))
    owners = [{window.document for window in block} for block in blocks]
    assert sum(map(len, owners)) == corpus.n_documents
    sizes = [len(owner) for owner in owners]
    assert max(sizes) - min(sizes) <= 1


def test_a_document_that_fits_exactly_is_one_window() -> None:
    for words, count in ((8, 1), (9, 2)):
        corpus = tokenize([document(words)], bert_tokenizer(), max_length=10, max_tokens=None)
        assert len(corpus.windows) == count


def test_a_text_that_spells_its_bos_does_not_get_another() -> None:
    corpus = tokenize(["<bos> w1 w2", "w1 <bos> w2"], bos_tokenizer(), max_length=9, max_tokens=None)
    spelled, inside = (window.ids.tolist() for window in corpus.windows)
    assert spelled.count(2) == 1
    assert spelled[0] == 2
    assert inside[0] == 2
    assert inside.count(2) == 2


def test_blank_documents_are_counted_and_skipped() -> None:
    texts = ["", "w1 w2", " \n\t", "w3"]
    corpus = tokenize(texts, bos_tokenizer(), max_length=9, max_tokens=None)
    assert (corpus.n_empty, corpus.n_documents) == (2, 2)
    assert [window.document for window in corpus.windows] == [0, 1]


@pytest.mark.parametrize(("max_tokens", "documents"), [(1, 1), (10, 1), (11, 2), (20, 2), (21, 3), (99, 3)])
def test_reading_stops_after_the_document_that_reaches_the_limit(max_tokens: int, documents: int) -> None:
    texts = [document(10, seed) for seed in range(3)]
    corpus = tokenize(texts, bos_tokenizer(), max_length=6, max_tokens=max_tokens)
    assert corpus.n_documents == documents
    assert corpus.n_tokens == 10 * documents


def test_more_documents_than_one_call_of_the_tokenizer() -> None:
    corpus = tokenize((f"w{i % 40}" for i in range(1100)), plain_tokenizer(), max_length=4, max_tokens=None)
    expected = [WORDS.index(f"w{i % 40}") for i in range(1100)]
    assert [int(window.ids[0]) for window in corpus.windows] == expected


def test_an_endless_source_is_read_no_further_than_needed() -> None:
    read = []

    def texts() -> Any:
        while True:
            read.append(1)
            yield document(10)

    assert tokenize(texts(), bos_tokenizer(), max_length=9, max_tokens=30).n_documents == 3
    assert len(read) <= 512


@pytest.mark.parametrize("texts", [[], ["", "  "]])
def test_a_corpus_without_text_is_refused(texts: list[str]) -> None:
    with pytest.raises(InputError, match=f"{len(texts)} documents, all empty"):
        tokenize(texts, bos_tokenizer(), max_length=9, max_tokens=None)


def test_windows_need_room_beside_the_special_tokens() -> None:
    with pytest.raises(InputError, match="max_length 2 leaves no room"):
        tokenize(["w1"], bert_tokenizer(), max_length=2, max_tokens=None)


# -- batches --------------------------------------------------------------------------------------


def numbered_windows(lengths: list[int]) -> list[Window]:
    ids = np.arange(1, sum(lengths) + 1, dtype=np.int32)
    return [Window(n, part) for n, part in enumerate(np.split(ids, np.cumsum(lengths)[:-1]))]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 200))
@settings(deadline=None, max_examples=100)
def test_batches_hold_every_window_once_within_the_budget(lengths: list[int], budget: int) -> None:
    windows = numbered_windows(lengths)
    seen = {}
    longest = max(lengths)
    for batch in batches(windows, budget=budget, pad_id=-1):
        assert batch.ids.size <= budget or len(batch.ids) == 1
        assert batch.ids.shape == (len(batch.lengths), batch.lengths[0])
        assert longest >= batch.lengths[0]
        assert (np.diff(batch.lengths) <= 0).all()
        np.testing.assert_array_equal(batch.attention, batch.ids != -1)
        np.testing.assert_array_equal(batch.attention.sum(axis=1), batch.lengths)
        longest = batch.lengths[-1]
        for row, length, number in zip(batch.ids, batch.lengths, batch.documents, strict=True):
            assert number not in seen
            seen[int(number)] = row[:length].tolist()
    assert seen == {window.document: window.ids.tolist() for window in windows}


@given(st.lists(st.integers(1, 40), min_size=2, max_size=30), st.integers(1, 200))
@settings(deadline=None, max_examples=50)
def test_no_batch_could_take_the_next_window(lengths: list[int], budget: int) -> None:
    found = list(batches(numbered_windows(lengths), budget=budget, pad_id=0))
    for batch in found[:-1]:
        assert (len(batch.ids) + 1) * batch.ids.shape[1] > budget


def test_windows_of_one_length_stay_in_their_order() -> None:
    found = [batch.documents.tolist() for batch in batches(numbered_windows([5, 7, 5, 5]), budget=14, pad_id=0)]
    assert found == [[1, 0], [2, 3]]


def test_no_windows_make_no_batches() -> None:
    assert list(batches([], budget=10, pad_id=0)) == []
