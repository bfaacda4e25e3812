"""The graphical lasso with hidden factors: our Newton solver and gglasso's ADMM, to a certified gap of 1e-6.

    python benchmarks/latent.py                                 300 to 2,048 neurons
    python benchmarks/latent.py --sizes 2048 --no-gglasso       half a minute

The problem is the correlation of layer 9 of the built-in Gemma 3 270M on the built-in texts, or a ``--problem`` file as
``benchmarks/solvers.py`` takes it. gglasso climbs its own tolerances, and our certificate judges both, outside the time.
CI is one Cholesky factorisation with inverse of that size, in the same run.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import warnings
from pathlib import Path

import machine
import numpy as np
from problems import problem

from glasso_cli.linalg.cholesky import invert
from glasso_cli.solvers import latent
from glasso_cli.solvers.latent.place import FactorPlace
from glasso_cli.solvers.latent.problem import FactorProblem

TOL = 1e-6


def main() -> None:
    arguments = _arguments()
    print("\n".join(f"{name}: {value}" for name, value in machine.described().items()), flush=True)
    for p in arguments.sizes:
        S = problem("real", p, out=arguments.out, file=arguments.problem).S
        unit = min(_inverse(S) for _ in range(3))
        for alpha in arguments.alphas:
            mu = latent.nuclear_penalty(alpha, p, 1.0)
            latent.solve(S[:100, :100], alpha, mu)  # compiled code is not of the first problem
            times = []
            for _ in range(arguments.repeats):
                start = time.perf_counter()
                result = latent.solve(S, alpha, mu, tol=TOL)
                times.append(time.perf_counter() - start)
            edges = (np.count_nonzero(result.precision) - p) // 2
            line = f"{p:,} neurons, alpha {alpha:g}: {result.factors.shape[1]} factors, {edges:,} edges; "
            line += f"newton {min(times):.2f} s, {min(times) / unit:.0f} CI, gap {result.duality_gap:.1e}"
            if arguments.gglasso:
                seconds, gap = theirs(S, alpha, mu, arguments.limit)
                line += f"; gglasso {seconds:.2f} s, {seconds / min(times):.1f} times as long, gap {gap:.1e}"
            print(line, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 1000, 2048], help="neurons")
    parser.add_argument("--alphas", type=float, nargs="+", default=[0.1, 0.05])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--gglasso", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--limit", type=float, default=600, help="seconds for gglasso")
    parser.add_argument("--problem", type=Path, help="an .npz file with a correlation matrix S")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    return parser.parse_args()


def _inverse(S: np.ndarray) -> float:
    definite = S + 0.01 * np.eye(len(S))
    start = time.perf_counter()
    invert(definite)
    return time.perf_counter() - start


def theirs(S: np.ndarray, alpha: float, mu: float, limit: float) -> tuple[float, float]:
    """Seconds of gglasso's loosest tolerance that closes the gap, and the gap."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gglasso.solver.single_admm_solver import ADMM_SGL
    total, gap, start_at = 0.0, np.inf, np.eye(len(S))
    for tolerance in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8):
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, _ = ADMM_SGL(S, alpha, start_at, tol=tolerance, rtol=tolerance, max_iter=5000, latent=True, mu1=mu)
        seconds = time.perf_counter() - start
        total += seconds
        gap = _gap(found["Theta"], S, alpha, mu)
        if gap <= TOL or total > limit:
            return seconds, gap
    return seconds, gap


def _gap(Theta: np.ndarray, S: np.ndarray, alpha: float, mu: float) -> float:
    """Of a Theta with the best L for it, which can only be better than the one found."""
    both = (Theta != 0) & (Theta.T != 0)
    Theta = np.where(both, (Theta + Theta.T) / 2, 0.0)
    own = FactorProblem.with_factors(S, alpha, mu)
    best = FactorPlace(own.S, own.trace_weights).factorise(Theta, np.float64)
    return np.inf if best is None else own.certificate(Theta, best.inverse(), TOL).duality_gap


if __name__ == "__main__":
    main()
