"""How long a joint fit takes, and the refusal of one that takes too long.

An iteration of GGLasso is an eigendecomposition per corpus, n^3, and the penalty's step on every pair, n^2 in compiled
code: one core of an AMD EPYC takes 0.017 s for two corpora of 200 neurons, 0.09 s for 400, 0.50 s for 800 and 2.1 s for
1,400, which the law below meets within 5 %. Of a real layer 400 neurons take 40 to 50 iterations to a gap of 1e-7 nats per
neuron and up to 90 to 1e-10; 1,000 take 70 to 1e-7.
"""

from __future__ import annotations

from glasso_cli.errors import InputError

LIMIT = 600.0  # seconds
ITERATIONS = 120  # what a large component may take
_PER_PAIR, _PER_CUBE = 1.6e-7, 2.7e-10  # seconds, for one corpus and iteration


def seconds(n: int, corpora: int) -> float:
    """How long a component of ``n`` neurons may take."""
    return ITERATIONS * corpora * (_PER_PAIR * n**2 + _PER_CUBE * n**3)


def most(corpora: int) -> int:
    """The largest component that takes no longer than the limit."""
    n = 1
    while seconds(n + 1, corpora) <= LIMIT:
        n += 1
    return n


def check_time(p: int, largest: int, corpora: int) -> None:
    """Raise :class:`InputError` if the largest component of p neurons takes more than the limit."""
    need = seconds(largest, corpora)
    if need <= LIMIT:
        return
    part = "" if largest == p else f" ({largest:,} of them connected)"
    raise InputError(
        f"A joint fit of {corpora} corpora over {p:,} neurons{part} would take about {need / 60:,.0f} minutes.",
        f"Compare fewer neurons (compare.neurons), up to about {most(corpora) // 100 * 100:,}, or give larger lambdas "
        "if they leave smaller components.",
    )
