"""A dictionary is refused where it does not fit, with the cause if one change explains it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.check import check_dictionary
from glasso_cli.models.dictionaries.dictionary import Claims, Dictionary
from glasso_cli.models.dictionaries.hook_names import transformer_lens_hook

Planted = Callable[..., tuple[Dictionary, torch.Tensor]]


def test_the_numbers_are_those_of_the_formula(planted: Planted) -> None:
    dictionary, x = planted()
    check = check_dictionary(dictionary, x)
    z, out = dictionary.encode(x).double().numpy(), dictionary.reconstruct(x).double().numpy()
    y = x.double().numpy()
    fvu = np.square(y - out).sum() / np.square(y - y.mean(0)).sum()
    assert check.fvu == pytest.approx(fvu, rel=1e-5)
    assert check.fvu < 0.3
    assert check.l0 == pytest.approx((z > 0).sum(1).mean())
    np.testing.assert_array_equal(check.dead, np.flatnonzero((z > 0).sum(0) == 0))
    assert (check.tokens, check.bound, check.claimed_fvu) == (2000, 0.5, None)
    assert check_dictionary(dictionary, x).fvu == check.fvu


def test_latents_that_never_fire_are_dead(planted: Planted) -> None:
    dictionary, x = planted()
    silenced = dictionary.b_enc.clone()
    silenced[[3, 17]] = -1000.0
    dead = check_dictionary(replace(dictionary, b_enc=silenced), x).dead
    assert {3, 17} <= set(dead.tolist())


@pytest.mark.parametrize("factor", [0.02, 0.3, 3.7, 25.0])
def test_a_wrong_scale_is_found(planted: Planted, factor: float) -> None:
    dictionary, x = planted()
    with pytest.raises(InputError, match=r"unexplained, more than 0\.5") as caught:
        check_dictionary(dictionary, x * factor)
    assert "load it with scale=" in caught.value.hint
    scale = float(caught.value.hint.split("scale=")[1].split(";")[0])
    assert scale == pytest.approx(1 / factor, rel=0.2)
    assert check_dictionary(replace(dictionary, scale=scale), x * factor).fvu < 0.5


def test_a_wrong_subtraction_of_the_bias_is_found(planted: Planted) -> None:
    dictionary, x = planted()
    shifted = replace(dictionary, b_dec=dictionary.b_dec + 6.0, subtract_b_dec=False)
    with pytest.raises(InputError) as caught:
        check_dictionary(shifted, x + 6.0)
    assert "Subtract b_dec from the input" in caught.value.hint


def test_a_model_that_is_not_centred_is_found(planted: Planted) -> None:
    dictionary, x = planted()
    directions = dictionary.W_dec - dictionary.W_dec.mean(1, keepdim=True)
    offset = dictionary.b_dec - dictionary.b_dec.mean()
    centred = replace(dictionary, W_enc=directions.T.contiguous(), W_dec=directions, b_dec=offset)
    shift = 5 * torch.randn(len(x), 1, generator=torch.Generator().manual_seed(0))
    y = x - x.mean(1, keepdim=True)
    assert check_dictionary(centred, y).fvu < 0.3
    skewed = y + shift.abs() * torch.ones(64)
    with pytest.raises(InputError) as caught:
        check_dictionary(centred, skewed, bound=0.01)
    assert "mean over the coordinates" in caught.value.hint
    assert check_dictionary(replace(centred, centre=True), skewed).fvu < 0.3


def test_massive_tokens_are_found(planted: Planted) -> None:
    dictionary, x = planted()
    sinks = x.clone()
    sinks[::250] = torch.linspace(-3000, 3000, x.shape[1])
    sinks[::500] *= -1
    with pytest.raises(InputError) as caught:
        check_dictionary(dictionary, sinks)
    assert "massive norm" in caught.value.hint


def test_another_hook_point_has_no_remedy(planted: Planted) -> None:
    dictionary, x = planted()
    hook = transformer_lens_hook("blocks.9.hook_resid_post")
    elsewhere = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)) * 20
    with pytest.raises(InputError) as caught:
        check_dictionary(replace(dictionary, hook_in=hook, activation="topk", k=1), elsewhere)
    assert all(word in caught.value.hint for word in ("resid.9", "normalisation", "b_dec"))


def test_the_bound_follows_what_the_files_claim(planted: Planted) -> None:
    dictionary, x = planted()
    fvu = check_dictionary(dictionary, x).fvu
    honest = replace(dictionary, claims=Claims(fvu=fvu / 1.1, l0=3.0))
    check = check_dictionary(honest, x)
    assert check.bound == pytest.approx(1.2 * fvu / 1.1)
    assert check.claimed_l0 == 3.0
    with pytest.raises(InputError, match="what its files claim"):
        check_dictionary(replace(dictionary, claims=Claims(fvu=fvu / 1.3)), x)
    assert check_dictionary(replace(dictionary, claims=Claims(fvu=fvu / 1.3)), x, bound=0.9).bound == 0.9


def test_a_transcoder_is_compared_with_its_targets(planted: Planted) -> None:
    dictionary, x = planted()
    transcoder = replace(dictionary, transcoder=True, hook_out=transformer_lens_hook("blocks.9.hook_mlp_out"))
    with pytest.raises(InputError, match="is a transcoder") as caught:
        check_dictionary(transcoder, x)
    assert "*.9.mlp:out" in caught.value.hint
    assert check_dictionary(transcoder, x, x).fvu == pytest.approx(check_dictionary(dictionary, x).fvu)
    with pytest.raises(InputError, match="shapes"):
        check_dictionary(transcoder, x, x[1:])


def test_samples_that_cannot_be_measured_are_refused(planted: Planted) -> None:
    dictionary, x = planted()
    with pytest.raises(InputError, match="do not vary"):
        check_dictionary(dictionary, x[:1].expand(10, -1))
    for bad in (x[:1], x[:0], x[:, 1:], x[0]):
        with pytest.raises(InputError, match="shapes"):
            check_dictionary(dictionary, bad)
    broken = x.clone()
    broken[3, 4] = float("nan")
    with pytest.raises(InputError, match="not finite"):
        check_dictionary(dictionary, broken)
