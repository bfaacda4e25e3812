"""The colours of signs, communities and differences, each said once."""

from __future__ import annotations

POSITIVE = "#2166AC"  # blue and red are the sign, and nothing else
NEGATIVE = "#B2182B"
# Okabe & Ito (2008) without its blues and its vermillion, which would read as a sign.
COMMUNITY = ("#E69F00", "#009E73", "#F0E442", "#CC79A7", "#000000")
OTHER = ("#8C8C8C", "#BDBDBD")  # in turn: beyond five, colours are not told apart
NO_COMMUNITY = "#FFFFFF"
# What a second corpus does to a pair of neurons (Okabe & Ito, 2008)
DIFFERENCES = {
    "gained": "#009E73",
    "lost": "#CC79A7",
    "stronger": "#0072B2",
    "weaker": "#56B4E9",
    "sign flip": "#D55E00",
}
# How association and influence of a pair across layers are read together (Okabe & Ito, 2008); the last is of pairs without both
READINGS = {
    "both": "#009E73",
    "common cause": "#E69F00",
    "unused wiring": "#CC79A7",
    "neither": "#8C8C8C",
    "": "#595959",
}
# In how many corpora of a joint fit an edge is (Okabe & Ito, 2008)
PRESENCE = {"all": "#7F7F7F", "some": "#0072B2", "one": "#E69F00", "sign flip": "#D55E00"}


def community_colour(community: int) -> str:
    """The colour of a community: five that are told apart, then two greys in turn, white for isolated neurons."""
    if community < 0:
        return NO_COMMUNITY
    if community < len(COMMUNITY):
        return COMMUNITY[community]
    return OTHER[community % len(OTHER)]


def text_on(colour: str) -> str:
    """Black or white, whichever is easier to read on ``colour``."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 110 else "#FFFFFF"
