"""Artifacts: what is saved comes back, and what is of another kind, newer or foreign is said in one sentence."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

import glasso_cli
from glasso_cli.artifacts import ActivationStats, Artifact, PrecisionPath
from glasso_cli.artifacts.activation_stats import no_fresh_network
from glasso_cli.artifacts.npz import Chunked, read_meta, write_npz
from glasso_cli.cli.showing.describe import describe, dot_meta
from glasso_cli.errors import InputError
from glasso_cli.linalg import moments
from glasso_cli.solvers import fit_path
from glasso_cli.solvers.path import PathPoint

META = {"key": "0123456789abcdef" * 4, "experiment": "demo", "corpus": "films", "metrics": {"neurons": 5}}


def stats(rng: np.random.Generator, blocks: int = 3, width: int = 5) -> tuple[ActivationStats, list[np.ndarray]]:
    """Statistics of random values, and the values ``(n, p)`` of every block."""
    values = [rng.normal(size=(rng.integers(4, 9), width)) + 3 for _ in range(blocks)]
    centre = values[0].mean(axis=0)
    centred = [block - centre for block in values]
    packed = np.stack([moments.pack_upper(block.T @ block) for block in centred])
    everything = np.concatenate(values)
    shape = (width, 2, 3)
    return ActivationStats(
        meta=META,
        neuron_ids=np.array([f"layers.0.mlp[{n}]" for n in range(width)]),
        layers=np.zeros(width, dtype=np.int32),
        orientation=np.array([1, -1, 1, 1, -1], dtype=np.int8),
        counts=np.array([len(block) for block in values]),
        documents=np.ones(blocks, dtype=np.int64),
        centre=centre,
        sums=np.stack([block.sum(axis=0) for block in centred]),
        moments=packed.astype(np.float32),
        null_moments=np.empty(0, dtype=np.float32),
        **no_fresh_network(width),
        mean=everything.mean(axis=0),
        std=everything.std(axis=0),
        kurtosis=np.zeros(width),
        skewness=np.zeros(width),
        top_share=np.ones(width),
        autocorrelation=np.zeros((width, 4), dtype=np.float32),
        dead=np.array([False, True, False, False, False]),
        duplicate_of=np.array([-1, -1, -1, 0, -1], dtype=np.int32),
        vocabulary=np.array(["the", " film"]),
        top_tokens=np.zeros(shape, dtype=np.int32),
        top_values=np.zeros(shape, dtype=np.float32),
        top_documents=np.zeros(shape[:2], dtype=np.int32),
        bottom_tokens=np.zeros(shape, dtype=np.int32),
        bottom_values=np.zeros(shape, dtype=np.float32),
        bottom_documents=np.zeros(shape[:2], dtype=np.int32),
        quantile_tokens=np.zeros((width, 5, 2, 3), dtype=np.int32),
        quantile_values=np.zeros((width, 5, 2, 3), dtype=np.float32),
        quantile_documents=np.zeros((width, 5, 2), dtype=np.int32),
    ), values


TESTED = ("debiased", "standard_error", "z", "p_zero", "q_zero", "p_values", "q_values", "frequencies", "entry_alphas")


def small_fit() -> tuple[PrecisionPath, list[np.ndarray]]:
    """A fit at two alphas of three neurons, and its precision matrices."""
    precisions = [
        np.array([[2.0, -0.5, 0.0], [-0.5, 2.0, 0.0], [0.0, 0.0, 1.0]]),
        np.array([[4.0, -0.5, 1.0], [-0.5, 4.0, 0.25], [1.0, 0.25, 1.0]]),
    ]
    edges = [np.nonzero(np.triu(matrix, 1)) for matrix in precisions]
    rows, cols = (np.concatenate([pair[axis] for pair in edges]).astype(np.int32) for axis in (0, 1))
    values = np.concatenate([matrix[pair] for matrix, pair in zip(precisions, edges)])
    two = np.zeros(2)
    return PrecisionPath(
        meta=META,
        neuron_ids=np.array(["a[0]", "a[1]", "a[2]"]),
        layers=np.zeros(3, dtype=np.int32),
        neurons=np.arange(3, dtype=np.int32),
        orientation=np.array([1, -1, 1], dtype=np.int8),
        communities=np.array([0, 0, -1], dtype=np.int32),
        alphas=np.array([0.3, 0.1]),
        starts=np.array([np.nan, 0.3]),
        offsets=np.cumsum([0, *(len(pair[0]) for pair in edges)]),
        rows=rows,
        cols=cols,
        values=values,
        marginals=np.zeros(len(rows), dtype=np.float32),
        diagonals=np.stack([np.diag(matrix) for matrix in precisions]),
        factors=np.zeros((3, 0)),
        ranks=np.zeros(2, dtype=np.int32),
        objective=two,
        duality_gap=two,
        kkt_residual=two,
        n_iter=np.ones(2, dtype=np.int32),
        converged=np.ones(2, dtype=bool),
        log_likelihood=two,
        n_components=np.ones(2, dtype=np.int32),
        criterion=two,
        criterion_error=two,
        selected=np.array(1),
        kept=np.array([True, False, True]),
        **{name: np.zeros(3) for name in TESTED},
        tested_alpha=np.array([0.05]),
        tested_rows=np.zeros(1, np.int32),
        tested_cols=np.ones(1, np.int32),
        tested_values=np.array([-0.5]),
        tested_diagonal=np.ones(3),
        tested_factors=np.zeros((3, 0)),
        plain_rows=np.zeros(0, np.int32),
        plain_cols=np.zeros(0, np.int32),
        plain_values=np.zeros(0),
        plain_kept=np.zeros(0, bool),
        plain_diagonal=np.zeros(0),
    ), precisions


@pytest.fixture(params=["stats", "fit"])
def artifact(request: pytest.FixtureRequest, rng: np.random.Generator) -> Artifact:
    return stats(rng)[0] if request.param == "stats" else small_fit()[0]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_what_is_saved_comes_back_in_the_same_bytes(artifact: Artifact, tmp_path: Path) -> None:
    content = artifact.save(tmp_path / "a.npz")
    loaded = type(artifact).load(tmp_path / "a.npz")
    for item in fields(artifact):
        if item.name != "meta":
            np.testing.assert_array_equal(getattr(loaded, item.name), getattr(artifact, item.name))
            assert getattr(getattr(loaded, item.name), "dtype", None) == getattr(
                getattr(artifact, item.name), "dtype", None
            )
    assert loaded.meta["content"] == content
    assert loaded.save(tmp_path / "b.npz") == content
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_meta_says_kind_schema_and_versions_but_no_place_and_no_time(artifact: Artifact, tmp_path: Path) -> None:
    artifact.save(tmp_path / "a.npz")
    meta = read_meta(tmp_path / "a.npz")
    assert (meta["kind"], meta["schema"]) == (artifact.kind, artifact.schema)
    assert meta["versions"]["glasso"] == glasso_cli.__version__
    assert str(tmp_path) not in json.dumps(meta)
    assert set(meta) == {*META, "kind", "schema", "versions", "content"}


def test_a_streamed_member_takes_the_place_of_its_field(rng: np.random.Generator, tmp_path: Path) -> None:
    whole, _ = stats(rng)
    empty = replace(whole, moments=np.zeros((0, 0), dtype=np.float32))
    rows = Chunked(whole.moments.dtype, whole.moments.shape, lambda: iter(whole.moments))
    assert empty.save(tmp_path / "b.npz", moments=rows) == whole.save(tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


# -- files that cannot be used ----------------------------------------------------------------------


def changed(artifact: Artifact, file: Path, **meta: Any) -> Path:
    held = {item.name: getattr(artifact, item.name) for item in fields(artifact) if item.name != "meta"}
    arrays = {name: values for name, values in held.items() if values is not None}
    write_npz(file, arrays, {**artifact.described(), **meta})
    return file


def test_another_kind_is_said(artifact: Artifact, tmp_path: Path) -> None:
    other = PrecisionPath if isinstance(artifact, ActivationStats) else ActivationStats
    artifact.save(tmp_path / "a.npz")
    with pytest.raises(InputError) as caught:
        other.load(tmp_path / "a.npz")
    assert caught.value.message == f"{tmp_path / 'a.npz'} holds '{artifact.kind}', not '{other.kind}'."


def test_a_newer_schema_names_the_glasso_that_wrote_it(artifact: Artifact, tmp_path: Path) -> None:
    file = changed(artifact, tmp_path / "a.npz", schema=9, versions={"glasso": "7.1"})
    with pytest.raises(
        InputError, match=rf"was written by glasso 7\.1 .*this one reads up to {artifact.schema}"
    ) as caught:
        type(artifact).load(file)
    assert "Upgrade glasso" in caught.value.hint


def test_an_older_schema_says_to_run_the_stage_again(artifact: Artifact, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was written by an older glasso") as caught:
        type(artifact).load(changed(artifact, tmp_path / "a.npz", schema=0))
    assert caught.value.hint == "Run the stage again."


def test_missing_members_are_named(artifact: Artifact, tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", {"neuron_ids": np.array(["a"])}, artifact.described())
    with pytest.raises(InputError, match=r"lacks .*layers"):
        type(artifact).load(tmp_path / "a.npz")


# -- statistics -------------------------------------------------------------------------------------


@pytest.mark.slow
@given(st.integers(1, 12), st.randoms(use_true_random=False))
def test_packing_an_upper_triangle_loses_nothing(width: int, random: Any) -> None:
    packed = np.array([random.uniform(-1, 1) for _ in range(moments.packed_length(width))])
    matrix = moments.unpack_upper(packed, width)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(packed, matrix[np.triu_indices(width)])
    np.testing.assert_array_equal(packed, moments.pack_upper(matrix))


@pytest.mark.parametrize("blocks", [None, [0], [2, 0], [1, 1, 2]])
def test_the_covariance_is_that_of_the_values(rng: np.random.Generator, blocks: list[int] | None) -> None:
    artifact, values = stats(rng)
    chosen = np.concatenate(values if blocks is None else [values[block] for block in blocks])
    expected = np.cov(chosen, rowvar=False, bias=True)
    np.testing.assert_allclose(artifact.covariance(blocks), expected, atol=1e-6)
    usable = np.corrcoef(chosen[:, [0, 2, 4]], rowvar=False)
    np.testing.assert_allclose(artifact.correlation(blocks=blocks), usable, atol=1e-6)


def test_dead_and_duplicate_neurons_are_not_usable(rng: np.random.Generator) -> None:
    artifact, values = stats(rng)
    assert artifact.usable().tolist() == [0, 2, 4]
    assert artifact.n_neurons == 5
    assert artifact.n_tokens == sum(len(block) for block in values)


# -- paths ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 1, None])
def test_precision_and_edges_are_those_of_the_matrix(index: int | None) -> None:
    artifact, precisions = small_fit()
    matrix = precisions[1 if index is None else index]
    precision = artifact.precision(index)
    assert sp.issparse(precision)
    np.testing.assert_array_equal(precision.toarray(), matrix)
    rows, cols, partial = artifact.edges(index)
    assert (rows < cols).all()
    scale = np.sqrt(np.diag(matrix))
    np.testing.assert_allclose(partial, -(matrix / np.outer(scale, scale))[rows, cols])
    assert len(rows) == np.count_nonzero(np.triu(matrix, 1))


@pytest.mark.parametrize("hidden", [None, 0.5])
def test_points_of_a_path_come_back(hidden: float | None) -> None:
    S = np.asarray(np.corrcoef(np.random.default_rng(0).normal(size=(3, 12)) + 0.5))
    points = fit_path(S, [0.3, 0.2, 0.1], hidden=hidden)
    theirs = {"alphas", "starts", "offsets", "rows", "cols", "values", "diagonals", "factors", "ranks", "objective"}
    theirs |= {"duality_gap", "kkt_residual", "n_iter", "converged", "log_likelihood", "n_components"}
    other = {name: value for name, value in vars(small_fit()[0]).items() if name not in theirs}
    fit = PrecisionPath.of_points(points, **other)
    assert set(other) | theirs == {item.name for item in fields(PrecisionPath)}
    for before, after in zip(points, fit.points(), strict=True):
        arrays, numbers = before.to_arrays()
        again = PathPoint.from_arrays(*after.to_arrays())
        assert again.to_arrays()[1] == numbers
        for name, array in arrays.items():
            assert getattr(again, name).tobytes() == array.tobytes()
    np.testing.assert_array_equal(fit.precision(1).toarray(), points[1].precision().toarray())


def test_edges_are_counted_at_every_alpha() -> None:
    assert small_fit()[0].n_edges.tolist() == [1, 3]
    assert small_fit()[0].n_neurons == 3


def test_artifacts_say_in_a_line_what_they_are_and_differ_as_objects() -> None:
    artifact, _ = small_fit()
    assert repr(artifact) == "PrecisionPath(films: 3 neurons, 2 alphas, 2 edges at alpha 0.1)"
    made, values = stats(np.random.default_rng(0))
    tokens = sum(map(len, values))
    assert repr(made) == f"ActivationStats(films: 5 neurons, {tokens} tokens in 3 blocks)"
    assert artifact != small_fit()[0]
    assert {artifact: 1}[artifact] == 1


# -- show -------------------------------------------------------------------------------------------


def test_show_says_what_a_file_is(tmp_path: Path) -> None:
    metrics = {
        "neurons": 2048,
        "tokens": {"read": 12_000, "kept": 11_000},
        "gap": 1.23456789e-9,
        "unknown": float("nan"),
        "converged": True,
        "hook_points": [{"name": "layers.9.mlp", "width": 2048}],
        "empty": [],
    }
    artifact, _ = stats(np.random.default_rng(0))
    replace(artifact, meta={**META, "metrics": metrics, "below": "not converged"}).save(tmp_path / "a.npz")
    lines = describe(tmp_path / "a.npz", as_json=False).splitlines()
    assert lines[0] == str(tmp_path / "a.npz")
    assert lines[1:-1] == [
        "  kind            activation-stats",
        "  key             0123456789abcdef",
        "  experiment      demo",
        "  corpus          films",
        "  converged       True",
        "  empty           none",
        "  gap             1.2346e-09",
        "  hook_points",
        "    name layers.9.mlp, width 2,048",
        "  neurons         2,048",
        "  tokens",
        "    kept          11,000",
        "    read          12,000",
        "  unknown         nan",
        "  target missed   not converged",
    ]
    assert lines[-1].startswith("  made with       glasso ")


def test_show_as_json_is_json_that_every_reader_takes(tmp_path: Path) -> None:
    replace(small_fit()[0], meta={**META, "metrics": {"gap": float("inf")}}).save(tmp_path / "a.npz")
    text = describe(tmp_path / "a.npz", as_json=True)
    meta = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert meta["metrics"] == {"gap": None}
    assert meta["kind"] == "precision-path"


def test_show_reads_the_first_line_of_a_dot_file(tmp_path: Path) -> None:
    (tmp_path / "a.dot").write_text('// glasso: {"key": "abc", "corpus": "films"}\ngraph {}\n')
    assert dot_meta(tmp_path / "a.dot") == {"kind": "graph", "key": "abc", "corpus": "films"}
    assert "  kind            graph" in describe(tmp_path / "a.dot", as_json=False)


@pytest.mark.parametrize("first", ["graph {}", "// glasso: {", "// glasso: [1]", ""])
def test_a_foreign_dot_file_is_said(tmp_path: Path, first: str) -> None:
    (tmp_path / "a.dot").write_text(f"{first}\n")
    with pytest.raises(InputError, match="is not an artifact of glasso"):
        describe(tmp_path / "a.dot", as_json=False)


def test_a_dot_file_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.dot").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read as text"):
        describe(tmp_path / "a.dot", as_json=False)
    with pytest.raises(InputError, match="There is no file"):
        describe(tmp_path / "b.dot", as_json=False)
