"""How much memory a fit takes at its peak, and the refusal of one that does not fit.

Measured by ``tests/solvers/test_memory.py`` as dense float64 buffers of the largest component, its covariance
among them. Where a component is not all neurons, the covariance of all stands beside its own, and at the end the
results of the components beside those of the whole.
"""

from __future__ import annotations

from glasso_cli.errors import InputError

BUFFERS = {"newton": 9, "gglasso": 27, "sklearn": 10}  # (n, n) float64, for a component of n neurons
_UNEQUAL = 2  # more of them where variances are not 1: the larger covariance and the scaled one


def peak(p: int, largest: int, solver: str, penalise_diagonal: bool = False) -> int:
    """Bytes at the peak for p neurons whose largest component, at the smallest alpha, has ``largest``.

    It is that of a correlation matrix; a penalised diagonal makes one with larger variances of it.
    """
    buffers = BUFFERS[solver] + (_UNEQUAL if penalise_diagonal else 0)
    if largest == p:
        return 8 * buffers * p**2
    solving = buffers * largest**2 + (2 if penalise_diagonal else 1) * p**2
    placing = 3 * p**2 + 2 * largest * p
    return 8 * max(solving, placing)


def check_memory(p: int, largest: int, solver: str, available: int, penalise_diagonal: bool = False) -> None:
    """Nothing; raises :class:`InputError` where the peak is above ``available`` bytes."""
    need = peak(p, largest, solver, penalise_diagonal)
    if need <= available:
        return
    part = "" if largest in (1, p) else f" ({largest:,} of them connected)"
    raise InputError(
        f"The solver {solver} needs {need / 1e9:,.1f} GB of memory for {p:,} neurons{part}, "
        f"and {available / 1e9:,.1f} GB are available.",
        "Fit fewer neurons (fit.neurons), use a machine with more memory, or a larger fit.alpha if it leaves "
        "smaller components.",
    )
