"""The order in which the artifacts of a run are made: the first page early, all else stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

Work = tuple[str, str]  # a stage and the name of one of its artifacts


def early_first(
    work: Sequence[Work], is_early: Callable[[Work], bool], reads: Callable[[Work], Iterable[Work]]
) -> list[Work]:
    """``work``, given stage by stage, with its first early artifact moved up, right behind all that is read for it.

    Only one artifact is moved, so that a stage is entered at most twice and a large model is loaded at most twice for it.
    ``reads`` gives what an artifact is made from; what of it is not in ``work`` does not count.
    """
    first = next(filter(is_early, work), None)
    if first is None:
        return list(work)
    needed, open_ = {first}, [first]
    while open_:
        new = set(reads(open_.pop())) - needed
        needed |= new
        open_ += new
    return [item for item in work if item in needed] + [item for item in work if item not in needed]
