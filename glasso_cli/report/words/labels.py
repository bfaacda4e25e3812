"""Numbers, communities and neurons in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from glasso_cli.artifacts.metrics.fit import EstimateUsed
from glasso_cli.graph import dot


def positions(order: np.ndarray) -> np.ndarray:
    """Where every one of p stands in ``order (p,)``."""
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place


def count(number: int, noun: str) -> str:
    """``1 edge``, ``2,560 edges``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def percent(share: float) -> str:
    """A share in percent with two significant digits."""
    if share == 0:
        return "0 %"
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def estimate_used(estimate: EstimateUsed, *, both: bool = False) -> str:
    """The estimate that was tested, of one corpus or of ``both``, in words."""
    if estimate.kind == "inverse":
        matrices = "matrices" if both else "matrix"
        return f"partial correlations given all other neurons, of the inverse correlation {matrices}"
    hidden = " with hidden factors" if estimate.kind == "latent" and not both else ""
    return f"the de-sparsified graphical lasso{hidden} at alpha {estimate.alpha:.4g}{' in both' if both else ''}"


def signed(value: float) -> str:
    """``+0.412`` or ``−0.368``."""
    return f"{value:+.3f}".replace("-", "−")


SIGNS = f"Signs are {dot.SIGNS}."
SIGNS_OF_TABLES = f"{dot.SIGNS} (orientation in the tables)"


def community_name(community: int) -> str:
    """``C1`` for the largest community."""
    return f"C{community + 1}" if community >= 0 else "isolated"


def titled(label: str, name: str) -> str:
    """A label with the name of its neuron: ``L9·123 climate, warming``; the label alone where there is no name."""
    return f"{label} {name}" if name else label


def cut(text: str, most: int) -> str:
    """``text`` in at most ``most`` characters; where it is longer, whole words and ``…``, or part of the first word."""
    if len(text) <= most:
        return text
    head = text[: most - 1]
    whole = head if text[most - 1] in " ,/" else head.rpartition(" ")[0]
    whole = whole.rstrip(" ,/")
    return f"{head if whole in ('', 'after') else whole}…"


_ID = re.compile(r"(?:.*\.)?(?P<kind>[A-Za-z_]\w*(?:[.#]\d+)*)\[(?P<index>\d+)\]", re.DOTALL)
_LONGEST = 18


def short_labels(ids: Sequence[str], layers: np.ndarray) -> list[str]:
    """``L9·123`` for ``layers.9.mlp[123]``, with the kind where a layer has several; else the id, shortened.

    No two neurons share a label: those that would keep their number in ``ids``.
    """
    matches = [_ID.fullmatch(name) for name in ids]
    kinds = {(layer, match["kind"]) for layer, match in zip(layers.tolist(), matches) if match}
    several = {layer for layer, amount in Counter(layer for layer, _ in kinds).items() if amount > 1}
    labels = [_short(name, layer, match, layer in several) for name, layer, match in zip(ids, layers.tolist(), matches)]
    shared = Counter(labels)
    return [f"{label}#{i}" if shared[label] > 1 else label for i, label in enumerate(labels)]


def _short(name: str, layer: int, match: re.Match[str] | None, with_kind: bool) -> str:
    if match is None:
        return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 9]}…{name[-8:]}"
    place = f"L{layer}" if layer >= 0 else match["kind"]
    kind = f"·{match['kind']}" if with_kind and layer >= 0 else ""
    return f"{place}{kind}·{match['index']}"
