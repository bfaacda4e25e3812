"""Any artifact from its file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias, get_args

from glasso_cli.artifacts import (
    ActivationStats,
    Audit,
    Comparison,
    Influence,
    Interventions,
    JointPrecision,
    OrderedGraph,
    Pathways,
    PrecisionPath,
    Scores,
    Structure,
)
from glasso_cli.artifacts.npz import read_meta
from glasso_cli.errors import InputError

Loaded: TypeAlias = (
    ActivationStats
    | PrecisionPath
    | OrderedGraph
    | Comparison
    | JointPrecision
    | Influence
    | Interventions
    | Audit
    | Scores
    | Structure
    | Pathways
)
_KINDS: dict[str, type[Loaded]] = {kind.kind: kind for kind in get_args(Loaded)}


def load(path: str | os.PathLike[str]) -> Loaded:
    """The artifact in the ``.npz`` file at ``path``, whatever its kind.

    - :class:`ActivationStats` from ``OUT/collect/``: moments and distributions of p neurons over B blocks of documents.
    - :class:`PrecisionPath` from ``OUT/fit/``: sparse precision matrices at A penalties, and the tests of the edges.
    - :class:`OrderedGraph` from ``OUT/fit/``: regressions of neurons on those of earlier layers (``fit.order: layers``).
    - :class:`Comparison` or :class:`JointPrecision` from ``OUT/compare/``: what differs between corpora.
    - :class:`Influence` from ``OUT/influence/``: what neurons of one layer do to those of later ones.
    - :class:`Interventions` from ``OUT/intervene/``: effects of changed neurons on later ones.
    - :class:`Audit` from ``OUT/audit/``: how well scores of pairs predict these effects.
    - :class:`Structure` from ``OUT/structure/``: what each neuron is in the graph.
    - :class:`Pathways` from ``OUT/pathways/``: paths through the graph across layers.
    - :class:`Scores` from ``OUT/score/``: how much the output depends on each neuron.

    Raises :class:`InputError` for a file that is missing, damaged, not of glasso, or of another version.
    """
    file = Path(path)
    name = read_meta(file)["kind"]
    if name not in _KINDS:
        raise InputError(
            f"{file} holds '{name}', which is no artifact of a stage.",
            "Give an .npz of collect, fit, compare, structure, influence, pathways, intervene, audit or score.",
        )
    return _KINDS[name].load(file)
