"""Means, errors and root mean squares of all pairs against the same over tokens, written out."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from glasso_cli.derivatives import pairs
from glasso_cli.derivatives.maps import Maps
from glasso_cli.derivatives.pairs import derivatives, deviations
from glasso_cli.derivatives.reader import TokenFactors
from glasso_cli.derivatives.sums import PairSums, SummedFactors
from glasso_cli.inference.jackknife import PseudoValues

TOKENS, BLOCKS, D, SOURCES, TARGETS = 60, 5, 7, 6, 9


@dataclass(frozen=True, eq=False)
class Case:
    factors: TokenFactors
    blocks: torch.Tensor
    maps: Maps

    @property
    def at_tokens(self) -> np.ndarray:
        """The derivative at every token ``(N, sources, targets)``."""
        paths = np.einsum("rpd,kdm->rkmp", self.maps.reads, self.maps.writes)
        responses = np.stack([response.numpy() for response in self.factors.responses()])
        return np.asarray(np.einsum("rnp,nk,rkmp->nmp", responses, self.factors.scales.numpy(), paths))

    def sums(self, blocks: range = range(BLOCKS)) -> PairSums:
        pair: Any = SimpleNamespace(n_responses=len(self.maps.reads), n_paths=len(self.maps.writes))
        adder = SummedFactors(pair, blocks, torch.arange(TARGETS))
        for half in (slice(0, 23), slice(23, None)):
            rows = torch.arange(TOKENS)[half]
            rows = rows[torch.isin(self.blocks[rows], torch.tensor(blocks))]
            by_up = self.factors.by_up
            part = TokenFactors(
                self.factors.by_gate[rows], None if by_up is None else by_up[rows], self.factors.scales[rows]
            )
            adder.add(part, self.blocks[rows])
        return adder.finish()


@pytest.fixture(params=[(1, 1), (2, 1), (1, 3), (2, 4)], ids=lambda item: f"{item[0]} responses, {item[1]} paths")
def case(request: pytest.FixtureRequest) -> Case:
    responses, paths = request.param
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    by_up = torch.from_numpy(draw(TOKENS, TARGETS)) if responses == 2 else None
    factors = TokenFactors(torch.from_numpy(draw(TOKENS, TARGETS)), by_up, torch.from_numpy(draw(TOKENS, paths)))
    blocks = torch.from_numpy(rng.integers(0, BLOCKS, TOKENS))
    return Case(factors, blocks, Maps(draw(paths, D, SOURCES), draw(responses, TARGETS, D)))


def all_pairs(sums: PairSums, maps: Maps) -> dict[str, np.ndarray]:
    groups = list(derivatives(sums, maps))
    names = ("mean", "error", "direct", "direct_error")
    found = {name: np.concatenate([getattr(group, name) for group in groups]).T for name in names}
    roots = []
    for group in groups:
        rows, columns = (part.ravel() for part in np.indices(group.mean.shape))
        roots.append([values.reshape(group.mean.shape) for values in group.rms(rows, columns)])
    return {**found, **{name: np.concatenate(parts).T for name, parts in zip(("rms", "rms_error"), zip(*roots))}}


def test_they_are_those_over_tokens(case: Case) -> None:
    found, at_tokens = all_pairs(case.sums(), case.maps), case.at_tokens
    np.testing.assert_allclose(found["mean"], at_tokens.mean(0), atol=1e-5)
    np.testing.assert_allclose(found["rms"], np.sqrt((at_tokens**2).mean(0)), rtol=1e-4)


def test_the_error_is_the_jackknife_done_again_without_each_block(case: Case) -> None:
    found, at_tokens = all_pairs(case.sums(), case.maps)["error"], case.at_tokens
    block, whole = case.blocks.numpy(), case.at_tokens.mean(0)
    pseudo = PseudoValues(SOURCES, TARGETS)
    for index in range(BLOCKS):
        share = float((block == index).mean())
        without = at_tokens[block != index].mean(0)
        pseudo.add((1 / share - 1) * (whole - without), share)
    np.testing.assert_allclose(found, np.sqrt(pseudo.variance()), rtol=1e-4)


def test_the_error_is_that_of_the_blocks_by_themselves(case: Case) -> None:
    sums = case.sums()
    targets, sources = (part.ravel() for part in np.meshgrid(np.arange(TARGETS), np.arange(SOURCES), indexing="ij"))
    found = deviations(sums, case.maps, targets, sources)
    error = all_pairs(sums, case.maps)["error"][sources, targets]
    np.testing.assert_allclose(np.sqrt((found**2).sum(1)), error, rtol=1e-4)
    whole = case.at_tokens.mean(0)[sources, targets]
    of_block = case.at_tokens[case.blocks.numpy() == 2].mean(0)[sources, targets]
    ratio = found[:, 2] / (of_block - whole)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


def test_the_error_of_the_root_mean_square_is_that_of_the_mean_square_over_twice_the_root(case: Case) -> None:
    found, squares, block = all_pairs(case.sums(), case.maps), case.at_tokens**2, case.blocks.numpy()
    pseudo = PseudoValues(SOURCES, TARGETS)
    for index in range(BLOCKS):
        share = float((block == index).mean())
        pseudo.add((1 / share - 1) * (squares.mean(0) - squares[block != index].mean(0)), share)
    expected = np.sqrt(pseudo.variance()) / (2 * np.sqrt(squares.mean(0)))
    np.testing.assert_allclose(found["rms_error"], expected, rtol=1e-3)


def test_the_direct_part_leaves_heads_out(case: Case) -> None:
    alone = Maps(case.maps.writes * (np.arange(len(case.maps.writes)) == 0)[:, None, None], case.maps.reads)
    whole, direct = all_pairs(case.sums(), case.maps), all_pairs(case.sums(), alone)
    for one, other in (("direct", "mean"), ("direct_error", "error")):
        np.testing.assert_allclose(whole[one], direct[other], atol=1e-6, err_msg=one)


def test_sums_of_groups_of_blocks_are_those_of_all_blocks(case: Case) -> None:
    parts, whole = PairSums.joined([case.sums(blocks=range(2)), case.sums(blocks=range(2, BLOCKS))]), case.sums()
    for name in ("counts", "first", "second"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-5, atol=1e-5, err_msg=name)


def test_small_groups_give_the_same(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = all_pairs(case.sums(), case.maps)
    ends = np.arange(TARGETS), np.arange(TARGETS) % SOURCES
    before = deviations(case.sums(), case.maps, *ends)
    monkeypatch.setattr(pairs, "_VALUES", 200)
    np.testing.assert_allclose(deviations(case.sums(), case.maps, *ends), before, atol=1e-6)
    assert len(list(derivatives(case.sums(), case.maps))) > 1
    for name, values in all_pairs(case.sums(), case.maps).items():
        np.testing.assert_allclose(values, whole[name], atol=1e-6, err_msg=name)


def test_an_empty_block_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    first = rng.standard_normal((3, 1, 2, TARGETS))
    second = np.abs(rng.standard_normal((3, 1, 3, TARGETS))).astype(np.float32)
    maps = Maps(rng.standard_normal((2, D, SOURCES)).astype(np.float32), np.ones((1, TARGETS, D), np.float32))
    without = all_pairs(PairSums(np.array([4, 5, 6]), first, second), maps)
    padded = PairSums(
        np.array([4, 5, 6, 0]), *(np.concatenate([sums, np.zeros_like(sums[:1])]) for sums in (first, second))
    )
    for name, values in all_pairs(padded, maps).items():
        np.testing.assert_array_equal(values, without[name], err_msg=name)
    apart = deviations(padded, maps, np.array([3]), np.array([1]))
    assert apart.shape == (1, 4)
    assert apart[0, 3] == 0
    assert np.all(apart[0, :3])
