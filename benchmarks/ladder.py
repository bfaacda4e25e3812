"""Time to a certified gap: the first of a solver's settings whose result is good enough, and what it took."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from worker import Answer

from glasso_cli.linalg.cholesky import invert
from glasso_cli.solvers.base import diagonal_start
from glasso_cli.solvers.certificate import certificate

REACHED, MISSED, OVER, FAILED, SKIPPED = "reached", "not reached", "over the limit", "failed", "skipped"


@dataclass(frozen=True)
class Trial:
    """One solve and what our certificate says of its result: of the worst, where there are several alphas."""

    setting: str
    seconds: float
    gap: float = np.inf  # nats per neuron
    kkt: float = np.inf
    degree: float = np.nan  # edges per neuron, of the last alpha
    peak: float = np.nan  # bytes
    extra: float = np.nan  # bytes
    indefinite: bool = False
    trouble: str = ""
    over_limit: bool = False

    @property
    def ended(self) -> bool:
        """Whether a tighter setting is not worth a try."""
        return self.over_limit or bool(self.trouble)


@dataclass(frozen=True)
class Outcome:
    """The trial that a row of the table is about, and what to say of it."""

    target: float
    status: str
    trial: Trial
    note: str = ""


def climb(
    settings: Sequence[str],
    targets: Sequence[float],
    attempt: Callable[[str], Trial],
    cut: str = "",
    budget: float = np.inf,
) -> Iterator[Outcome]:
    """An outcome for every target, from the loosest, each setting tried once and only where it is needed.

    ``cut`` says why tighter settings were taken off ``settings``, if they were. None is tried any more when
    those before it took ``budget`` seconds together.
    """
    trials: list[Trial] = []
    ahead = iter(settings)
    for target in sorted(targets, reverse=True):
        while not any(trial.gap <= target for trial in trials) and not (trials and trials[-1].ended):
            spent = sum(trial.seconds for trial in trials)
            if spent > budget:
                cut = f"its settings took {spent:.0f} s so far"
            setting = None if spent > budget else next(ahead, None)
            if setting is None:
                break
            trials.append(attempt(setting))
        yield _outcome(target, trials, cut)


def _outcome(target: float, trials: list[Trial], cut: str) -> Outcome:
    good = [trial for trial in trials if trial.gap <= target]
    if good:
        return Outcome(target, REACHED, good[0], _remark(good[0]))
    if not trials:
        return Outcome(target, SKIPPED, Trial("", np.nan), cut)
    best = min(trials, key=lambda trial: trial.gap)
    before = f"best gap {best.gap:.1e} after {best.seconds:.1f} s ({best.setting})" if np.isfinite(best.gap) else ""
    last = trials[-1]
    if last.over_limit:
        return Outcome(target, OVER, last, before)
    if last.trouble:
        return Outcome(target, FAILED, last, "; ".join(filter(None, [before, last.trouble])))
    return Outcome(target, SKIPPED if cut else MISSED, best, "; ".join(filter(None, [before, cut, _remark(best)])))


def _remark(trial: Trial) -> str:
    return "not positive definite, made so" if trial.indefinite else ""


# -- what a result is worth -----------------------------------------------------------------------


def judged(answer: Answer, setting: str, S: np.ndarray, alphas: Sequence[float]) -> Trial:
    """The trial an answer amounts to."""
    if answer.over_limit or answer.trouble:
        return Trial(setting, answer.seconds, trouble=answer.trouble, over_limit=answer.over_limit)
    gap = kkt = degree = 0.0
    indefinite = False
    for precision, alpha in zip(answer.precisions(), alphas, strict=True):
        degree = (np.count_nonzero(precision) - np.count_nonzero(precision.diagonal())) / len(S)
        definite, moved = as_definite(precision, S, alpha)
        proof = certificate(definite, S, alpha)
        gap, kkt = max(gap, proof.duality_gap), max(kkt, proof.kkt_residual)
        indefinite = indefinite or moved
    return Trial(setting, answer.seconds, gap, kkt, degree, answer.peak, answer.extra, indefinite)


def as_definite(precision: np.ndarray, S: np.ndarray, alpha: float) -> tuple[np.ndarray, bool]:
    """The precision matrix made symmetric, and moved by halves towards the isolated neurons until it is definite.

    Also whether it had to be moved.
    """
    precision = precision if (precision == precision.T).all() else (precision + precision.T) / 2
    keep, candidate = 1.0, precision
    while not np.isfinite(candidate).all() or invert(candidate) is None:
        keep /= 2
        candidate = keep * np.nan_to_num(precision, posinf=0, neginf=0) + (1 - keep) * diagonal_start(S, alpha)
    return candidate, keep < 1
