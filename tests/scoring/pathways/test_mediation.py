"""Mediation on tiny models: what cannot pass through the middle does not, and a chain of linear effects is a product."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from support.scores import Bench, bench

from glasso_cli.hooks import HookPoint, ablate, record
from glasso_cli.hooks.edit import Intervention, add, set_to
from glasso_cli.models.loaded import LoadedModel
from glasso_cli.scoring.clean import Row
from glasso_cli.scoring.pathways.mediation import Effect, Place, mediated

Load = Callable[[str], LoadedModel]
pytestmark = pytest.mark.slow


def nothing(amount: float) -> None:
    pass


def tried(at: Bench, source: tuple[int, int], middle: tuple[int, int], target: tuple[int, int], step: float) -> Effect:
    points, feed = at.neurons.points, at.feed
    places = [Place(points[point], neuron, 1.0) for point, neuron in (source, middle, target)]
    batches = [row.batch for row in at.rows]
    (found,) = mediated(feed, at.reader, batches, [(places[0], places[1], places[2])], step, nothing)
    return found


@pytest.mark.parametrize("family", ["gemma3", "gpt2"])
def test_effects_are_those_of_passes_one_by_one(loaded: Load, family: str) -> None:
    with bench(loaded(family), "mlp.0", "mlp.1", "mlp.2") as at:
        found = tried(at, (0, 3), (1, 5), (2, 7), 0.5)
        source, middle, target = at.neurons.points
        sums, tokens = np.zeros(2), 0
        for row in at.rows:

            def read(points: list[HookPoint], edits: list[Intervention], row: Row = row) -> list[torch.Tensor]:
                with torch.no_grad(), ablate(at.feed.model, edits), record(at.feed.model, points) as recorder:
                    return recorder.read(at.feed.call(row.batch, 1, False), at.feed.shaped(row.batch, 1))

            clean = read([middle], [])[0][..., 5]
            for held in (0, 1):
                ends = []
                for sign in (1, -1):
                    edits = [Intervention(source, add(0.5 * sign), (3,))]
                    if held:
                        edits.append(Intervention(middle, set_to(clean[..., None]), (5,)))
                    ends.append(read([target], edits)[0][..., 7])
                sums[held] += float((ends[0] - ends[1])[row.kept].sum())
            tokens += int(row.kept.sum())
        assert found.tokens == tokens
        assert found.total[0] == pytest.approx(sums[0] / tokens, rel=1e-3, abs=1e-7)
        assert found.held[0] == pytest.approx(sums[1] / tokens, rel=1e-3, abs=1e-7)
        assert found.through[0] == pytest.approx((sums[0] - sums[1]) / tokens, rel=1e-2, abs=1e-6)


def test_nothing_passes_through_a_middle_after_the_target(loaded: Load) -> None:
    with bench(loaded("gemma3"), "mlp.0", "mlp.1", "mlp.2") as at:
        found = tried(at, (0, 3), (1, 5), (1, 7), 0.5)  # in the same layer
        assert found.through[0] == pytest.approx(0, abs=1e-7)
        assert found.total[0] != 0


def test_a_source_that_is_held_itself_does_nothing(loaded: Load) -> None:
    with bench(loaded("gemma3"), "mlp.0", "mlp.1") as at:
        found = tried(at, (0, 3), (0, 3), (1, 7), 0.5)
        assert found.held[0] == pytest.approx(0, abs=1e-7)
        assert found.through[0] == pytest.approx(found.total[0])
