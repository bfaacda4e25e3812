"""Prices of answers in US dollars per million tokens; an unknown price is None, never zero."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

OPENAI_HOST = "api.openai.com"
# OpenAI's list prices of June 2026, input and output. The configuration can give other prices.
_LISTED = {
    "gpt-4o": (2.50, 10.00),
    "gpt-4o-mini": (0.15, 0.60),
    "gpt-4.1": (2.00, 8.00),
    "gpt-4.1-mini": (0.40, 1.60),
    "gpt-4.1-nano": (0.10, 0.40),
    "gpt-5": (1.25, 10.00),
    "gpt-5-mini": (0.25, 2.00),
    "gpt-5-nano": (0.05, 0.40),
}


@dataclass(frozen=True)
class Price:
    """Price in US dollars per million tokens of input and of output."""

    input: float
    output: float

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """The price of these numbers of tokens in US dollars."""
        return (tokens_in * self.input + tokens_out * self.output) / 1e6


def listed_price(base_url: str, model: str) -> Price | None:
    """The price of a model of OpenAI; None for any other model or server."""
    if is_openai(base_url) and model in _LISTED:
        return Price(*_LISTED[model])
    return None


def is_openai(base_url: str) -> bool:
    """Whether requests to ``base_url`` go to OpenAI itself, encrypted."""
    parts = urlsplit(base_url)
    return parts.scheme == "https" and parts.hostname == OPENAI_HOST and parts.port in (None, 443)


def dollars(amount: float | None) -> str:
    """``amount`` as text: ``$0.0123``, or ``cost unknown``."""
    if amount is None:
        return "cost unknown"
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.2g}"
