"""The plan: the same for ever, a longer one begins with the shorter, and every value comes equally often."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasso_cli.config.sections.synth import ATTRIBUTES
from glasso_cli.synth.prompts import plan

LISTS = st.dictionaries(
    st.sampled_from(["genre", "register", "era"]), st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=5)
)


@given(LISTS, st.integers(0, 40), st.integers(0, 40), st.integers(0, 2**63 - 1))
def test_a_longer_plan_begins_with_the_shorter(
    attributes: dict[str, list[str]], some: int, more: int, seed: int
) -> None:
    long = plan("tides", attributes, some + more, seed)
    assert long[:some] == plan("tides", attributes, some, seed)
    assert [brief.index for brief in long] == list(range(some + more))


@pytest.mark.slow
@given(LISTS, st.integers(1, 60))
def test_no_two_requests_of_a_plan_are_the_same(attributes: dict[str, list[str]], examples: int) -> None:
    briefs = plan("tides", attributes, examples, 0)
    asked = [(str(brief.messages(draw)), brief.replicate, draw) for brief in briefs for draw in range(3)]
    assert len(set(asked)) == len(asked)
    assert len({brief.sampling_seed(draw) for brief in briefs for draw in range(3)}) == len(asked)


@pytest.mark.parametrize("examples", [60, 61, 180])
def test_every_value_comes_equally_often(examples: int) -> None:
    briefs = plan("tides", ATTRIBUTES, examples, 5)
    for name, values in ATTRIBUTES.items():
        counts = Counter(dict(brief.attributes)[name] for brief in briefs)
        assert set(counts) == set(values)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_the_seed_and_the_topic_change_the_order() -> None:
    first = [brief.attributes for brief in plan("tides", ATTRIBUTES, 20, 0)]
    assert [brief.attributes for brief in plan("tides", ATTRIBUTES, 20, 1)] != first
    assert [brief.attributes for brief in plan("winds", ATTRIBUTES, 20, 0)] != first


def test_a_plan_that_is_known_does_not_move() -> None:
    """Kept answers are found by what was asked: another wording or order would pay for all of them again."""
    brief = plan("the tides", {"genre": ("a letter", "a report"), "point_of_view": ("first person",)}, 2, 0)[1]
    assert [message["content"] for message in brief.messages(0)] == [
        "You write texts for a corpus. Answer with the text alone: no title, no heading, no remarks before or after it.",
        "Write one text about this topic: the tides\nGenre: a report\nPoint of view: first person",
    ]
    assert brief.messages(2)[1]["content"].endswith(
        "\nThere are 2 other texts like this already; choose another scene, argument or example."
    )
    assert (brief.sampling_seed(0), brief.sampling_seed(1)) == (961630003, 1267968434)
    assert brief.opening(0) == "What would change if we took the tides seriously? For one thing,"


def test_a_plan_without_attributes_counts_replicates() -> None:
    briefs = plan("tides", {}, 3, 0)
    assert [brief.replicate for brief in briefs] == [0, 1, 2]
    assert "There is one other text like this" in briefs[1].messages(0)[1]["content"]


def test_openings_name_the_topic_and_differ_over_draws() -> None:
    for brief in plan("{the tides}", ATTRIBUTES, 40, 0):
        openings = [brief.opening(draw) for draw in range(4)]
        assert all("{the tides}" in opening for opening in openings)
        assert len(set(openings)) >= 2
