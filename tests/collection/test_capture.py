"""What is read, what is masked, and that every masked token is counted once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glasso_cli.collection.batch import add_counts
from glasso_cli.collection.capture import Capture
from glasso_cli.config import MaskSection
from glasso_cli.corpora.windows import Batch, Frame, Window, batches
from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint

POINTS = tuple(HookPoint(f"layers.{i}.mlp.down:in", i, width, f"layers.{i}.mlp") for i, width in ((0, 3), (4, 2)))
FRAME = Frame(prefix=(1,), suffix=(), special=(0, 1, 7))
NO_MASK = MaskSection(special=False, first=0, massive=None)


class FakeRecorder:
    """Activations made of token and position, so that a test can tell where each came from.

    Neuron j of a token is ``100 * id + position + j / 10``; padding is nan. ``spoil`` changes the result.
    """

    unrouted: torch.Tensor | None = None

    def __init__(self, spoil: Callable[[torch.Tensor], None] = lambda values: None) -> None:
        self.spoil = spoil

    def run(self, ids: torch.Tensor, attention: torch.Tensor) -> list[torch.Tensor]:
        position = torch.arange(ids.shape[1])
        values = 100.0 * ids[:, :, None] + position[None, :, None] + torch.arange(5) / 10
        values[~attention] = torch.nan
        self.spoil(values)
        return [values[:, :, :3], values[:, :, 3:]]


def one_batch(*windows: list[int]) -> Batch:
    numbered = [Window(10 + n, np.array(ids, dtype=np.int32)) for n, ids in enumerate(windows)]
    (batch,) = batches(numbered, budget=1000, pad_id=0)
    return batch


def fake_recorder(spoil: Callable[[torch.Tensor], None] = lambda values: None) -> Any:
    return FakeRecorder(spoil)


def capture(mask: MaskSection = NO_MASK, spoil: Callable[[torch.Tensor], None] = lambda v: None) -> Capture:
    return Capture(fake_recorder(spoil), POINTS, FRAME, mask)


def test_hook_points_stand_side_by_side_one_row_a_token() -> None:
    read = capture().read(one_batch([5, 6], [2, 3, 4]))
    assert read.tokens.tolist() == [2, 3, 4, 5, 6]
    assert read.lengths.tolist() == [3, 2]
    assert read.documents.tolist() == [11, 10]
    rows = [[200, 301, 402, 500, 601][i] + np.arange(5) / 10 for i in range(5)]
    np.testing.assert_allclose(read.values, rows)
    assert read.kept.all()


def test_columns_choose_neurons_over_all_hook_points() -> None:
    batch = one_batch([5, 6], [2, 3, 4])
    reader = capture()
    every = reader.read(batch).values
    reader.columns = torch.tensor([4, 1])
    assert torch.equal(reader.read(batch).values, every[:, [4, 1]])


def test_special_tokens_are_masked_by_id_zero_included() -> None:
    reader = capture(MaskSection(special=True, first=0, massive=None))
    read = reader.read(one_batch([1, 5, 0, 6, 7], [1, 3, 4]))
    assert read.kept.tolist() == [False, True, False, True, False, False, True, True]
    assert read.token_counts() == {"kept": 4, "special": 4, "first": 0, "massive": 0}


def test_without_special_ids_nothing_is_special() -> None:
    reader = Capture(fake_recorder(), POINTS, Frame((), (), ()), MaskSection(first=0, massive=None))
    assert reader.read(one_batch([0, 1, 2])).kept.all()


@pytest.mark.parametrize("first", [0, 1, 3])
def test_the_first_tokens_of_each_window_are_masked(first: int) -> None:
    reader = capture(MaskSection(special=False, first=first, massive=None))
    read = reader.read(one_batch([2, 3, 4, 5], [2, 3]))
    assert read.kept.tolist() == [t >= first for t in (0, 1, 2, 3, 0, 1)]


def test_massive_tokens_are_masked_at_any_hook_point() -> None:
    def spoil(values: torch.Tensor) -> None:
        values[0, 2, :3] *= 50
        values[1, 1, 3:] *= 50

    reader = capture(MaskSection(special=False, first=0, massive=10.0), spoil)
    batch = one_batch([2, 2, 2, 2], [3, 3, 3])
    sample = reader.read(batch)
    assert sample.kept.all()  # the limits are not known yet
    limited = reader.set_limits(sample)
    expected = [True, True, False, True, True, False, True]
    assert limited.kept.tolist() == expected
    read = reader.read(batch)
    assert read.kept.tolist() == expected
    assert read.token_counts()["massive"] == 2


def test_limits_are_multiples_of_the_median_norm_of_kept_tokens() -> None:
    reader = capture(MaskSection(special=True, first=0, massive=2.0))
    sample = reader.read(one_batch([1, 1, 1, 1, 4, 5, 6]))
    reader.set_limits(sample)
    norms = [sample.values[5, part].norm().item() for part in (slice(0, 3), slice(3, 5))]
    assert reader.limits == pytest.approx([2 * norm for norm in norms])


def test_massive_null_sets_no_limits() -> None:
    reader = capture()
    sample = reader.read(one_batch([2, 3]))
    assert reader.set_limits(sample) is sample
    assert reader.limits is None


def test_a_token_counts_for_the_first_rule_that_hits_it() -> None:
    reader = capture(MaskSection(special=True, first=2, massive=10.0))
    reader.limits = [0.0, 0.0]  # everything is massive
    read = reader.read(one_batch([1, 2, 3, 7, 4]))
    assert read.token_counts() == {"kept": 0, "special": 2, "first": 1, "massive": 2}


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=9), min_size=1, max_size=6),
    st.booleans(),
    st.integers(0, 4),
    st.sampled_from([None, 700.0]),
)
@settings(deadline=None, max_examples=60)
def test_counts_add_up(windows: list[list[int]], special: bool, first: int, limit: float | None) -> None:
    reader = capture(MaskSection(special=special, first=first, massive=2.0))
    reader.limits = None if limit is None else [limit, limit]
    read = reader.read(one_batch(*windows))
    counts = add_counts([read.token_counts()])
    assert counts.read == sum(map(len, windows)) == len(read.tokens)
    assert counts.kept == int(read.kept.sum())
    assert counts.special + counts.first + counts.massive + counts.kept == counts.read


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_non_finite_values_are_refused_with_their_hook_point(bad: float) -> None:
    def spoil(values: torch.Tensor) -> None:
        values[0, 1, 3:] = bad

    with pytest.raises(InputError, match=r"layers\.4\.mlp\.down:in gave 2 values that are not finite"):
        capture(spoil=spoil).read(one_batch([2, 3, 4]))


def test_non_finite_padding_is_nobodys_business() -> None:
    read = capture().read(one_batch([2, 3, 4], [5]))
    assert read.values.isfinite().all()


def test_values_too_large_to_square_are_massive_not_broken() -> None:
    def spoil(values: torch.Tensor) -> None:
        values[0, 1] = 1e30

    reader = capture(MaskSection(special=False, first=0, massive=10.0), spoil)
    reader.limits = [1e4, 1e4]
    assert reader.read(one_batch([2, 3, 4])).kept.tolist() == [True, False, True]


def test_tokens_that_an_expert_did_not_see_are_masked_and_counted() -> None:
    """After special and first tokens, before massive ones, and never in the median that says what is massive."""
    recorder = fake_recorder()
    recorder.unrouted = torch.tensor([[True, False, True, False, True]])
    reader = Capture(recorder, POINTS, FRAME, MaskSection(special=True, first=1, massive=10.0))
    read = reader.read(one_batch([2, 3, 4, 7, 5]))
    assert read.kept.tolist() == [False, True, False, False, False]
    assert read.token_counts() == {"kept": 1, "special": 1, "first": 1, "unrouted": 2, "massive": 0}
    reader.set_limits(read)
    norms = [float(part.norm()) for part in read.values[1].split([3, 2])]
    assert reader.limits == pytest.approx([10 * norm for norm in norms])
