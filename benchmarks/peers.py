"""The solvers side by side: each takes S, the alphas and one of its own settings, and gives seconds and results.

A cold solve has one alpha. Several, in decreasing order, are a path, for the solvers that have one. Only the
solver's own work is in the seconds: no start of R, no compilation, no reading of S.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

Results = list[Any]  # a precision matrix for each alpha, dense or sparse
Solve = Callable[[np.ndarray, Sequence[float], str], tuple[float, Results]]


@dataclass(frozen=True)
class Peer:
    """A solver, its settings from the loosest to the tightest, and the package it is from."""

    solve: Solve
    ladder: tuple[str, ...]
    package: str
    has_path: bool = False
    below: float = np.inf  # it takes only alphas under this one

    @property
    def in_r(self) -> bool:
        return self.package.startswith("R ")


# -- ours -----------------------------------------------------------------------------------------


def _newton(S: np.ndarray, alphas: Sequence[float], setting: str) -> tuple[float, Results]:
    from glasso_cli.solvers import fit_path, solve

    tol = _number(setting, "tol")
    started = time.perf_counter()
    if len(alphas) == 1:
        results: Results = [solve(S, alphas[0], tol=tol).precision]
        return time.perf_counter() - started, results
    points = fit_path(S, alphas, tol=tol)
    return time.perf_counter() - started, [point.precision() for point in points]


def unit(S: np.ndarray, alphas: Sequence[float], setting: str) -> tuple[float, Results]:
    """CI, the unit of cost: one Cholesky factorisation with inverse, the median of five; of large ones a single time."""
    from glasso_cli.linalg.cholesky import invert

    matrix, times = S.copy(), []
    np.fill_diagonal(matrix, S.diagonal() + 0.1)
    for _ in range(5 if len(S) <= UNIT_REPEATED else 1):
        started = time.perf_counter()
        invert(matrix)
        times.append(time.perf_counter() - started)
    return statistics.median(times), []


# -- Python ---------------------------------------------------------------------------------------


def _sklearn(S: np.ndarray, alphas: Sequence[float], setting: str) -> tuple[float, Results]:
    """The loop of its graphical_lasso_path, which itself takes samples, not S."""
    from sklearn.covariance import graphical_lasso
    from sklearn.covariance._graph_lasso import _graphical_lasso

    tol = _number(setting, "tol")  # per neuron; that of the inner lassos is not
    options = {"tol": tol * len(S), "enet_tol": min(1e-4, tol), "max_iter": 1000}
    started = time.perf_counter()
    if len(alphas) == 1:
        results: Results = [graphical_lasso(S, alphas[0], **options)[1]]
        return time.perf_counter() - started, results
    results, covariance = [], None
    for alpha in alphas:
        covariance, precision, _, _ = _graphical_lasso(S, alpha, cov_init=covariance, **options)
        results.append(precision)
    return time.perf_counter() - started, results


def _gglasso(S: np.ndarray, alphas: Sequence[float], setting: str) -> tuple[float, Results]:
    """Its ADMM on the components of the graph; on a path each alpha starts where the one before ended."""
    from gglasso.solver.single_admm_solver import block_SGL

    # its penalty stands on every pair twice, as ours does
    tol = _number(setting, "tol")
    start: dict[str, np.ndarray] = {"Omega_0": np.eye(len(S))}
    results: Results = []
    started = time.perf_counter()
    for alpha in alphas:
        with contextlib.redirect_stdout(io.StringIO()):
            found = block_SGL(S, alpha, tol=tol, rtol=tol, max_iter=1000, **start)
        start = {f"{letter}_0": found[letter] for letter in ("Omega", "Theta", "X")}
        results.append(found["Theta"])
    return time.perf_counter() - started, results


def _skglm(S: np.ndarray, alphas: Sequence[float], setting: str) -> tuple[float, Results]:
    from skglm.covariance import GraphicalLasso

    tol = _number(setting, "tol")
    model = GraphicalLasso(alpha=alphas[0], tol=tol, inner_tol=min(1e-4, tol), max_iter=1000)
    started = time.perf_counter()
    model.fit(S, mode="precomputed")
    return time.perf_counter() - started, [np.asarray(model.precision_)]


# -- R --------------------------------------------------------------------------------------------


def _r_huge(S: np.ndarray, alphas: Sequence[float], setting: str) -> tuple[float, Results]:
    """It penalises the diagonal, so it is given S - alpha I, and takes one alpha at a time for that.

    huge() itself comes to huge.glasso() and twice its overhead.
    """
    one = "huge::huge.glasso(S - a * diag(nrow(S)), lambda = a, verbose = FALSE)$icov[[1]]"
    return _r("huge", f"lapply(alphas, function(a) {one})", S, alphas)


def _r_glasso(S: np.ndarray, alphas: Sequence[float], setting: str) -> tuple[float, Results]:
    """glassopath for a single alpha too: glasso() adds a determinant and a product that are not needed."""
    thr = _number(setting, "thr")
    call = f"glasso::glassopath(S, alphas, thr = {thr}, penalize.diagonal = FALSE, trace = 0)$wi"
    # it sorts the alphas the other way round
    return _r("glasso", f"{{ wi <- {call}; lapply(rev(seq_along(alphas)), function(k) wi[, , k]) }}", S, alphas)


def _r(package: str, call: str, S: np.ndarray, alphas: Sequence[float]) -> tuple[float, Results]:
    """Seconds and results of an R expression that makes a list of matrices out of S and alphas.

    It is first run on a corner of S: R loads and compiles what it needs when it needs it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, p = Path(name), len(S)
        S.tofile(folder / "S")
        (folder / "run.R").write_text(
            f"""invisible(loadNamespace("{package}"))
            solve <- function(S, alphas) {call}
            S <- matrix(readBin("{folder}/S", "double", {p * p}), {p})
            alphas <- c({", ".join(map(repr, map(float, alphas)))})
            corner <- seq_len(min({p}, 30))
            invisible(solve(S[corner, corner], alphas[1]))
            seconds <- system.time(found <- solve(S, alphas))[["elapsed"]]
            out <- file("{folder}/found", "wb")
            writeBin(as.double(seconds), out)
            for (Theta in found) writeBin(as.double(as.matrix(Theta)), out)
            close(out)"""
        )
        done = subprocess.run(["Rscript", str(folder / "run.R")], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().replace("\n", " ")[-200:] or f"R ended with {done.returncode}")
        out = np.fromfile(folder / "found")
    return float(out[0]), list(out[1:].reshape(len(alphas), p, p))


# -- the table ------------------------------------------------------------------------------------


def _number(setting: str, name: str) -> float:
    return float(setting.removeprefix(f"{name}="))


def _steps(name: str, loosest: int, tightest: int) -> tuple[str, ...]:
    return tuple(f"{name}=1e-{power}" for power in range(loosest, tightest + 1))


UNIT_REPEATED = 8192  # neurons up to which the unit of cost is measured five times
OURS = "newton"
PEERS: dict[str, Peer] = {
    OURS: Peer(_newton, (), "glasso-cli", has_path=True),  # its tolerance is the target
    "R huge": Peer(_r_huge, ("default",), "R huge", has_path=True, below=0.5),
    "R glasso": Peer(_r_glasso, _steps("thr", 2, 7), "R glasso", has_path=True),
    "scikit-learn": Peer(_sklearn, _steps("tol", 2, 9), "scikit-learn", has_path=True),
    "gglasso": Peer(_gglasso, _steps("tol", 3, 9), "gglasso", has_path=True),
    "skglm": Peer(_skglm, _steps("tol", 1, 9), "skglm"),
}


@cache
def available(name: str) -> bool:
    return installed(PEERS[name].package) is not None


@cache
def installed(package: str) -> str | None:
    """The version of a package, ``R name`` for one of R; None where it is missing."""
    if not package.startswith("R "):
        try:
            return version(package)
        except PackageNotFoundError:
            return None
    if shutil.which("Rscript") is None:
        return None
    call = f'cat(as.character(packageVersion("{package[2:]}")))'
    done = subprocess.run(["Rscript", "-e", call], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None
