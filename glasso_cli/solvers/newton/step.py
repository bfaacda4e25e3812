"""The direction of a Newton step: signs by a sweep of coordinate descent, values by conjugate gradients.

One round of the two is enough for most covariances. Where many neurons are nearly alike, or one factor drives them all, a
sweep is a poor guess of the signs, and another round starts where the first one ended: an inexact proximal Newton method
is fast if its models are solved to a share of the residual they have at no step (Byrd, Nocedal and Oztoprak, 2016).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from glasso_cli.linalg.cholesky import Inverse
from glasso_cli.solvers.newton.coarse import Leading
from glasso_cli.solvers.newton.curb import excess
from glasso_cli.solvers.newton.face import Accuracy, Face, Search
from glasso_cli.solvers.newton.free_set import FreeSet
from glasso_cli.solvers.newton.place import Place, Products
from glasso_cli.solvers.newton.sweep import sweep

_ROUNDS = (2, 6)  # after the first, at most; and where the model may not rise
_CROSSED = 0.003  # share of signs crossed up to which the model counts as solved by the first
_SOLVED = 0.5  # share of its residual down to which it is solved where more cross
_SHORTER, _SHORTEST = 0.3, 0.005  # lengths tried where the model may not rise
_CAREFUL = 4  # steps whose models may not rise, after one that did


class Workspace:
    """What is kept from step to step for problems of p neurons."""

    def __init__(self, place: Place, p: int) -> None:
        self._place, self._p = place, p
        self._products: Products | None = None
        self._leading = Leading(p)
        self._careful = 0  # steps to come whose models may not rise

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
        step = None
        if not self._careful:
            step = model.rounds(swept, curbed, False)
            if step is None:  # the model rose: take back what the curb did to it
                self._careful = _CAREFUL
                products.load(inverse)
        if step is None:
            self._careful -= 1
            step = model.rounds(swept, curbed, True)
            assert step is not None
        return [step, swept]


@dataclass(frozen=True)
class State:
    """How good a step is for the model."""

    value: float  # of the model, 0 at no step
    residual: float  # how far each entry would still go by itself, in the norm of the Hessian's diagonal


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
        free = self.free
        if step.any():
            pattern = free.pattern_of(np.flatnonzero(step))
            surplus = self.products.surplus(pattern, free.rows, free.cols, step)
            if surplus is not None:
                free = replace(free, gradient=free.gradient - surplus)
        return sweep(self.W, free, step)

    def rounds(self, swept: np.ndarray, curbed: bool, careful: bool) -> np.ndarray | None:
        """The step ``(m,)`` after up to three rounds from a sweep; None if the model is higher there than at no step.

        Where many entries cross their signs, a round can make the model rise by far. Most often the next round makes up for
        it, and the two get further than rounds that are ``careful``, in which the model never rises.
        """
        step, crossed = self.solve_given_signs(swept, curbed, careful)
        if crossed <= _CROSSED:
            return step
        solved = _SOLVED * self.state(None).residual
        for _ in range(_ROUNDS[careful]):
            state = self.state(step)
            if state.residual <= solved:
                break
            step, _ = self.solve_given_signs(self.swept(step), False, careful)
        else:
            state = self.state(step) if not careful else state
        return step if careful or state.value < 0 else None

    def solve_given_signs(self, swept: np.ndarray, curbed: bool, careful: bool) -> tuple[np.ndarray, float]:
        """The step ``(m,)`` with the signs that a sweep left and good values, and the share of signs it would cross."""
        free = self.free
        end = free.values + swept
        chosen = np.flatnonzero((end != 0) | (free.weights == 0))
        face = Face.of(self.products, free, chosen, np.sign(end[chosen]), self.leading)
        first = self.accuracy.iterations // 2
        # 1. towards the minimum with these signs
        image = self._image(swept, face.rows, face.cols)
        search = Search.begin(face, swept[chosen], image)
        search.run(first, self.accuracy.residual, self.cost)
        step, kept = self._towards(swept, chosen, face, search.x, image if careful else None)
        crossed = 1 - np.count_nonzero(face.clipped(search.x)[1]) / len(kept)
        size_at_first = search.size_at_first
        del search  # and the face it holds
        # 2. more curvature where that overshoots
        if curbed:
            self._curb(step)
        # 3. what crossed its sign is zero now, and the others are fitted to that
        chosen, face = chosen[kept], face.on(kept)
        image = self._image(step, face.rows, face.cols)
        search = Search.begin(face, step[chosen], image, size_at_first)
        search.run(self.accuracy.iterations - first, self.accuracy.residual, self.cost)
        return self._towards(step, chosen, face, search.x, image if careful else None)[0], crossed

    def _towards(
        self, step: np.ndarray, chosen: np.ndarray, face: Face, x: np.ndarray, image: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The step ``(m,)`` after going from ``step`` to ``x (k,)`` on a face, entries ending at zero where they cross.

        Also which entries ``(k,)`` do not cross. With ``image (k,)``, that of ``step``, it goes only as far as the model
        does not rise.
        """
        start, new = step[chosen], step.copy()
        new[chosen], kept = face.clipped(x)
        if image is None or kept.all():
            return new, kept
        length = 1.0
        while length >= _SHORTEST:
            new[chosen], kept = face.clipped(start + length * (x - start))
            moved = new[chosen] - start
            if face.dot(moved, face.slope + (image + self._image(new, face.rows, face.cols)) / 2) <= 0:
                return new, kept
            length *= _SHORTER
        return step, np.ones(len(chosen), dtype=bool)

    def _curb(self, step: np.ndarray) -> None:
        """Give the model more curvature where a step would overshoot."""
        free, products = self.free, self.products
        Theta = free.pattern_of(np.flatnonzero(free.values)).matrix(free.values)
        left, right = excess(products.times, free.pattern_of(np.flatnonzero(step)).matrix(step), Theta)
        if left.size:
            products.add_low_rank(left, right)

    def state(self, step: np.ndarray | None) -> State:
        """How good a step is; None is no step."""
        free, theta = self.free, self.W.diagonal().astype(np.float64)
        off = free.rows != free.cols
        curvature = theta[free.rows] * theta[free.cols] + off * self.W[free.rows, free.cols].astype(np.float64) ** 2
        times = np.where(off, 2.0, 1.0)
        slope, place, value = free.gradient, free.values, 0.0
        if step is not None:
            image = self._image(step, free.rows, free.cols)
            slope, place = slope + image, place + step
            penalty = free.weights * (np.abs(place) - np.abs(free.values))
            value = float((times * (step * (free.gradient + image / 2) + penalty)).sum())
        target = place - slope / curvature
        end = np.sign(target) * np.maximum(np.abs(target) - free.weights / curvature, 0.0)
        return State(value, float(np.sqrt((times * curvature * (end - place) ** 2).sum())))

    def _image(self, step: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """The Hessian times a step ``(m,)``, on some entries."""
        self.cost["n_products"] += 1
        return self.products.product(self.free.pattern_of(np.flatnonzero(step)), rows, cols, step)
