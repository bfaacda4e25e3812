"""How association and influence of a pair are read together."""

from __future__ import annotations

import numpy as np

READINGS = ("both", "common cause", "unused wiring", "neither")
BOTH, COMMON_CAUSE, UNUSED_WIRING, NEITHER = range(len(READINGS))
UNREAD = -1  # one of association and influence was not looked for

IN_WORDS = {
    "both": "The two vary together, and the first moves the second along the paths that influence follows.",
    "common cause": (
        "The two vary together, and no influence was found of the first on the second. A shared input is the usual reason. "
        "Paths that influence does not follow, if there are some, are another."
    ),
    "unused wiring": (
        "The first moves the second, and the graph of these texts has no such edge: the source varies too little or with too much "
        "else, other paths cancel it, or the edge was too weak for the graph."
    ),
    "neither": "Neither association nor influence was found.",
    "": "Only one of association and influence was looked for, so that the pair has no reading.",
}

# What a measured effect adds to a reading: where it was found, and where it was not
_EFFECT_IN_WORDS = {
    "both": ("A change of the source moved the target, as influence says.", "Yet a change of the source {no}."),
    "common cause": (
        "Yet a change of the source moved the target: it acts in a way that influence did not find.",
        "A change of the source {no} either.",
    ),
    "unused wiring": ("A change of the source moved the target: the wiring works.", "Yet a change of the source {no}."),
    "neither": ("Yet a change of the source moved the target.", "A change of the source {no} either."),
    "": ("A change of the source moved the target.", "A change of the source {no}."),
}
_NO_EFFECT = "was not shown to move the target by more than the minimum effect"


def effect_in_words(reading: str, found: bool) -> str:
    """What a measured effect that was ``found``, or not, adds to a reading."""
    return _EFFECT_IN_WORDS[reading][0 if found else 1].format(no=_NO_EFFECT)


def readings(associated: np.ndarray, influential: np.ndarray, looked: np.ndarray) -> np.ndarray:
    """The reading of every pair ``(E,)`` int8, an index into ``READINGS`` or ``UNREAD``.

    ``associated`` and ``influential (E,)`` say where association and influence were found, ``looked (E,)`` where both were
    looked for.
    """
    found = np.where(
        associated,
        np.where(influential, BOTH, COMMON_CAUSE),
        np.where(influential, UNUSED_WIRING, NEITHER),
    )
    return np.where(looked, found, UNREAD).astype(np.int8)
