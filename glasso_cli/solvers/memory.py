"""How much memory a fit takes at its peak, and the refusal of one that does not fit.

Measured by ``tests/solvers/test_memory.py`` as dense float64 buffers of the largest component, its covariance
among them. Where a component is not all neurons, the covariance of all stands beside its own, and at the end the
results of the components beside those of the whole.

What newton takes grows with the entries of its answer, which are not known before: 5 buffers hold for an answer with 3 % of
all pairs. With 9 % it took 6.5, and with all of them 20 (measured for 800 neurons).
A covariance with variances of its own takes two more, for the correlation and for the weights on its scale; no fit has one.
"""

from __future__ import annotations

from glasso_cli.errors import InputError

BUFFERS = {"newton": 5, "gglasso": 27, "sklearn": 10, "latent": 14}  # (n, n) float64, for a component of n neurons
_JOINT, _JOINT_WHOLE = 20, 5  # of GGLasso's joint ADMM, per corpus: (n, n) of a component, and (p, p) of all beside it


def peak(p: int, largest: int, solver: str, *, penalised: bool = False) -> int:
    """Bytes at the peak for p neurons whose largest component, at the smallest alpha, has ``largest``.

    It is that of a correlation matrix. Where the diagonal is ``penalised``, a component of all neurons has a covariance of
    its own, too.
    """
    if largest == p:
        return 8 * (BUFFERS[solver] + penalised) * p**2
    solving = BUFFERS[solver] * largest**2 + p**2
    placing = 3 * p**2 + 2 * largest * p
    return 8 * max(solving, placing)


def check_memory(p: int, largest: int, solver: str, available: int, *, penalised: bool = False) -> None:
    """Raise :class:`InputError` if the :func:`peak` is above ``available`` bytes."""
    _check(
        f"The solver {solver}",
        peak(p, largest, solver, penalised=penalised),
        p,
        largest,
        available,
        "Fit fewer neurons (fit.neurons), use a machine with more memory, or a larger fit.alpha if it leaves "
        "smaller components.",
    )


def joint_peak(p: int, largest: int, corpora: int) -> int:
    """Bytes at the peak of a joint fit, the covariances among them."""
    return 8 * corpora * (_JOINT * largest**2 + (0 if largest == p else _JOINT_WHOLE * p**2))


def check_joint_memory(p: int, largest: int, corpora: int, available: int) -> None:
    """Raise :class:`InputError` if the peak of a joint fit is above ``available`` bytes."""
    _check(
        f"A joint fit of {corpora} corpora",
        joint_peak(p, largest, corpora),
        p,
        largest,
        available,
        "Compare fewer neurons (compare.neurons), or use a machine with more memory.",
    )


def _check(what: str, need: int, p: int, largest: int, available: int, hint: str) -> None:
    if need <= available:
        return
    part = "" if largest in (1, p) else f" ({largest:,} of them connected)"
    raise InputError(
        f"{what} needs {need / 1e9:,.1f} GB of memory for {p:,} neurons{part}, "
        f"and {available / 1e9:,.1f} GB are available.",
        hint,
    )
