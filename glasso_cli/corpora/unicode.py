"""Text that is not Unicode: JSON can hold half of an emoji, which no tokenizer and no file takes."""

from __future__ import annotations


def well_formed(text: str) -> str:
    """``text`` with surrogate pairs joined, and every surrogate that stands alone replaced by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
