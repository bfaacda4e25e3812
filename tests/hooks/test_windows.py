"""Windows of a corpus share batches only where that changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from glasso_cli.errors import InputError
from glasso_cli.hooks import record, resolve_hook_points
from glasso_cli.hooks.windows import lengths_can_mix
from glasso_cli.models.loaded import LoadedModel


def windows(*lengths: int) -> list[torch.Tensor]:
    return [torch.arange(n) % 40 + 5 for n in lengths]


def can_mix(loaded: LoadedModel, *lengths: int) -> bool:
    with record(loaded.model, resolve_hook_points(loaded.model, ["mlp.1", "resid.2"])) as recorder:
        return lengths_can_mix(loaded, recorder, windows(*lengths))


def test_sound_models_mix_any_lengths(family: LoadedModel) -> None:
    assert can_mix(family, 5, 90)
    assert can_mix(family, 20, 20)
    assert can_mix(family, 20)


@pytest.mark.parametrize(
    ("lengths", "mix"), [((5, 40), True), ((41, 90), True), ((40, 41), False), ((90, 5), False), ((90, 90), True)]
)
def test_longrope_mixes_windows_on_one_side_of_its_original_length(
    loaded: Callable[[str], LoadedModel], lengths: tuple[int, ...], mix: bool
) -> None:
    assert can_mix(loaded("phi3_longrope"), *lengths) is mix


def test_a_model_whose_rows_mix_is_refused(loaded: Callable[[str], LoadedModel]) -> None:
    llama = loaded("llama")
    layer = llama.model.model.layers[0]
    handle = layer.register_forward_hook(lambda _, args, output: output + output.mean(0, keepdim=True))
    with pytest.raises(InputError, match="a window of 5 tokens depend on what shares its batch"):
        can_mix(llama, 5, 90)
    handle.remove()
