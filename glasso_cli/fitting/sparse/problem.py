"""Many sparse neurons whose correlations are known where they are strong, and what fits in memory and time of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from glasso_cli.config import FitSection
from glasso_cli.engine import machine
from glasso_cli.errors import InputError
from glasso_cli.fitting.sparse.finished import FinishedParts
from glasso_cli.inference.sparse.screening import StrongPairs, parts_of, strong_pairs
from glasso_cli.inference.sparse.values import SparseValues
from glasso_cli.solvers.memory import check_memory
from glasso_cli.solvers.parts import Part, fit_parts
from glasso_cli.solvers.path import PathPoint

LARGEST = 8_192  # neurons in a component: hours of solving beyond
PAIRS = 20_000_000  # strong pairs that are kept


@dataclass(frozen=True, eq=False)
class SparseProblem:
    """Standardised values of p neurons, and how they are fitted."""

    values: SparseValues
    solving: dict[str, Any]  # options of fit_parts
    finished: FinishedParts

    @classmethod
    def of(cls, values: SparseValues, solving: dict[str, Any], finished: FinishedParts) -> SparseProblem:
        """The problem of ``values``, solved with the options of ``fit_path`` that a fit of parts has."""
        return cls(values, {name: value for name, value in solving.items() if name != "hidden"}, finished)

    @property
    def n_neurons(self) -> int:
        return self.values.n_neurons

    def pairs(self, threshold: float) -> StrongPairs | None:
        """The pairs above ``threshold``; None where there are too many."""
        return strong_pairs(self.values, threshold, PAIRS, self.finished)

    def components(self, alpha: float) -> list[Part]:
        """The components at ``alpha``; raises :class:`InputError` for too many pairs, or a component that is too large."""
        pairs = self.pairs(alpha)
        if pairs is None:
            raise InputError(
                f"More than {PAIRS:,} pairs of neurons have a correlation above {alpha:g}.",
                "Raise the smallest fit.alpha.",
            )
        if not self.solves(pairs, alpha):
            raise InputError(
                f"At alpha {alpha:g}, {pairs.largest(alpha):,} of {pairs.neurons:,} neurons are in one component, more "
                f"than the {LARGEST:,} that are solved together.",
                f"Raise the smallest fit.alpha to {pairs.alpha_for(LARGEST):g} or more.",
            )
        return self.parts(pairs, alpha)

    def solves(self, pairs: StrongPairs, alpha: float) -> bool:
        """Whether all components at ``alpha`` are small enough. Raises :class:`InputError` where memory is too small for one."""
        largest = pairs.largest(alpha)
        if largest <= LARGEST:
            check_memory(largest, largest, self.solving["solver"], machine.available_memory())
        return largest <= LARGEST

    def parts(self, pairs: StrongPairs, alpha: float) -> list[Part]:
        """The components at ``alpha``, with the correlations within each."""
        return parts_of(self.values, pairs.labels(alpha))

    def solved(
        self,
        parts: list[Part],
        alphas: Iterable[float],
        *,
        start: csr_array | None = None,
        after: PathPoint | None = None,
        done: Iterable[PathPoint] = (),
        on_point: Callable[[PathPoint], None] | None = None,
    ) -> list[PathPoint]:
        """The points of ``parts`` at ``alphas``, as :func:`fit_parts` gives them."""
        return fit_parts(
            parts,
            np.ones(self.n_neurons),
            alphas,
            start=start,
            after=after,
            done=done,
            on_point=on_point,
            **self.solving,
        )


def check_section(section: FitSection) -> None:
    """Raise :class:`InputError` for what a fit without a matrix of all pairs cannot do."""
    impossible = {
        "fit.method: latent": section.method == "latent",
        "fit.remove_factors": section.remove_factors > 0,
        "fit.order: layers": section.order == "layers",
        "fit.estimate: inverse": section.estimate == "inverse",
        "fit.null": bool(section.null),
    }
    for what, asked in impossible.items():
        if asked:
            raise InputError(
                f"{what} needs the matrix of all pairs, which a fit of many sparse neurons never has.",
                "Delete it, or collect fewer latents with collect.sae.moments: dense.",
            )
