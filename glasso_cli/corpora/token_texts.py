"""The texts of tokens, with the space before a word where there is one.

Decoders of SentencePiece tokenizers (Llama, Mistral) strip the first space of what they decode, so that a token alone does not
say whether it begins a word. Behind another token it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def token_texts(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """The text of every one of ``ids``, as it stands behind another token."""
    alone = [str(tokenizer.decode([token])) for token in ids]
    if any(text.startswith("##") and len(text) > 2 for text in alone):  # WordPiece marks what goes on instead
        return alone
    before = tokenizer("a", add_special_tokens=False)["input_ids"][-1:]
    head = str(tokenizer.decode(before))
    return [_with_space(text, str(tokenizer.decode([*before, token])), head) for token, text in zip(ids, alone)]


def _with_space(alone: str, behind: str, head: str) -> str:
    spaced = " " + alone
    return spaced if alone and behind == head + spaced else alone
