"""Texts of tokens of the kinds of tokenizers there are."""

from __future__ import annotations

from glasso_cli.corpora.token_texts import token_texts


def sentence_piece() -> object:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<unk>": 0, "▁the": 1, "▁cli": 2, "mate": 3, "▁a": 4, "<0x0A>": 5, "▁": 6}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_a_stripped_space_is_put_back() -> None:
    tokenizer = sentence_piece()
    assert [tokenizer.decode([i]) for i in (1, 2, 3)] == ["the", "cli", "mate"]  # type: ignore[attr-defined]
    assert token_texts(tokenizer, [1, 2, 3, 5]) == [" the", " cli", "mate", "\n"]  # type: ignore[arg-type]


class Pieces:
    """A tokenizer whose texts depend on nothing but the token, or that joins words by spaces."""

    def __init__(self, texts: list[str], joined: bool) -> None:
        self.texts, self.joined = texts, joined

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": [0]}

    def decode(self, ids: list[int]) -> str:
        texts = [self.texts[i] for i in ids]
        return " ".join(texts).replace(" ##", "") if self.joined else "".join(texts)


def test_texts_that_have_their_spaces_are_left_as_they_are() -> None:
    assert token_texts(Pieces(["a", " the", "mate", ""], joined=False), [1, 2, 3]) == [" the", "mate", ""]  # type: ignore[arg-type]


def test_word_pieces_keep_their_marks() -> None:
    assert token_texts(Pieces(["a", "the", "##mate"], joined=True), [1, 2]) == ["the", "##mate"]  # type: ignore[arg-type]
