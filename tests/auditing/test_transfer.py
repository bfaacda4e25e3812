"""Scores from other texts: their unit, the effects measured there, and neurons that are not among them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from glasso_cli.auditing.scores import LeftOut, Score
from glasso_cli.auditing.transfer import OtherTexts
from glasso_cli.errors import InputError

IDS = np.array([f"layers.{layer}.mlp[{place}]" for layer in (0, 1) for place in range(3)])
SOURCES, TARGETS = np.array([2, 0]), np.array([3, 5])


def stats(std: list[float], ids: np.ndarray = IDS) -> Any:
    return SimpleNamespace(neuron_ids=ids, std=np.array(std), dead=np.array(std) == 0)


def effects(sources: np.ndarray = IDS[:3]) -> Any:
    texts = SimpleNamespace(tokens=50, sample="token", corpus="films")
    values = np.arange(2 * 3 * 3, dtype=np.float32).reshape(2, 3, 3)
    metrics = SimpleNamespace(source="layers.0.mlp", texts=texts)
    changes = np.array(["step", "mean"])
    return SimpleNamespace(
        source_ids=sources, target_ids=IDS[3:], changes=changes, effects=values, rms=2 * values, metrics=metrics
    )


def found(measured: Any, label: str = "layers.0.mlp") -> list[Score | LeftOut]:
    other = OtherTexts("films", stats([1.0] * 6), measured)
    return list(other.effects(IDS[SOURCES].tolist(), IDS[TARGETS].tolist(), label))


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (("step", "mean"), [[6 / 2, 6 / 4], [1 / 2, 1 / 4]]),  # per standard deviation of the source
        (("mean", "rms"), [[1 / 2, 1 / 4], [1 / 2, 1 / 4]]),
        (None, [[1, 1], [1, 1]]),
    ],
)
def test_scores_get_the_unit_of_the_effects(unit: tuple[str, str] | None, expected: list[list[float]]) -> None:
    own, there = stats([1.0, 1.0, 0.5, 1.0, 1.0, 0.5]), stats([1.0, 1.0, 3.0, 2.0, 1.0, 2.0])
    score = OtherTexts("films", there).in_unit(
        Score("a", "influence", np.ones((2, 2)), unit=unit), own, SOURCES, TARGETS
    )
    np.testing.assert_allclose(score.values, expected)


def test_effects_there_are_scores_in_the_order_of_the_pairs() -> None:
    made = found(effects())
    assert [item.name for item in made if isinstance(item, Score)] == [
        f"effects on films, {change}, {statistic}" for change in ("step", "ablation") for statistic in ("mean", "rms")
    ]
    first, root = made[0], made[3]
    assert isinstance(first, Score)
    assert isinstance(root, Score)
    np.testing.assert_array_equal(first.values, [[6, 8], [0, 2]])
    np.testing.assert_array_equal(root.values, [[30, 34], [18, 22]])
    assert (first.sign_of, first.unit, root.sign_of, root.unit) == ("step", ("step", "mean"), "", ("mean", "rms"))


def test_effects_of_other_neurons_are_left_out() -> None:
    reasons = [
        item.reason
        for items in (found(None), found(effects(IDS[:2])), found(effects(), "layers.7.mlp"))
        for item in items
        if isinstance(item, LeftOut)
    ]
    assert [reason.split(" are")[0].split(":")[0] for reason in reasons] == [
        "there", "other neurons were changed there", "other neurons were changed there"
    ]  # fmt: skip


def test_a_changed_neuron_must_vary_on_the_texts_of_the_scores() -> None:
    other = OtherTexts("films", stats([1.0] * 6))
    other.refuse_unknown(stats([1.0] * 6), IDS[:3].tolist())
    for own in (stats([1.0, 1.0, 0.0, 1.0, 1.0, 1.0]), stats([1.0] * 2, IDS[:2])):
        with pytest.raises(
            InputError, match=r"'layers.0.mlp\[2\]' was changed, and it was not collected from the texts of films"
        ):
            other.refuse_unknown(own, IDS[:3].tolist())
