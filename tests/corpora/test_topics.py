"""The built-in passages: enough of them, of one size, and no two alike."""

from __future__ import annotations

import itertools
import json

import pytest

from glasso_cli.corpora import topics
from glasso_cli.errors import InputError


def shingles(text: str, size: int = 5) -> set[str]:
    """All runs of ``size`` characters, case and spacing aside."""
    plain = " ".join(text.lower().split())
    return {plain[start : start + size] for start in range(len(plain) - size + 1)}


@pytest.mark.parametrize("topic", topics.TOPICS)
def test_a_topic_has_sixty_passages_of_60_to_160_words(topic: str) -> None:
    texts = topics.passages(topic)
    assert len(texts) == 60
    assert {text: len(text.split()) for text in texts if not 60 <= len(text.split()) <= 160} == {}


@pytest.mark.parametrize("topic", topics.TOPICS)
def test_passages_are_clean_text(topic: str) -> None:
    for text in topics.passages(topic):
        assert text == text.strip()
        assert all(line.isprintable() for line in text.split("\n"))


def test_ids_are_unique_over_all_topics() -> None:
    rows = [json.loads(line) for topic in topics.TOPICS for line in topics.source(topic).splitlines()]
    assert len({row["id"] for row in rows}) == len(rows) == 180


@pytest.mark.slow
def test_no_two_passages_are_alike() -> None:
    """A corpus of near copies has fewer independent documents than it counts."""
    sets = [shingles(text) for topic in topics.TOPICS for text in topics.passages(topic)]
    alike = {
        (i, j): round(overlap, 3)
        for (i, a), (j, b) in itertools.combinations(enumerate(sets), 2)
        if (overlap := len(a & b) / len(a | b)) >= 0.2
    }
    assert alike == {}


@pytest.mark.parametrize("spelling", ["climate change", "Climate Change", "climate_change", " climate-change "])
def test_a_topic_is_found_in_any_spelling_of_its_words(spelling: str) -> None:
    assert topics.passages(spelling) == topics.passages("climate change")


def test_an_unknown_topic_gets_the_near_one_and_the_list() -> None:
    with pytest.raises(InputError, match="Did you mean 'quantum computing'") as caught:
        topics.source("quantum computer")
    assert all(topic in caught.value.hint for topic in topics.TOPICS)


def test_a_topic_unlike_any_gets_no_guess() -> None:
    with pytest.raises(InputError, match=r"on the topic 'zebras'\.$") as caught:
        topics.source("zebras")
    assert "synth.provider" in caught.value.hint
