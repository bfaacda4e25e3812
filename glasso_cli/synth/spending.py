"""A budget that cannot be exceeded: room for the dearest answer is set aside before a request is sent."""

from __future__ import annotations

from dataclasses import dataclass

from glasso_cli.config.sections.prices import Price
from glasso_cli.synth.answers import Request


@dataclass
class Spending:
    """What answers have cost, in US dollars. Without a ``price`` nothing is known and nothing is limited."""

    price: Price | None = None
    budget: float | None = None
    spent: float = 0.0
    aside: float = 0.0  # for requests in flight

    def reserve(self, request: Request) -> float | None:
        """Set room aside for the dearest answer to ``request``; the value is how much, None if there is not enough."""
        if self.price is None or self.budget is None:
            return 0.0
        dearest = self.price.of(most_tokens_in(request), request.max_tokens)
        if self.spent + self.aside + dearest > self.budget:
            return None
        self.aside += dearest
        return dearest

    def release(self, reserved: float) -> None:
        """Give back what was set aside."""
        self.aside -= reserved

    def charge(self, request: Request, tokens: tuple[int, int] | None) -> None:
        """Count an answer; as the dearest it can be where the server does not say its tokens."""
        if self.price is not None:
            self.spent += self.price.of(*(tokens or (most_tokens_in(request), request.max_tokens)))


def most_tokens_in(request: Request) -> int:
    """More tokens than a prompt can have: a token is at least a byte, and each message has a few around it."""
    return sum(len(content.encode()) + 16 for _, content in request.messages)


def likely_tokens_in(request: Request) -> int:
    """About the tokens of a prompt: four letters make one in English."""
    return sum(len(content) // 4 + 4 for _, content in request.messages)
