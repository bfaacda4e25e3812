"""Seconds of a joint fit of two corpora to a certified gap and to an optimality residual, on real neurons.

    python benchmarks/joint.py [--problem FILE.npz] [--sizes 200 400] [--lambdas 0.1 0.02] [--tolerances 1e-7 1e-10]

The first corpus is the first neurons of the problem: of the file, or layer 9 of the built-in Gemma 3 270M on the built-in
texts. The second is another one that shares most of its structure, seven parts of the first and three of the first with
its neurons permuted, and as much sampling error as ``--samples`` draws have. GGLasso's kernels are compiled before. One
eigendecomposition of that size is timed in the same run; ``admm`` counts the time of an iteration in them, of which two
are the least. Every row goes to joint.csv in ``--out``.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import machine
import numpy as np
from problems import problem

from glasso_cli.solvers.joint.cost import ITERATIONS, seconds
from glasso_cli.solvers.joint.fit import fit_joint
from glasso_cli.solvers.joint.penalty import PENALTIES

Row = dict[str, Any]


def main() -> None:
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print("\n".join(f"{name}: {value}" for name, value in machine.described().items()))
    writer = None
    with open(arguments.out / "joint.csv", "w", newline="", encoding="utf-8") as file:
        for row in rows(arguments):
            if writer is None:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)


def rows(arguments: argparse.Namespace) -> Iterator[Row]:
    lambda1, lambda2 = arguments.lambdas
    for p in arguments.sizes:
        S = problem("real", p, out=arguments.out, file=arguments.problem).S
        pair = [S, other(S, arguments.samples)]
        for penalty in arguments.penalties:
            fit_joint([S[:8, :8]] * 2, 1e-3, 1e-3, penalty=penalty, max_iter=1)  # compiles
            for tol in arguments.tolerances:
                start = time.perf_counter()
                found = fit_joint(pair, lambda1, lambda2, penalty=penalty, tol=tol)
                took = time.perf_counter() - start
                edges = np.triu(found.precisions != 0, 1)
                yield {
                    "penalty": penalty,
                    "p": p,
                    "lambda1": lambda1,
                    "lambda2": lambda2,
                    "tol": tol,
                    "seconds": round(took, 2),
                    "iterations": found.n_iter,
                    "estimate": round(seconds(p, 2) * found.n_iter / ITERATIONS, 2),
                    "gap": f"{found.duality_gap:.1e}",
                    "kkt": f"{found.kkt_residual:.1e}",
                    "converged": found.converged,
                    "edges_per_neuron": round(2 * float(edges.sum()) / (2 * p), 1),
                    "in_both": round(float(edges.all(axis=0).sum() / max(edges.any(axis=0).sum(), 1)), 3),
                    "admm": round(took / max(found.n_iter, 1) / _eigendecomposition(S), 1),
                }


def other(S: np.ndarray, samples: int) -> np.ndarray:
    """The correlation of ``samples`` draws from a mixture of S and of S with its neurons permuted."""
    random = np.random.default_rng(0)
    order = random.permutation(len(S))
    mixed = 0.7 * S + 0.3 * S[order[:, None], order]
    lower = np.linalg.cholesky(mixed + 1e-6 * np.eye(len(S)))
    found = np.corrcoef(lower @ random.standard_normal((len(S), samples)))
    return np.asarray((found + found.T) / 2)


def _eigendecomposition(S: np.ndarray) -> float:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            np.linalg.eigh(S)
            times.append(time.perf_counter() - start)
    return min(times)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", type=Path, help="a correlation matrix; the built-in model's if left out")
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 400], help="neurons")
    parser.add_argument("--lambdas", type=float, nargs=2, default=[0.1, 0.02], metavar=("LAMBDA1", "LAMBDA2"))
    parser.add_argument("--penalties", nargs="+", choices=PENALTIES, default=list(PENALTIES))
    parser.add_argument("--tolerances", type=float, nargs="+", default=[1e-7, 1e-10], help="nats per neuron")
    parser.add_argument("--samples", type=int, default=20_000, help="tokens of the second corpus")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
