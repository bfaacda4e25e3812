"""A transcoder that copies an MLP of ReLU neurons has their statistics; its fit is measured at the output of the MLP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.latents import as_saelens, write_parts, write_transcoder
from support.tiny_models import TEXT

from glasso_cli.artifacts import ActivationStats
from glasso_cli.collection.run import collect_corpus
from glasso_cli.config import CollectSection
from glasso_cli.errors import InputError
from glasso_cli.models.loaded import LoadedModel

IN, OUT = "model.decoder.layers.1.fc1:in", "model.decoder.layers.1.fc2:out"
SAE = {"hook_point": IN, "output": OUT, "least_documents": 5}

pytestmark = pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")


@pytest.fixture
def model(loaded: Callable[[str], LoadedModel]) -> LoadedModel:
    """OPT, whose MLPs have ReLU neurons."""
    return loaded("opt")


@pytest.fixture
def mlp(model: LoadedModel) -> dict[str, np.ndarray]:
    layer = model.model.get_submodule("model.decoder.layers.1")
    first, second = (layer.get_submodule(name) for name in ("fc1", "fc2"))
    weights: list[Any] = [first.weight.T, first.bias, second.weight.T, second.bias]
    return dict(zip(("W_enc", "b_enc", "W_dec", "b_dec"), (each.detach().numpy() for each in weights)))


def collected(model: LoadedModel, **settings: Any) -> ActivationStats:
    random = np.random.default_rng(5)
    texts = [" ".join(random.choice(TEXT.split(), 20)) for _ in range(24)]
    shared = {"blocks": 4, "lags": 4, "mask": {"massive": None}}
    return collect_corpus(model, texts, CollectSection.model_validate({**shared, **settings}))


def test_its_latents_are_the_neurons_of_the_mlp(model: LoadedModel, mlp: dict[str, np.ndarray], tmp_path: Path) -> None:
    found = collected(model, sae={"file": str(write_transcoder(tmp_path / "copy", mlp)), **SAE})
    check = found.metrics.invariants["dictionary"]
    assert check["fvu"] < 1e-10
    assert check["width"] == 48
    names = [name.replace("sae", "mlp") for name in found.neuron_ids.tolist()]
    assert len(names) == 48 - check["left_out"] > 20
    neurons = collected(model, hook_points=["mlp.1"], neurons=names)
    assert neurons.neuron_ids.tolist() == names
    for name in ("mean", "std", "autocorrelation", "counts", "kurtosis"):
        np.testing.assert_allclose(getattr(found, name), getattr(neurons, name), rtol=2e-4, atol=1e-5, err_msg=name)
    scale = neurons.covariance().max()
    np.testing.assert_allclose(found.covariance(), neurons.covariance(), atol=1e-6 * scale)


def test_a_skip_connection_is_part_of_the_prediction(
    model: LoadedModel, mlp: dict[str, np.ndarray], tmp_path: Path
) -> None:
    nothing = collected(model, sae={"file": str(write_transcoder(tmp_path / "none", mlp, skip=0.0)), **SAE})
    assert nothing.metrics.invariants["dictionary"]["fvu"] < 1e-10
    with pytest.raises(InputError, match=r"unexplained, more than 0\.5"):
        collected(model, sae={"file": str(write_transcoder(tmp_path / "much", mlp, skip=3.0)), **SAE})


def test_a_token_is_massive_by_its_norm_at_either_hook_point(
    model: LoadedModel, mlp: dict[str, np.ndarray], tmp_path: Path
) -> None:
    mask = {"mask": {"massive": 1.1}, "pilot_tokens": 10_000}
    found = collected(model, sae={"file": str(write_transcoder(tmp_path, mlp)), **SAE}, **mask)
    assert found.metrics.tokens == collected(model, hook_points=[IN, OUT], **mask).metrics.tokens
    assert found.metrics.tokens.massive > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"output": "resid.1"}, r"unexplained, more than 0\.5"),
        ({"output": IN}, "would predict the hook point that it reads"),
        ({"output": None}, "that the transcoder .* predicts is not known here"),
        ({"output": "mlp.1"}, "predicts 32 coordinates a token, but 'layers.1.mlp' has 48"),
        ({"output": "resid.*"}, "names 3 hook points, but a dictionary predicts one"),
        ({"hook_point": "resid.*"}, "names 3 hook points, but a dictionary reads one"),
    ],
)
def test_a_wrong_output_is_refused(
    model: LoadedModel, mlp: dict[str, np.ndarray], tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        collected(model, sae={"file": str(write_transcoder(tmp_path, mlp)), **SAE, **change})


def test_an_autoencoder_has_no_output(model: LoadedModel, tmp_path: Path) -> None:
    file = str(as_saelens(write_parts(tmp_path, 32)))
    with pytest.raises(InputError, match="output is for transcoders"):
        collected(model, sae={"file": file, "output": OUT})
