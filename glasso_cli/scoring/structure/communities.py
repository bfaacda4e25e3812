"""Scores of communities: what those of their neurons add up to, so that a community can be ranked and named."""

from __future__ import annotations

import numpy as np


def community_sums(values: np.ndarray, communities: np.ndarray) -> np.ndarray:
    """Sums ``(…, c)`` of ``values (…, p)`` over the members of each community.

    ``communities (p,)`` are numbered from 0; neurons with -1 are in none. Applied to scores without each block, the sums give
    the jackknife error of a community, with the dependence between its neurons.
    """
    members = np.flatnonzero(communities >= 0)
    count = int(communities.max(initial=-1)) + 1
    onto = np.zeros((len(communities), count))
    onto[members, communities[members]] = 1.0
    return np.asarray(values @ onto)
