"""Correlation matrices to solve: of real neurons, and of samples from precision matrices of known structure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.linalg import eigsh

PER_LAYER = 2048  # neurons in an MLP of the built-in model
FIRST_LAYER, LAST_LAYER = 9, 12  # up to four layers begin with the first of these, and more end with the last
FEW_LAYERS, BLOCKS, FEW_BLOCKS = 4, 16, 4  # more layers have fewer blocks, which take 0.5 GB each for eight of them
SEARCHED = 8192  # neurons up to which the alpha of a degree is searched for on all of them
SAMPLES = 4  # per neuron, of every generator
_BATCH = 4096  # samples drawn at a time


@dataclass(frozen=True, eq=False)
class Problem:
    """A correlation matrix and a word on where it is from."""

    S: np.ndarray  # (p, p) float64
    source: str


def problem(name: str, p: int, *, out: Path, file: Path | None = None, texts: Path | None = None) -> Problem:
    """The problem of that name with ``p`` neurons; ``file``, ``texts`` and ``out`` are for the real one."""
    if name != "real":
        return Problem(correlation(name, p), f"{SAMPLES * p:,} samples")
    return from_file(file, p) if file else collected(p, out, texts)


# -- generators: a precision matrix (p, p), sparse ------------------------------------------------


def hub(p: int, rng: np.random.Generator) -> csr_array:
    """Groups of 20; the first neuron of each is linked to the others."""
    spoke = np.arange(p)
    return _definite(p, spoke - spoke % 20, spoke, np.full(p, 0.3))


def band(p: int, rng: np.random.Generator) -> csr_array:
    """Every neuron is linked to the two before it and the two after it."""
    rows = np.concatenate([np.arange(p - 1), np.arange(p - 2)])
    cols = np.concatenate([np.arange(1, p), np.arange(2, p)])
    return _definite(p, rows, cols, np.full(len(rows), 0.3))


def cluster(p: int, rng: np.random.Generator) -> csr_array:
    """Groups of 20, in which three pairs in ten are linked."""
    rows, cols = np.triu_indices(20, 1)
    starts = np.arange(0, p, 20)[:, None]
    rows, cols = (rows + starts).ravel(), (cols + starts).ravel()
    kept = (rng.random(len(rows)) < 0.3) & (cols < p)
    return _definite(p, rows[kept], cols[kept], _signs(kept.sum(), rng))


def scale_free(p: int, rng: np.random.Generator) -> csr_array:
    """A tree in which every new neuron is linked to an old one, the likelier the more links that has."""
    ends = np.empty(2 * (p - 1), dtype=np.int64)  # of all links so far: a uniform draw prefers the well linked
    ends[:2] = 0, 1
    for new in range(2, p):
        ends[2 * new - 2 : 2 * new] = ends[rng.integers(2 * new - 2)], new
    return _definite(p, ends[::2], ends[1::2], np.full(p - 1, 0.3))


def random(p: int, rng: np.random.Generator) -> csr_array:
    """Links anywhere, three a neuron."""
    rows, cols = rng.integers(0, p, (2, 3 * p // 2))
    return _definite(p, rows, cols, _signs(len(rows), rng))


def chain(p: int, rng: np.random.Generator) -> csr_array:
    """1.25 on the diagonal and -0.5 beside it."""
    beside = np.full(p - 1, -0.5)
    return csr_array(diags_array([beside, np.full(p, 1.25), beside], offsets=[-1, 0, 1]))


def sparse(p: int, rng: np.random.Generator) -> csr_array:
    """Links anywhere, five a neuron, and a dominant diagonal: well conditioned."""
    rows, cols = rng.integers(0, p, (2, 5 * p // 2))
    links = _symmetric(p, rows, cols, _signs(len(rows), rng))
    return csr_array(links + diags_array(np.asarray(abs(links).sum(axis=1)) + 0.5))


def isolated(p: int, rng: np.random.Generator) -> csr_array:
    """No links."""
    return csr_array(diags_array(np.ones(p)))


GENERATORS: dict[str, Callable[[int, np.random.Generator], csr_array]] = {
    "sparse": sparse,
    "hub": hub,
    "band": band,
    "cluster": cluster,
    "scale-free": scale_free,
    "random": random,
    "chain": chain,
    "neuron-like": sparse,  # and what correlation() adds, here too:
    "one-factor": isolated,
}
PROBLEMS = ("real", *GENERATORS)


def correlation(name: str, p: int) -> np.ndarray:
    """The correlation ``(p, p)`` of samples from the generator of that name; the same for the same ``p``.

    ``neuron-like`` adds p/20 shared factors of falling strength, and heavy tails: a t distribution with
    five degrees of freedom. ``one-factor`` adds one, alike to all: any two neurons are correlated by 0.69.
    """
    rng = np.random.default_rng(p)
    lower = np.linalg.cholesky(GENERATORS[name](p, rng).toarray())
    loadings = _FACTORS[name](lower, rng) if name in _FACTORS else None
    moments = np.zeros((p, p))
    for start in range(0, SAMPLES * p, _BATCH):
        n = min(_BATCH, SAMPLES * p - start)
        draws = solve_triangular(lower, rng.standard_normal((p, n)), lower=True, trans="T", overwrite_b=True)
        if loadings is not None:
            draws += loadings @ rng.standard_normal((loadings.shape[1], n))
        if name == "neuron-like":
            draws *= np.sqrt(5 / rng.chisquare(5, n))
        moments += draws @ draws.T
    return _unit_diagonal(moments)


def _falling(lower: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of the factors ``(p, p/20)``; together they have as much variance as the sparse part."""
    p = len(lower)
    n = max(1, p // 20)
    inverse = solve_triangular(lower, np.eye(p), lower=True)
    own = np.sqrt((inverse**2).sum(axis=0))  # of every neuron
    strength = 1 / np.sqrt(np.arange(1, n + 1))
    return np.asarray(own[:, None] * rng.standard_normal((p, n)) * strength / np.linalg.norm(strength))


def _alike(lower: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of one factor ``(p, 1)``."""
    return np.full((len(lower), 1), 1.5)


_FACTORS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "neuron-like": _falling,
    "one-factor": _alike,
}


def _unit_diagonal(moments: np.ndarray) -> np.ndarray:
    scale = 1 / np.sqrt(moments.diagonal())
    S = moments * np.outer(scale, scale)
    S = (S + S.T) / 2
    np.fill_diagonal(S, 1.0)
    return np.asarray(S)


def _signs(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice([-0.3, 0.3], int(n))


def _symmetric(p: int, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> csr_array:
    """The links without loops; of a pair drawn twice the last one counts."""
    low, high = np.minimum(rows, cols), np.maximum(rows, cols)
    keys, last = np.unique((low * p + high)[::-1], return_index=True)
    values = values[::-1][last]
    off = keys // p != keys % p
    upper = coo_array((values[off], (keys[off] // p, keys[off] % p)), shape=(p, p))
    return csr_array(upper + upper.T)


def _definite(p: int, rows: np.ndarray, cols: np.ndarray, values: np.ndarray) -> csr_array:
    """The links with a diagonal that makes the smallest eigenvalue 0.2."""
    links = _symmetric(p, rows, cols, values)
    start = np.random.default_rng(0).standard_normal(p)
    smallest = eigsh(links, k=1, which="SA", return_eigenvectors=False, v0=start, tol=1e-6)[0]
    # where links have few distinct eigenvalues, ARPACK goes on at random: the last digits would differ
    return csr_array(links + diags_array(np.full(p, 0.2 - round(float(smallest), 5))))


# -- real neurons ---------------------------------------------------------------------------------


def from_file(file: Path, p: int) -> Problem:
    """A file's correlation matrix ``S``, whole or as its packed upper triangle without the diagonal."""
    loaded = np.load(file)
    S = loaded if isinstance(loaded, np.ndarray) else loaded["S"]
    return Problem(_first(_unpacked(S) if S.ndim == 1 else S, p), file.name)


def _unpacked(packed: np.ndarray) -> np.ndarray:
    width = int((1 + np.sqrt(1 + 8 * len(packed))) / 2)
    upper = np.zeros((width, width))
    upper[np.triu_indices(width, 1)] = packed
    return np.asarray(upper + upper.T + np.eye(width))


def _first(S: np.ndarray, p: int) -> np.ndarray:
    if len(S) < p:
        raise SystemExit(f"The problem has {len(S)} neurons, not {p}.")
    return np.ascontiguousarray(S[:p, :p], dtype=np.float64)


def collected(p: int, out: Path, texts: Path | None) -> Problem:
    """The first ``p`` neurons of as many layers of the built-in model as have them, by ``glasso collect``.

    The texts are 60,000 tokens of the file, or all of the built-in topics as one corpus. A collected file
    in ``out`` is used again.
    """
    from glasso_cli.artifacts import ActivationStats

    layers = layers_for(p)
    folder = out / f"{texts.stem if texts else 'topics'}-layers-{len(layers)}"
    _collect(texts or _topics(out), folder, layers)
    stats = ActivationStats.load(folder / "collect" / "texts.npz")
    where = f"layer {layers[0]}" if len(layers) == 1 else f"layers {layers[0]}-{layers[-1]}"
    return Problem(_first(stats.correlation(stats.usable()), p), f"{where}, {stats.n_tokens:,} tokens")


def layers_for(p: int) -> range:
    """As many layers as have ``p`` neurons."""
    count = -(-p // PER_LAYER)
    first = min(FIRST_LAYER, LAST_LAYER + 1 - count)
    return range(first, first + count)


def _topics(out: Path) -> Path:
    from glasso_cli.corpora.topics import TOPICS, passages

    file = out / "topics.jsonl"
    lines = [json.dumps({"text": text}) + "\n" for topic in TOPICS for text in passages(topic)]
    if not file.exists():
        file.write_text("".join(lines), encoding="utf-8")
    return file


def _collect(texts: Path, folder: Path, layers: range) -> None:
    from glasso_cli.config import Config
    from glasso_cli.console import Console
    from glasso_cli.pipeline.run import Pipeline

    settings: dict[str, Any] = {
        "name": "solvers",
        "out": str(folder),
        "model": {"id": "builtin:gemma-3-270m"},
        "corpora": {"texts": {"files": [str(texts.absolute())]}},
        "collect": {
            "hook_points": [f"mlp.{layer}" for layer in layers],
            "max_tokens": 60_000,
            "blocks": BLOCKS if len(layers) <= FEW_LAYERS else FEW_BLOCKS,
        },
    }
    Pipeline(Config.model_validate(settings), Console(quiet=True, as_json=False)).run(["collect"])


# -- penalties ------------------------------------------------------------------------------------


def alphas_for(S: np.ndarray, degrees: list[float]) -> list[float]:
    """Alphas that give about so many edges per neuron, in the order of ``degrees``."""
    from glasso_cli.solvers.degree import fit_degree
    from glasso_cli.solvers.path import PathPoint

    if len(S) > SEARCHED:
        return _extrapolated_alphas(S, degrees)
    points: list[PathPoint] = []
    for degree in sorted(degrees):
        points = fit_degree(S, degree, tol=1e-4, max_solves=8, grid=points)
    return [min(points, key=lambda point: abs(point.mean_degree - degree)).alpha for degree in degrees]


def _extrapolated_alphas(S: np.ndarray, degrees: list[float]) -> list[float]:
    """Alphas for S ``(p, p)`` out of fits of every eighth and of every fourth neuron.

    Among more neurons, a given number of edges per neuron comes from more correlations above alpha. Their number per neuron
    is taken to grow by the same factor with every doubling of the neurons.
    """
    from glasso_cli.solvers.path import Walk

    few, more = (_counts_above(np.ascontiguousarray(S[::step, ::step]), degrees) for step in (8, 4))
    walk = Walk(S, "newton", 1e-4, 1, False, None, (), None, checked=True)
    return [walk.first_alpha(most**3 / least**2) for least, most in zip(few, more, strict=True)]


def _counts_above(S: np.ndarray, degrees: list[float]) -> list[float]:
    """How many correlations per neuron lie above each of the alphas that give ``degrees``."""
    return [(np.count_nonzero(np.abs(S) > alpha) - len(S)) / len(S) for alpha in alphas_for(S, degrees)]
