"""The direction of a Newton step: signs by a sweep of coordinate descent, values by conjugate gradients.

One round of the two is enough for most covariances. Where many neurons are nearly alike, or one factor drives them all, a
sweep is a poor guess of the signs, and another round starts where the first one ended: an inexact proximal Newton method
is fast if its models are solved to a share of the residual they have at no step (Byrd, Nocedal and Oztoprak, 2016).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from glasso_cli.linalg.cholesky import Inverse
from glasso_cli.solvers.newton.coarse import Leading
from glasso_cli.solvers.newton.curb import excess
from glasso_cli.solvers.newton.face import Accuracy, Face, Search
from glasso_cli.solvers.newton.free_set import FreeSet
from glasso_cli.solvers.newton.place import Place, Products
from glasso_cli.solvers.newton.sweep import sweep

_ROUNDS = 2  # after the first, at most
_CROSSED = 0.003  # share of signs crossed up to which the model counts as solved by the first
_SHORTER, _SHORTEST = 0.3, 0.005  # lengths tried where the model rises on the way to its minimum
_SOLVED = 0.5  # share of its residual down to which it is solved where more cross


class Workspace:
    """What is kept from step to step for problems of p neurons."""

    def __init__(self, place: Place, p: int) -> None:
        self._place, self._p = place, p
        self._products: Products | None = None
        self._leading = Leading(p)

    def release(self) -> None:
        """Give back the room for products until the next step."""
        self._products = None

    def directions(
        self, inverse: Inverse, free: FreeSet, accuracy: Accuracy, cost: Counter[str], *, curbed: bool, coarse: bool
    ) -> list[np.ndarray]:
        """Steps ``(m,)`` on the free entries at an inverse W, the better one first.

        A ``curbed`` step has been kept from overshooting, which costs about a product. ``coarse`` asks for the coarse
        correction of the preconditioner, which costs about two and makes the solution of the model better.
        """
        products = self._products = self._products or self._place.products(self._p)
        rows = products.load(inverse)
        leading = self._leading.of(products.times) if coarse else None
        model = Model(products, free, rows, leading, accuracy, cost)
        swept = model.swept(np.zeros(len(free.rows)))
        step, crossed = model.solve_given_signs(swept, curbed)
        for _ in range(_ROUNDS if crossed > _CROSSED else 0):
            if model.residual(step) <= _SOLVED * model.residual(None):
                break
            step, _ = model.solve_given_signs(model.swept(step), False)
        return [step, swept]


@dataclass(frozen=True, eq=False)
class Model:
    """The quadratic model of the smooth part, with the l1 term, over the free entries."""

    products: Products
    free: FreeSet
    W: np.ndarray  # (p, p) float32
    leading: tuple[np.ndarray, np.ndarray] | None
    accuracy: Accuracy
    cost: Counter[str]

    def swept(self, step: np.ndarray) -> np.ndarray:
        """A step ``(m,)`` after a sweep of coordinate descent from one."""
        self.cost["n_sweeps"] += 1
        return sweep(self.W, self.free, step)

    def solve_given_signs(self, swept: np.ndarray, curbed: bool) -> tuple[np.ndarray, float]:
        """The step ``(m,)`` with the signs that a sweep left and good values, and the share of signs it would cross."""
        free, products = self.free, self.products
        end = free.values + swept
        chosen = np.flatnonzero((end != 0) | (free.weights == 0))
        face = Face.of(products, free, chosen, np.sign(end[chosen]), self.leading)
        first = self.accuracy.iterations // 2
        # 1. the minimum with these signs, as far as the model falls on the way there
        image = self._image(swept, face.rows, face.cols)
        search = Search.begin(face, swept[chosen], image)
        search.run(first, self.accuracy.residual, self.cost)
        _, kept = face.clipped(search.x)
        crossed = 1 - np.count_nonzero(kept) / len(kept)
        step, kept, image = self._towards(swept, chosen, face, search.x, image)
        # 2. more curvature where that overshoots
        if curbed and self._curb(step):
            image = self._image(step, face.rows, face.cols)
        # 3. what crossed its sign is zero now, and the others are fitted to that
        chosen, face, image = chosen[kept], face.on(kept), image[kept]
        search = Search.begin(face, step[chosen], image, search.size_at_first)
        search.run(self.accuracy.iterations - first, self.accuracy.residual, self.cost)
        ends, kept = face.clipped(search.x)
        if np.count_nonzero(kept) < (1 - _CROSSED) * len(kept):
            return self._towards(step, chosen, face, search.x, image)[0], crossed
        step[chosen] = ends
        return step, crossed

    def _towards(
        self, step: np.ndarray, chosen: np.ndarray, face: Face, x: np.ndarray, image: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The step ``(m,)`` after going from ``step`` to ``x (k,)`` on a face, entries ending at zero where they cross.

        Ended entries can make the model rise, by far where many do. It is then gone half as far, and so on. ``image (k,)``
        is that of ``step``. Also which entries ``(k,)`` do not cross, and the image of the new step.
        """
        start = step[chosen]
        length = 1.0
        while length >= _SHORTEST:
            ends, kept = face.clipped(start + length * (x - start))
            new = step.copy()
            new[chosen] = ends
            of_new = self._image(new, face.rows, face.cols)
            if face.dot(ends - start, face.slope + (image + of_new) / 2) <= 0:
                return new, kept, of_new
            length *= _SHORTER
        return step, np.ones(len(chosen), dtype=bool), image

    def _curb(self, step: np.ndarray) -> bool:
        """Give the model more curvature where a step would overshoot; false if it nowhere would."""
        free, products = self.free, self.products
        Theta = free.pattern_of(np.flatnonzero(free.values)).matrix(free.values)
        left, right = excess(products.times, free.pattern_of(np.flatnonzero(step)).matrix(step), Theta)
        if left.size:
            products.add_low_rank(left, right)
        return bool(left.size)

    def residual(self, step: np.ndarray | None) -> float:
        """How far each entry would still go by itself, in the norm of the Hessian's diagonal; None is no step."""
        free, theta = self.free, self.W.diagonal().astype(np.float64)
        off = free.rows != free.cols
        curvature = theta[free.rows] * theta[free.cols] + off * self.W[free.rows, free.cols].astype(np.float64) ** 2
        times = np.where(off, 2.0, 1.0)
        slope, value = free.gradient, free.values
        if step is not None:
            slope, value = slope + self._image(step, free.rows, free.cols), value + step
        target = value - slope / curvature
        end = np.sign(target) * np.maximum(np.abs(target) - free.weights / curvature, 0.0)
        return float(np.sqrt((times * curvature * (end - value) ** 2).sum()))

    def _image(self, step: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """The Hessian times a step ``(m,)``, on some entries."""
        self.cost["n_products"] += 1
        return self.products.product(self.free.pattern_of(np.flatnonzero(step)), rows, cols, step)
