"""Parts of a long computation, which a caller may have finished before.

A part is named by what distinguishes it from the other parts of the same computation. Its arrays are made by the function
that is given, or are those of an earlier call: both are the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Arrays = dict[str, np.ndarray]
Finished = Callable[[str, Callable[[], Arrays]], Arrays]


def made(name: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays of a part of which none was finished before."""
    return make()
