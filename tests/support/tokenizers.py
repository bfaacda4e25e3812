"""Tiny tokenizers, one word a token, that differ in what they put around a text."""

from __future__ import annotations

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

WORDS = ["a", *(f"w{i}" for i in range(40))]


def word_tokenizer(special: list[str], template: str = "", **roles: str) -> PreTrainedTokenizerFast:
    """``special`` tokens take the first ids, then come the words; ``template`` such as ``<s> $A </s>``."""
    names = [*special, *WORDS, "<unk>"]
    ids = {name: index for index, name in enumerate(names)}
    tokenizer = Tokenizer(WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens(special)
    if template:
        used = [(name, ids[name]) for name in template.split() if name != "$A"]
        tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=used)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles)


def bos_tokenizer() -> PreTrainedTokenizerFast:
    """Puts ``<bos>`` (2) first; pads with 0; knows a special token without a role, ``<turn>`` (3)."""
    special = ["<pad>", "<eos>", "<bos>", "<turn>"]
    return word_tokenizer(special, "<bos> $A", pad_token="<pad>", eos_token="<eos>", bos_token="<bos>")


def bert_tokenizer() -> PreTrainedTokenizerFast:
    """Puts ``[CLS]`` (1) before and ``[SEP]`` (2) after; pads with 0."""
    special = ["[PAD]", "[CLS]", "[SEP]"]
    roles = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return word_tokenizer(special, "[CLS] $A [SEP]", **roles)


def plain_tokenizer() -> PreTrainedTokenizerFast:
    """No special tokens at all."""
    return word_tokenizer([])


def zero_tokenizer() -> PreTrainedTokenizerFast:
    """One special token for everything, whose id is 0, and nothing put around a text (GPT-NeoX)."""
    end = "<|endoftext|>"
    return word_tokenizer([end], eos_token=end, pad_token=end, bos_token=end)


TOKENIZERS = {
    "bos": bos_tokenizer,
    "bert": bert_tokenizer,
    "plain": plain_tokenizer,
    "zero": zero_tokenizer,
}
