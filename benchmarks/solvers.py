"""Time to an equal certified gap: the Newton solver against the others, on the same covariance in one run.

    python benchmarks/solvers.py [--problem FILE.npz|FILE.npy] [--sizes 500 1000 2048] [--degrees 5 20 50] [--limit 600]

A problem file holds a correlation matrix ``S``, whole or as its packed upper triangle without the diagonal; left out, it
is that of the neurons of the built-in Gemma 3 270M on the built-in texts, one layer for up to 2,048 neurons, two for 4,096
and four for 8,192. ``sparse`` problems are samples of a well-conditioned random sparse precision matrix. The gap is computed
by our certificate for every solver alike. R packages (glasso, huge) and skglm take part where they are installed, each
solve in a process of its own that is stopped after ``--limit`` seconds. CI is one Cholesky factorisation with inverse of
that size, timed in the same run. Every row goes to benchmarks/out/solvers.csv.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from glasso_cli.solvers.base import certificate, diagonal_start
from glasso_cli.solvers.cholesky import invert
from glasso_cli.solvers.screening import solve

OUT = Path(__file__).parent / "out"
FIELDS = ("problem", "p", "alpha", "degree", "solver", "setting", "seconds", "ci", "gap", "kkt", "note")


def main() -> None:
    arguments = _arguments()
    OUT.mkdir(exist_ok=True)
    with open(OUT / "solvers.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=FIELDS)
        writer.writeheader()
        print(f"{platform.processor() or platform.machine()}, python {platform.python_version()}, {_versions()}")
        for row in _rows(arguments):
            writer.writerow(row)
            file.flush()
            print(
                f"{row['problem']:<8} p={row['p']:<5} alpha={row['alpha']:<8.4g} degree={row['degree']:<5.3g} "
                f"{row['solver']:<12} {row['setting']:<11} {row['seconds']:8.2f} s {row['ci']:7.1f} CI  "
                f"gap {row['gap']:.1e}  kkt {row['kkt']:.1e}  {row['note']}",
                flush=True,
            )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problem", type=Path, help="a correlation matrix; the built-in model's if left out")
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 1000, 2048])
    parser.add_argument("--degrees", type=float, nargs="+", default=[5, 20, 50], help="edges per neuron")
    parser.add_argument("--alphas", type=float, nargs="+", help="instead of --degrees")
    parser.add_argument("--generators", nargs="*", default=["real", "sparse"], choices=["real", "sparse"])
    parser.add_argument("--solvers", nargs="+", help="only these", choices=list(SOLVERS))
    parser.add_argument("--repeats", type=int, default=3, help="of the Newton solver; peers run once")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds a peer may take")
    return parser.parse_args()


def _rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    names = arguments.solvers or list(SOLVERS)
    for missing in [name for name in names if not _available(name)]:
        print(f"{missing}: not installed, left out")
    names = [name for name in names if _available(name)]
    for generator in arguments.generators:
        for p in arguments.sizes:
            S = real(p, arguments.problem) if generator == "real" else sparse(p)
            solve(S[:100, :100], 0.2)  # compiles
            ci = _ci(S)
            gone: set[str] = set()  # beyond the limit at a sparser graph
            for alpha in sorted(arguments.alphas or [_alpha(S, degree) for degree in arguments.degrees], reverse=True):
                degree = np.count_nonzero(solve(S, alpha, tol=1e-6).precision) / p - 1
                for name in names:
                    for setting in SETTINGS.get(name, [""]):
                        if (name, setting) in gone:
                            continue
                        repeats = arguments.repeats if name == "newton" else 1
                        seconds, precision = _timed(name, setting, S, alpha, arguments.limit, repeats)
                        row = {"problem": generator, "p": p, "alpha": alpha, "solver": name, "setting": setting}
                        if precision is None:
                            gone.add((name, setting))
                            gap, kkt = np.nan, np.nan
                            note = "stopped at the limit" if seconds >= arguments.limit else "failed"
                        else:
                            gap, kkt, note = _judge(precision, S, alpha)
                        yield {**row, "degree": degree, "seconds": seconds, "ci": seconds / ci, "gap": gap,
                               "kkt": kkt, "note": note}  # fmt: skip


# -- problems ---------------------------------------------------------------------------------------------


def real(p: int, problem: Path | None) -> np.ndarray:
    """The correlation matrix of the first ``p`` neurons."""
    if problem is None:
        S = _collected(1 if p <= 2048 else 2 if p <= 4096 else 4)
    else:
        loaded = np.load(problem)
        S = loaded if isinstance(loaded, np.ndarray) else loaded["S"]
    if S.ndim == 1:
        width = int((1 + np.sqrt(1 + 8 * len(S))) / 2)
        upper = np.zeros((width, width))
        upper[np.triu_indices(width, 1)] = S
        S = upper + upper.T + np.eye(width)
    if len(S) < p:
        raise SystemExit(f"The problem has {len(S)} neurons, not {p}.")
    return np.ascontiguousarray(S[:p, :p], dtype=np.float64)


def _collected(layers: int) -> np.ndarray:
    from glasso_cli.artifacts import ActivationStats
    from glasso_cli.config import Config
    from glasso_cli.console import Console
    from glasso_cli.pipeline import Pipeline

    config = Config.model_validate(
        {
            "name": "solvers",
            "out": str(OUT / f"layers-{layers}"),
            "model": {"id": "builtin:gemma-3-270m"},
            "corpora": {"ai": {"topic": "artificial intelligence"}},
            "collect": {"hook_points": [f"mlp.{layer}" for layer in range(9, 9 + layers)]},
        }
    )
    Pipeline(config, Console(quiet=True, as_json=False)).run(["collect"])
    stats: ActivationStats = ActivationStats.load(OUT / f"layers-{layers}" / "collect" / "ai.npz")
    return stats.correlation(stats.usable())


def sparse(p: int) -> np.ndarray:
    """The correlation of 4p samples of a random sparse precision matrix with five edges a neuron."""
    rng = np.random.default_rng(p)
    Theta = np.zeros((p, p))
    rows, cols = rng.integers(0, p, (2, 5 * p // 2))
    Theta[rows, cols] = rng.choice([-0.3, 0.3], len(rows))
    Theta = np.triu(Theta, 1) + np.triu(Theta, 1).T
    np.fill_diagonal(Theta, np.abs(Theta).sum(1) + 0.5)
    samples = np.linalg.solve(np.linalg.cholesky(Theta).T, rng.standard_normal((p, 4 * p)))
    return np.corrcoef(samples)


def _alpha(S: np.ndarray, degree: float) -> float:
    """An alpha that gives about that many edges per neuron."""
    from glasso_cli.solvers.path import fit_degree

    points = fit_degree(S, degree, tol=1e-4, max_solves=8)
    return min(points, key=lambda point: abs(point.mean_degree - degree)).alpha


def _ci(S: np.ndarray) -> float:
    """Seconds of one Cholesky factorisation with inverse."""
    matrix, times = S + 0.1 * np.eye(len(S)), []
    for _ in range(5):
        started = time.perf_counter()
        invert(matrix)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


# -- solvers: (S, alpha, setting) -> (seconds, precision) -------------------------------------------------


def _newton(S: np.ndarray, alpha: float, setting: str) -> tuple[float, np.ndarray]:
    started = time.perf_counter()
    found = solve(S, alpha, tol=float(setting.removeprefix("tol=")))
    return time.perf_counter() - started, found.precision


def _sklearn(S: np.ndarray, alpha: float, setting: str) -> tuple[float, np.ndarray]:
    from sklearn.covariance import graphical_lasso

    started = time.perf_counter()
    _, precision = graphical_lasso(S, alpha, tol=float(setting.removeprefix("tol=")) * len(S), max_iter=200)
    return time.perf_counter() - started, (precision + precision.T) / 2


def _gglasso(S: np.ndarray, alpha: float, setting: str) -> tuple[float, np.ndarray]:
    import contextlib
    import io

    from gglasso.solver.single_admm_solver import ADMM_SGL

    # its penalty stands on every pair twice, as ours does
    tol = float(setting.removeprefix("tol="))
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        found, _ = ADMM_SGL(S, alpha, Omega_0=np.eye(len(S)), tol=tol, rtol=tol, max_iter=1000)
    return time.perf_counter() - started, found["Theta"]


def _skglm(S: np.ndarray, alpha: float, setting: str) -> tuple[float, np.ndarray]:
    from skglm.covariance import GraphicalLasso

    model = GraphicalLasso(alpha=alpha, tol=float(setting.removeprefix("tol=")), max_iter=200)
    model.fit(S[:50, :50], mode="precomputed")  # compiles
    started = time.perf_counter()
    model.fit(S, mode="precomputed")
    return time.perf_counter() - started, np.asarray(model.precision_)


def _r(S: np.ndarray, alpha: float, call: str) -> tuple[float, np.ndarray]:
    with tempfile.TemporaryDirectory() as name:
        folder, p = Path(name), len(S)
        S.astype("<f8").tofile(folder / "S")
        (folder / "run.R").write_text(
            f"""S <- matrix(readBin("{folder}/S", "double", {p * p}), {p}); a <- {alpha!r}
            t <- system.time({{ {call} }})[["elapsed"]]
            writeBin(c(as.double(t), as.double(as.matrix(Theta))), "{folder}/Theta")"""
        )
        subprocess.run(["Rscript", str(folder / "run.R")], check=True, capture_output=True)
        out = np.fromfile(folder / "Theta", "<f8")
    Theta = out[1:].reshape(p, p)
    return float(out[0]), (Theta + Theta.T) / 2


def _r_huge(S: np.ndarray, alpha: float, setting: str) -> tuple[float, np.ndarray]:
    # huge penalises the diagonal: S - alpha I makes the problems equal
    call = 'Theta <- huge::huge(S - a * diag(nrow(S)), lambda = a, method = "glasso", verbose = FALSE)$icov[[1]]'
    return _r(S, alpha, call)


def _r_glasso(S: np.ndarray, alpha: float, setting: str) -> tuple[float, np.ndarray]:
    call = f"Theta <- glasso::glasso(S, a, thr = {setting.removeprefix('thr=')}, penalize.diagonal = FALSE)$wi"
    return _r(S, alpha, call)


SOLVERS: dict[str, Callable[[np.ndarray, float, str], tuple[float, np.ndarray]]] = {
    "newton": _newton,
    "R huge": _r_huge,
    "R glasso": _r_glasso,
    "scikit-learn": _sklearn,
    "gglasso": _gglasso,
    "skglm": _skglm,
}
SETTINGS = {
    "newton": ["tol=1e-4", "tol=1e-5", "tol=1e-6", "tol=1e-7", "tol=1e-8"],
    "R huge": ["default"],
    "R glasso": ["thr=1e-4"],
    "scikit-learn": ["tol=1e-5"],
    "gglasso": ["tol=1e-7"],
    "skglm": ["tol=1e-4"],
}
PACKAGES = {"scikit-learn": "scikit-learn", "gglasso": "gglasso", "skglm": "skglm"}


def _available(name: str) -> bool:
    if name.startswith("R "):
        if shutil.which("Rscript") is None:
            return False
        return subprocess.run(["Rscript", "-e", f"library({name[2:]})"], capture_output=True).returncode == 0
    if name in PACKAGES:
        try:
            version(PACKAGES[name])
        except PackageNotFoundError:
            return False
    return True


def _versions() -> str:
    names = ["numpy", "scipy", "numba", *(PACKAGES[name] for name in PACKAGES if _available(name))]
    return ", ".join(f"{name} {version(name)}" for name in names)


# -- timing and judging -----------------------------------------------------------------------------------


def _timed(
    name: str, setting: str, S: np.ndarray, alpha: float, limit: float, repeats: int
) -> tuple[float, np.ndarray | None]:
    if name == "newton":  # in this process, compiled already
        runs = [SOLVERS[name](S, alpha, setting) for _ in range(repeats)]
        return statistics.median(seconds for seconds, _ in runs), runs[0][1]
    context = multiprocessing.get_context("spawn")  # BLAS threads do not survive a fork
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, name, setting, S, alpha))
    process.start()
    started = time.perf_counter()
    sender.close()
    try:
        return receiver.recv() if receiver.poll(limit) else (limit, None)
    except EOFError:  # it died
        return time.perf_counter() - started, None
    finally:
        if process.is_alive():
            _stop(process)


def _serve(sender: Any, name: str, setting: str, S: np.ndarray, alpha: float) -> None:
    import os

    os.setsid()  # its own children, Rscript among them, go with it
    sender.send(SOLVERS[name](S, alpha, setting))


def _stop(process: Any) -> None:
    import os
    import signal
    from contextlib import suppress

    process.join(5)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _judge(precision: np.ndarray, S: np.ndarray, alpha: float) -> tuple[float, float, str]:
    """Gap, KKT residual and a word on the result, made positive definite if it is not."""
    note, keep, candidate = "", 1.0, precision
    while not np.isfinite(candidate).all() or invert(candidate) is None:
        note, keep = "not positive definite", keep / 2
        candidate = keep * np.nan_to_num(precision) + (1 - keep) * diagonal_start(S, alpha)
    proof = certificate(candidate, S, alpha)
    return proof.duality_gap, proof.kkt_residual, note


if __name__ == "__main__":
    main()
