"""What one run of interventions is about: a source hook point, its candidates, the targets, and where neurons are changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.artifacts import ActivationStats, PrecisionPath
from glasso_cli.collection.reading import Reading
from glasso_cli.config import InterveneSection
from glasso_cli.errors import InputError
from glasso_cli.graph.sums import degrees
from glasso_cli.hooks import HookPoint
from glasso_cli.intervention.sources import (
    Candidates,
    Disagreements,
    Source,
    choose,
    communities_of,
    groups_of,
    write_vectors,
)

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Study:
    """The source hook point with its candidates, and the targets.

    ``rows (T,)`` of the targets index into the statistics, ``columns`` are the coordinates of those at each target hook
    point. ``writes (p, d)`` is what each candidate adds to the output of the module that reads it, None where that is not
    linear.
    """

    source: HookPoint
    targets: tuple[HookPoint, ...]
    candidates: Candidates
    sources: tuple[Source, ...]
    rows: np.ndarray
    columns: tuple[np.ndarray, ...]
    writes: np.ndarray | None


def study_of(
    model: nn.Module,
    source: HookPoint,
    targets: Sequence[HookPoint],
    stats: ActivationStats,
    fit: PrecisionPath | None,
    section: InterveneSection,
    seed: int,
    disagreements: Disagreements | None = None,
) -> Study:
    """The candidates and targets among the collected neurons, and the sources that ``section`` chooses.

    Raises :class:`InputError` for an unknown neuron, and where no neuron of a hook point varies.
    """
    place = {name: row for row, name in enumerate(stats.neuron_ids.tolist())}
    rows, places = _collected(source, place, stats)
    start = 0 if source.part is None else source.part.start
    writes = write_vectors(model.get_submodule(source.module), places + start) if source.side == "in" else None
    norms = np.full(len(rows), np.nan) if writes is None else np.linalg.norm(writes, axis=1) * stats.std[rows]
    candidates = Candidates(
        ids=stats.neuron_ids[rows],
        places=places,
        mean=stats.mean[rows],
        std=stats.std[rows],
        orientation=stats.orientation[rows],
        degrees=_degrees(stats.neuron_ids[rows], fit),
        write_norms=norms,
        disagreements=_disagreements(stats.neuron_ids[rows], disagreements),
    )
    sources = choose(candidates, section.sources, section.stratify, seed)
    sources += groups_of(candidates, section.groups)
    if section.communities and fit is not None:
        sources += communities_of(candidates, section.communities, fit.neuron_ids, fit.communities)
    found = [_collected(target, place, stats) for target in targets]
    return Study(
        source,
        tuple(targets),
        candidates,
        tuple(sources),
        np.concatenate([rows for rows, _ in found]),
        tuple(columns for _, columns in found),
        writes,
    )


def _collected(point: HookPoint, place: dict[str, int], stats: ActivationStats) -> tuple[np.ndarray, np.ndarray]:
    """The neurons of ``point`` that were collected and vary: rows of the statistics, and coordinates at the hook point."""
    pairs = [(place[name], index) for index, name in enumerate(point.neuron_ids) if name in place]
    pairs = [(row, index) for row, index in pairs if stats.std[row] > 0]
    if not pairs:
        raise InputError(
            f"No collected neuron of '{point.label}' varies.",
            "Collect its neurons (collect.hook_points, collect.neurons), or take another hook point.",
        )
    found = np.array(pairs, dtype=np.int64)
    return found[:, 0], found[:, 1]


def _degrees(ids: np.ndarray, fit: PrecisionPath | None) -> np.ndarray:
    if fit is None:
        return np.full(len(ids), -1)
    rows, cols, _ = fit.edges()
    drawn = degrees(fit.n_neurons, rows[fit.kept], cols[fit.kept])
    found = dict(zip(fit.neuron_ids.tolist(), drawn.tolist()))
    return np.array([found.get(name, -1) for name in ids.tolist()])


def _disagreements(ids: np.ndarray, known: Disagreements | None) -> np.ndarray:
    return np.array([(known or {}).get(name, (-1, -1)) for name in ids.tolist()], dtype=np.int64).reshape(-1, 2)


# -- hook points ----------------------------------------------------------------------------------------


def choose_points(
    collected: Sequence[HookPoint],
    order: Sequence[str],
    resolve: Callable[[Sequence[str]], Sequence[HookPoint]],
    section: InterveneSection,
) -> tuple[HookPoint, tuple[HookPoint, ...]]:
    """The source and the targets among the ``collected`` hook points; ``order`` are their names as they run in a pass.

    Raises :class:`InputError` for a hook point that was not collected, for targets that do not run after the source, and
    where nothing does.
    """
    rank = {name: number for number, name in enumerate(order)}
    ran = sorted(collected, key=lambda point: rank[point.name])
    source = _only(_among(collected, resolve([section.source]), "source")) if section.source else ran[0]
    later = [point for point in ran if rank[point.name] > rank[source.name]]
    if not section.targets:
        if not later:
            raise InputError(
                f"No collected hook point runs after the source, '{source.label}': there is nothing to measure effects on.",
                "Collect a later one as well, such as collect.hook_points: [mlp.8, mlp.9], or name another intervene.source.",
            )
        return source, tuple(later)
    targets = _among(collected, resolve(section.targets), "targets")
    for point in targets:
        if point not in later:
            raise InputError(
                f"The target '{point.label}' does not run after the source, '{source.label}', so nothing can change there.",
                "Give hook points of later layers under intervene.targets.",
            )
    return source, tuple(point for point in later if point in targets)


def _among(collected: Sequence[HookPoint], points: Sequence[HookPoint], key: str) -> list[HookPoint]:
    names = {point.name for point in collected}
    for point in points:
        if point.name not in names:
            raise InputError(
                f"intervene.{key}: '{point.label}' was not collected, so the size of a standard deviation there is not known.",
                f"Add it to collect.hook_points; those are {', '.join(p.label for p in collected)}.",
            )
    return list(points)


def _only(points: Sequence[HookPoint]) -> HookPoint:
    if len(points) > 1:
        raise InputError(
            f"intervene.source names {len(points)} hook points: {', '.join(point.label for point in points)}.",
            "Name one.",
        )
    return points[0]


def run_order(model: nn.Module, forward: Callable[[], Any], points: Sequence[HookPoint]) -> list[str]:
    """The names of ``points`` in the order in which a pass comes by them; those that it never reaches are last."""
    import torch

    seen: list[str] = []
    handles = []
    for point in points:
        module = model.get_submodule(point.module)
        if point.side == "out":
            handles.append(module.register_forward_hook(lambda *_, name=point.name: seen.append(name)))
        else:
            handles.append(module.register_forward_pre_hook(lambda *_, name=point.name: seen.append(name)))
    try:
        with torch.inference_mode():
            forward()
    finally:
        for handle in handles:
            handle.remove()
    return list(dict.fromkeys([*seen, *(point.name for point in points)]))


# -- tokens -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Where:
    """At which tokens neurons are changed: everywhere, or at some positions and at tokens of some texts."""

    positions: tuple[int, ...] | None
    texts: frozenset[str]
    reading: Reading
    causal: bool

    @classmethod
    def of(cls, section: InterveneSection, reading: Reading, *, causal: bool) -> Where:
        """What ``intervene.at`` says; raises :class:`InputError` for token texts where documents have none."""
        if section.at == "all":
            return cls(None, frozenset(), reading, causal)
        texts = frozenset(item for item in section.at if isinstance(item, str))
        if texts and reading.symbols is None:
            raise InputError(
                f"intervene.at names the token {min(texts)!r}, but these documents have no tokens.", "Give positions."
            )
        return cls(tuple(item for item in section.at if isinstance(item, int)), texts, reading, causal)

    def changed(self, tokens: Tensor) -> Tensor | None:
        """Where neurons are changed, ``(rows, positions)`` bool, of token ids of this shape; None means everywhere."""
        import torch

        if self.positions is None:
            return None
        mask = torch.zeros_like(tokens, dtype=torch.bool)
        inside = [position for position in self.positions if position < tokens.shape[1]]
        mask[:, inside] = True
        if self.texts and self.reading.symbols is not None:
            ids = tokens[tokens >= 0].unique().cpu()  # not those of padding
            names = self.reading.symbols(ids.numpy())
            chosen = [number for number, name in zip(ids.tolist(), names) if name in self.texts]
            mask |= torch.isin(tokens, torch.tensor(chosen, dtype=tokens.dtype, device=tokens.device))
        return mask

    def counted(self, kept: Tensor, changed: Tensor | None) -> Tensor:
        """Of the ``kept`` tokens, those that a change can reach: from the first changed one of the row on, if tokens see none after them."""
        if changed is None:
            return kept
        return kept & (changed.cumsum(1) > 0 if self.causal else changed.any(1, keepdim=True))
