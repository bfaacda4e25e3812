"""Formats are told apart by their files, and what is incomplete or damaged is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.registry import FORMATS, load_dictionary

Arrays = dict[str, np.ndarray]
Written = Callable[..., Path]


@pytest.fixture
def each(folder: Written, random_weights: Callable[..., Arrays]) -> Callable[..., Path]:
    """A sound dictionary of a format, with changes of its tensors."""

    def written(name: str, **changes: np.ndarray | None) -> Path:
        w = random_weights()
        plain = {key: w[key] for key in ("W_enc", "b_enc", "W_dec", "b_dec")}
        settings, weights, arrays = {
            "SAELens": (("cfg.json", {"d_in": 12, "d_sae": 40}), "sae_weights.safetensors", plain),
            "sparsify": (
                ("cfg.json", {"d_in": 12, "num_latents": 40, "k": 4}),
                "sae.safetensors",
                {
                    **{"encoder.weight": w["W_enc"].T, "encoder.bias": w["b_enc"]},
                    **{"W_dec": w["W_dec"], "b_dec": w["b_dec"]},
                },
            ),
            "dictionary_learning": (
                ("config.json", {"trainer": {"dict_class": "JumpReluAutoEncoder"}}),
                "ae.pt",
                {**plain, "threshold": w["threshold"]},
            ),
            "Gemma Scope": (None, "params.npz", {**plain, "threshold": w["threshold"]}),
        }[name]
        arrays = {key: value for key, value in {**arrays, **changes}.items() if value is not None}
        return folder(settings, weights, arrays)

    return written


each_format = pytest.mark.parametrize("name", FORMATS)


@each_format
def test_a_sound_dictionary_is_read(each: Callable[..., Path], name: str) -> None:
    first, second = load_dictionary(each(name)), load_dictionary(each(name))
    assert (first.d_in, first.width, first.d_out) == (12, 40, 12)
    assert torch.isfinite(first.encode(torch.ones(3, 12))).all()
    assert first.activation == second.activation


@each_format
def test_a_missing_tensor_is_named(each: Callable[..., Path], name: str) -> None:
    with pytest.raises(InputError, match="has no tensor W_dec"):
        load_dictionary(each(name, W_dec=None))


@each_format
def test_a_tensor_of_another_shape_is_named(each: Callable[..., Path], name: str) -> None:
    with pytest.raises(InputError, match=r"W_dec .* \(39, 12\)"):
        load_dictionary(each(name, W_dec=np.ones((39, 12), np.float32)))


@each_format
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_tensor_that_is_not_finite_is_named(each: Callable[..., Path], name: str, value: float) -> None:
    bad = np.ones(12, np.float32)
    bad[5] = value
    with pytest.raises(InputError, match=r"b_dec .* not finite"):
        load_dictionary(each(name, b_dec=bad))


@each_format
def test_a_tensor_that_it_does_not_know_is_refused(each: Callable[..., Path], name: str) -> None:
    with pytest.raises(InputError, match="W_extra"):
        load_dictionary(each(name, W_extra=np.ones((2, 2), np.float32)))


@each_format
def test_a_file_cut_anywhere_is_refused(each: Callable[..., Path], name: str) -> None:
    path = each(name) / FORMATS[name].weights
    whole = path.read_bytes()
    for length in [0, 1, 7, 8, 9, 100, len(whole) // 3, len(whole) // 2, len(whole) - 100, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError) as caught:
            load_dictionary(path.parent)
        assert caught.value.hint


@each_format
def test_a_pointer_in_place_of_the_weights_is_named(each: Callable[..., Path], name: str) -> None:
    path = each(name) / FORMATS[name].weights
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match="Git LFS pointer"):
        load_dictionary(path.parent)


@pytest.mark.parametrize("name", [name for name, kind in FORMATS.items() if kind.others])
@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"trainer": 3}', "\xff"])
def test_settings_that_cannot_be_read_are_refused(each: Callable[..., Path], name: str, text: str) -> None:
    path = each(name)
    (path / FORMATS[name].others[0]).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError):
        load_dictionary(path)


@pytest.mark.parametrize("name", [name for name, kind in FORMATS.items() if kind.others])
def test_weights_without_settings_are_refused(each: Callable[..., Path], name: str) -> None:
    path = each(name)
    (path / FORMATS[name].others[0]).unlink()
    with pytest.raises(InputError, match=FORMATS[name].others[0]):
        load_dictionary(path)


class _Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("pwned"),))  # type: ignore[return-value]


def test_a_pickle_that_wants_to_run_code_does_not(
    each: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = each("dictionary_learning")
    for written in (pickle.dumps(_Hostile(), protocol=2), pickle.dumps({"W_enc": _Hostile()}, protocol=2)):
        (path / "ae.pt").write_bytes(written)
        with pytest.raises(InputError, match="more than tensors"):
            load_dictionary(path)
    torch.save({"W_enc": _Hostile()}, path / "ae.pt")
    with pytest.raises(InputError, match="more than tensors"):
        load_dictionary(path)
    torch.save(torch.ones(3), path / "ae.pt")
    with pytest.raises(InputError, match="no state dict"):
        load_dictionary(path)
    assert not (tmp_path / "pwned").exists()


def test_an_npz_of_objects_is_refused(each: Callable[..., Path]) -> None:
    path = each("Gemma Scope")
    np.savez(path / "params.npz", W_enc=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="not an"):
        load_dictionary(path)


def test_folders_that_hold_none_or_several_say_what_to_give(each: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        load_dictionary(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no dictionary") as caught:
        load_dictionary(tmp_path / "empty")
    assert "params.npz" in caught.value.hint
    path = each("SAELens")
    with pytest.raises(InputError, match="no dictionary") as caught:
        load_dictionary(path.parent)
    assert str(path) in caught.value.hint
    each("Gemma Scope")
    with pytest.raises(InputError, match="several libraries"):
        load_dictionary(path)


def test_scale_and_hook_points_can_be_given(each: Callable[..., Path]) -> None:
    dictionary = load_dictionary(each("Gemma Scope"), hook_in="resid.4", scale=2.0, centre=True)
    assert dictionary.hook_in.point == dictionary.hook_out.point == "resid.4"
    assert (dictionary.scale, dictionary.centre) == (2.0, True)
    for scale in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="not a number above zero"):
            load_dictionary(each("Gemma Scope"), scale=scale)
