"""Which neurons are changed: single neurons, all, a list, a sample of every kind, groups and communities."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.config.neurons import indices_of, neuron_file, wanted_ids
from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from torch import nn

Disagreements = Mapping[str, tuple[int, int]]  # by neuron: pairs with association alone, and with influence alone
_ID = re.compile(r"(.+)\[\d+\]")  # the hook point of a neuron
_LEVELS = 5  # of a count
_PARTS = 3  # of the neurons with edges by degree, and of all neurons by write norm


@dataclass(frozen=True, eq=False)
class Candidates:
    """The p neurons of the source hook point that were collected and vary.

    ``places (p,)`` are their coordinates at the hook point. ``degrees (p,)`` are -1 where a neuron was not fitted, and
    ``write_norms (p,)`` nan where the module that reads the neurons is not linear. ``disagreements (p, 2)`` count pairs of the
    neuron with later ones that have association alone, and those that have influence alone; -1 where that is not known.
    """

    ids: np.ndarray
    places: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    orientation: np.ndarray
    degrees: np.ndarray
    write_norms: np.ndarray
    disagreements: np.ndarray


@dataclass(frozen=True, eq=False)
class Source:
    """Neurons that are changed together: one, or a group. ``members`` index into the candidates."""

    name: str
    members: tuple[int, ...]
    weight: float = 1.0  # how many candidates a drawn neuron stands for

    @property
    def alone(self) -> bool:
        return len(self.members) == 1


def choose(
    candidates: Candidates,
    choice: int | str | tuple[str, ...],
    stratify: Sequence[str],
    seed: int,
) -> list[Source]:
    """The single neurons that ``choice`` stands for: all, a list or file of ids, or a number drawn from all strata alike.

    Ids of other hook points in a file are left out. Raises :class:`InputError` for an unknown neuron, and for a file without a
    neuron of the candidates' hook point.
    """
    ids = candidates.ids.tolist()
    if isinstance(choice, int):
        drawn, weights = draw(strata(candidates, stratify), min(choice, len(ids)), seed)
        return [Source(ids[index], (index,), weight) for index, weight in zip(drawn.tolist(), weights.tolist())]
    wanted = wanted_ids(choice)
    if elsewhere := of_other_points(choice, ids):
        wanted = tuple(name for name in wanted or () if name not in elsewhere)
        if not wanted:
            points = ", ".join(dict.fromkeys(_point(name) for name in elsewhere))
            raise InputError(
                f"{neuron_file(choice)} has no neuron of {_point(ids[0])}, the hook point whose neurons are changed; its neurons are of "
                f"{points}.",
                "Set intervene.source to one of these, and collect it.",
            )
    places = range(len(ids)) if wanted is None else indices_of(wanted, ids)
    return [Source(ids[index], (index,)) for index in places]


def of_other_points(choice: int | str | tuple[str, ...], ids: Sequence[str]) -> dict[str, None]:
    """The ids in a file that are of other hook points than ``ids``, in order; none if ``choice`` is no file."""
    if isinstance(choice, int) or neuron_file(choice) is None:
        return {}
    here = {_point(name) for name in ids}
    return dict.fromkeys(name for name in wanted_ids(choice) or () if _ID.fullmatch(name) and _point(name) not in here)


def _point(name: str) -> str:
    found = _ID.fullmatch(name)
    return name if found is None else found[1]


def groups_of(candidates: Candidates, groups: Mapping[str, Sequence[str]]) -> list[Source]:
    """Groups of neurons by their ids; raises :class:`InputError` for an unknown neuron."""
    ids = candidates.ids.tolist()
    return [Source(name, tuple(indices_of(members, ids))) for name, members in groups.items()]


def communities_of(
    candidates: Candidates, wanted: Sequence[int], ids: np.ndarray, communities: np.ndarray
) -> list[Source]:
    """Communities of a fit by number: their members among the candidates; ``ids`` and ``communities (n,)`` are of its neurons.

    Raises :class:`InputError` for a community that has no neuron among the candidates.
    """
    place = {name: index for index, name in enumerate(candidates.ids.tolist())}
    found = []
    for number in wanted:
        members = [place[name] for name in ids[communities == number].tolist() if name in place]
        if not members:
            raise InputError(
                f"Community {number} of the fit has no neuron at the source hook point.",
                f"Its communities are numbered from 0 to {int(communities.max())}; choose others (intervene.communities).",
            )
        found.append(Source(f"community {number}", tuple(members)))
    return found


def strata(candidates: Candidates, by: Sequence[str]) -> np.ndarray:
    """A number for each candidate ``(p,)``: neurons with the same number are alike in what ``by`` names.

    By ``degree``: neurons that were not fitted, those without edges, and thirds of the rest. By ``write_norm``: thirds. By
    ``disagreement``: neurons of which association or influence is not known; and of the rest, those without pairs and thirds of
    those with pairs, both for pairs that have association alone and for pairs that have influence alone.
    """
    labels = np.zeros(len(candidates.ids), dtype=np.int64)
    if "degree" in by:
        labels = _levels(candidates.degrees)
    if "disagreement" in by:
        for counts in candidates.disagreements.T:
            labels = labels * _LEVELS + _levels(counts)
    if "write_norm" in by and np.isfinite(candidates.write_norms).all():
        labels = labels * _PARTS + _thirds(candidates.write_norms)
    return labels


def _levels(counts: np.ndarray) -> np.ndarray:
    """Levels of counts ``(p,)``: 0 where a count is not known (-1), 1 where it is 0, and 2 to 4 for thirds of the rest."""
    levels = np.where(counts > 0, 2, np.where(counts == 0, 1, 0))
    levels[counts > 0] += _thirds(counts[counts > 0].astype(float))
    return levels


def _thirds(values: np.ndarray) -> np.ndarray:
    """Thirds by rank, 0 to 2; equal values are in one."""
    cuts = np.quantile(values, [k / _PARTS for k in range(1, _PARTS)]) if len(values) else []
    return np.searchsorted(cuts, values, side="left")


def draw(labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``count`` of the items with ``labels (p,)``, as many of each label as there are, up to an equal share.

    Gives their sorted indices and, for each, how many items of its label it stands for.
    """
    rng = np.random.default_rng(seed)
    kinds, sizes = np.unique(labels, return_counts=True)
    shares = np.zeros(len(kinds), dtype=np.int64)
    while (left := count - int(shares.sum())) > 0:
        open_ = np.flatnonzero(shares < sizes)
        each = max(1, left // len(open_))
        for kind in open_[:left]:
            shares[kind] += min(each, sizes[kind] - shares[kind])
    drawn, weights = [], []
    for kind, size, share in zip(kinds, sizes, shares):
        members = np.flatnonzero(labels == kind)
        drawn.append(rng.permutation(members)[:share])
        weights.append(np.full(share, size / max(share, 1)))
    chosen = np.concatenate(drawn)
    order = np.argsort(chosen)
    return chosen[order], np.concatenate(weights)[order]


def write_vectors(module: nn.Module, places: np.ndarray) -> np.ndarray | None:
    """What each neuron adds to the output of the linear ``module`` that reads it, ``(n, d)``; None for another module."""
    import torch

    from glasso_cli.hooks.neurons import linear_widths

    widths = linear_widths(module)
    if widths is None:
        return None
    weight = next(module.parameters())
    with torch.no_grad():
        one = torch.zeros(len(places), widths[0], device=weight.device, dtype=weight.dtype)
        one[torch.arange(len(places)), torch.from_numpy(places).long()] = 1
        return np.asarray((module(one) - module(torch.zeros_like(one[:1]))).float().cpu().numpy())
