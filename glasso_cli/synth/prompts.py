"""What is asked for: a plan of texts that depends on the topic, the attributes and the seed alone.

The plan of 100 texts begins with the plan of 60, so that asking for more pays only for those. Every value of an
attribute comes equally often: each attribute runs through its values in a new order of its own, again and again.
Orders come from SHA-256, which is the same everywhere and for ever.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

TEMPLATE = 1  # raised when the same brief would be worded in another way

_SYSTEM = (
    "You write texts for a corpus. Answer with the text alone: no title, no heading, no remarks before or after it."
)
# What a model that knows no conversation continues. {topic} stands in the middle of a sentence, so that any fits.
_OPENINGS = (
    "The first thing that most people learn about {topic} is",
    "When my grandmother spoke of {topic}, she always began with",
    "A report that was published this week on {topic} found that",
    "There is a common mistake about {topic}. It is often said that",
    "Nobody in our town had given much thought to {topic} until",
    "In the history of {topic}, one episode stands out:",
    "Dear friend, you asked me what I think about {topic}. I believe that",
    "To understand {topic}, it helps to start with a simple example.",
    "The lecture on {topic} began late, and the speaker said",
    "What would change if we took {topic} seriously? For one thing,",
    "Ten years ago, anyone who worked on {topic} would have told you that",
    "The minister was asked about {topic} and answered that",
    "I still remember the day when {topic} became real to me.",
    "Scientists who study {topic} disagree about one question:",
    "In the novel, {topic} is never far away:",
    "Here is some practical advice on {topic}.",
)


@dataclass(frozen=True)
class Brief:
    """One text of the plan: ``replicate`` counts the briefs before it with the same attributes."""

    index: int
    topic: str
    attributes: tuple[tuple[str, str], ...]
    replicate: int
    seed: int

    def messages(self, draw: int) -> list[dict[str, str]]:
        """The conversation that asks for this text; ``draw`` counts those that could not be used."""
        lines = [f"Write one text about this topic: {self.topic}"]
        lines += [f"{name.replace('_', ' ').capitalize()}: {value}" for name, value in self.attributes]
        if before := self.replicate + draw:
            others = "is one other text" if before == 1 else f"are {before} other texts"
            lines.append(f"There {others} like this already; choose another scene, argument or example.")
        return [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": "\n".join(lines)}]

    def opening(self, draw: int) -> str:
        """The words that a model which knows no conversation goes on from."""
        return _in_turn(self.seed, self.topic, "opening", _OPENINGS, self.index + draw).format(topic=self.topic)

    def sampling_seed(self, draw: int) -> int:
        """A number below 2**31 that is another one for every text and draw."""
        return _digest(self.seed, self.messages(draw), self.replicate, draw) % 2**31


def plan(topic: str, attributes: Mapping[str, Sequence[str]], examples: int, seed: int) -> list[Brief]:
    """The briefs of ``examples`` texts on ``topic``, each with one value of every attribute."""
    seen: Counter[tuple[tuple[str, str], ...]] = Counter()
    briefs = []
    for index in range(examples):
        chosen = tuple((name, _in_turn(seed, topic, name, values, index)) for name, values in attributes.items())
        briefs.append(Brief(index, topic, chosen, seen[chosen], seed))
        seen[chosen] += 1
    return briefs


def _in_turn(seed: int, topic: str, name: str, values: Sequence[str], turn: int) -> str:
    """The value at ``turn`` of all values in some order, then all of them in another, for ever."""
    cycle, place = divmod(turn, len(values))
    return values[_order(seed, topic, name, cycle, len(values))[place]]


@lru_cache(maxsize=256)
def _order(seed: int, topic: str, name: str, cycle: int, size: int) -> tuple[int, ...]:
    return tuple(sorted(range(size), key=lambda position: _digest(seed, topic, name, cycle, position)))


def _digest(*parts: Any) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big")
