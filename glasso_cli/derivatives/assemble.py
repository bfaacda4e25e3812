"""The artifact `influence` from what was found for every pair of hook points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.artifacts import Influence
from glasso_cli.artifacts.metrics import InfluenceMetrics, to_json
from glasso_cli.artifacts.metrics.influence import LayersRead
from glasso_cli.derivatives.tested import PairTable, rates
from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from glasso_cli.artifacts import ActivationStats
    from glasso_cli.config import InfluenceSection


# What each block adds to the error of pairs ``(E,)`` of sources and targets, which are indices into the statistics: ``(E, B)``.
Deviations = Callable[[np.ndarray, np.ndarray], np.ndarray]
MOST = 200_000_000  # bytes of the deviations of all edges


@dataclass(frozen=True, eq=False)
class LayerNeurons:
    """The neurons of one hook point that count: indices into the hook point, and into the statistics."""

    inside: np.ndarray
    rows: np.ndarray


def neurons_of(stats: ActivationStats, ids: Sequence[str]) -> LayerNeurons:
    """The neurons of a hook point that were collected and vary."""
    place = {neuron: index for index, neuron in enumerate(ids)}
    rows = [row for row, neuron in enumerate(stats.neuron_ids.tolist()) if neuron in place]
    rows = [row for row in rows if not stats.dead[row] and stats.std[row] > 0]
    return LayerNeurons(np.array([place[str(stats.neuron_ids[row])] for row in rows], int), np.array(rows, np.int32))


def refuse_other_tokens(stats: ActivationStats, counts: np.ndarray, max_tokens: int | None) -> None:
    """Raise :class:`InputError` where this pass kept other tokens than ``stats`` has."""
    same = np.array_equal(counts, stats.counts) if max_tokens is None else bool((counts <= stats.counts).all())
    if not same:
        raise InputError(
            f"This pass kept {counts.sum():,} tokens, and collect kept {stats.n_tokens:,}: the texts or the model are others.",
            "Run collect again, then influence.",
        )


def assembled(
    stats: ActivationStats,
    section: InfluenceSection,
    documents: int,
    read: Sequence[LayersRead],
    neurons: Sequence[tuple[LayerNeurons, LayerNeurons]],
    counts: np.ndarray,
    tables: Sequence[PairTable],
    deviations: Sequence[Deviations],
    ablated: Sequence[np.ndarray] = (),
    combinations: int | None = None,
    ablation_tokens: int | None = None,
) -> Influence:
    """The artifact of all pairs of hook points; its neurons are those of any of them.

    ``read`` says what is known of every pair of hook points, without its edges, and ``deviations`` how the blocks of ``counts`` differ.
    ``ablated`` has mean change, standard error, root mean square change and standard error ``(4, E)`` of each table, the last two
    from ``ablation_tokens``. ``combinations`` of tokens gave the root mean squares; None where all tokens did.
    """
    table = PairTable.joined(tables)
    tested = sum(layers.tested for layers in read)
    q = rates(table, tested)
    edge = q <= section.fdr
    of_pair = np.repeat(np.arange(len(tables)), [len(one.p) for one in tables])
    edges = np.bincount(of_pair[edge], minlength=len(tables))
    layers = tuple(replace(one, edges=int(found)) for one, found in zip(read, edges, strict=True))
    rows = np.unique(np.concatenate([part.rows for of in neurons for part in of]))
    ratio = np.abs(table.mean[edge]) / table.rms[edge]
    metrics = InfluenceMetrics(
        paths=section.paths,
        sample=stats.metrics.sample,
        fdr=section.fdr,
        min_effect=section.min_effect,
        documents=documents,
        tokens=int(counts.sum()),
        blocks=int(np.count_nonzero(counts)),
        neurons=len(rows),
        layers=layers,
        tested=tested,
        edges=int(edge.sum()),
        mean_rms_ratio=float(np.median(ratio)) if len(ratio) else None,
        combinations=combinations,
        ablation_tokens=ablation_tokens,
    )
    apart = None
    if edge.sum() * len(counts) * 4 <= MOST:
        ends = [
            (table.sources[edge & (of_pair == at)], table.targets[edge & (of_pair == at)]) for at in range(len(tables))
        ]
        apart = np.concatenate([of(*pair) for of, pair in zip(deviations, ends, strict=True)])
    effects = np.concatenate([np.zeros((4, 0)), *ablated], axis=1).astype(np.float32)
    if section.keep == "edges":
        effects = effects[:, edge] if ablated else effects
        table, q, edge = table.chosen(edge), q[edge], edge[edge]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (table.mean / table.error).astype(np.float32)
    return Influence(
        meta={"corpus": stats.meta["corpus"], "metrics": to_json(metrics)},
        neuron_ids=stats.neuron_ids[rows],
        layers=stats.layers[rows],
        orientation=stats.orientation[rows],
        neurons=rows.astype(np.int32),
        std=np.asarray(stats.std[rows]),
        counts=counts,
        sources=np.searchsorted(rows, table.sources).astype(np.int32),
        targets=np.searchsorted(rows, table.targets).astype(np.int32),
        mean=table.mean,
        error=table.error,
        direct=table.direct if section.paths == "closed" else table.direct[:0],
        direct_error=table.direct_error if section.paths == "closed" else table.direct_error[:0],
        rms=table.rms,
        rms_error=table.rms_error,
        z=z,
        ablation=effects[0],
        ablation_error=effects[1],
        ablation_rms=effects[2],
        ablation_rms_error=effects[3],
        p_values=table.p,
        q_values=q,
        edge=edge,
        block_deviations=None if apart is None else apart.astype(np.float32),
    )
