"""Latents that are collected are those of a direct encoding in float64, under their own numbers; and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.latents import as_saelens, parts_of, write_parts
from support.tiny_models import TEXT

from glasso_cli.artifacts import ActivationStats
from glasso_cli.collection.run import collect_corpus
from glasso_cli.config import CollectSection
from glasso_cli.console import GlassoWarning
from glasso_cli.engine import machine
from glasso_cli.errors import InputError
from glasso_cli.hooks import record, resolve_hook_points
from glasso_cli.models.loaded import LoadedModel, encode

D, WORDS = 32, TEXT.split()
MASSIVE = 1.2  # so that some tokens are
THRESHOLD = 3.0  # that few coordinates exceed

pytestmark = pytest.mark.filterwarnings("ignore::glasso_cli.console.GlassoWarning")


def documents(count: int = 24, words: int = 20) -> list[str]:
    random = np.random.default_rng(5)
    return [" ".join(random.choice(WORDS, words)) for _ in range(count)]


@dataclass(frozen=True)
class Latents:
    """Collects the latents of a dictionary over the residual stream of a tiny model."""

    model: LoadedModel
    folder: Path

    def collect(
        self, texts: list[str] | None = None, sae: dict[str, Any] | None = None, **more: Any
    ) -> ActivationStats:
        chosen = {"file": str(self.folder), "hook_point": "resid.1", "least_documents": 8, **(sae or {})}
        settings = {"blocks": 4, "lags": 4, "mask": {"massive": MASSIVE}, **more, "sae": chosen}
        section = CollectSection.model_validate(settings)
        return collect_corpus(self.model, documents() if texts is None else texts, section)

    def activations(self) -> list[np.ndarray]:
        """What the model has at the hook point, document by document, without the first token."""
        with record(self.model.model, resolve_hook_points(self.model.model, ["resid.1"])) as recorder:
            return [recorder.run(ids[None])[0][0, 1:].numpy() for ids in encode(self.model, documents())]


@pytest.fixture
def latents(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> Latents:
    return Latents(loaded("gemma3"), write_parts(tmp_path / "parts", D, THRESHOLD))


def test_moments_are_those_of_a_direct_encoding(latents: Latents) -> None:
    stats = latents.collect(pilot_tokens=10_000)
    x = latents.activations()
    norms = [np.linalg.norm(values, axis=1) for values in x]
    limit = MASSIVE * np.median(np.concatenate(norms))
    seen = [values[norm <= limit] for values, norm in zip(x, norms, strict=True)]
    encoded = [parts_of(values, THRESHOLD) for values in seen]
    fires = np.sum([(values > 0).any(axis=0) for values in encoded], axis=0)
    kept = np.flatnonzero(fires >= 8)
    assert 2 <= len(kept) < 3 * D
    assert stats.neuron_ids.tolist() == [f"layers.1.sae[{latent}]" for latent in kept]
    values = np.concatenate(encoded)[:, kept]
    assert stats.n_tokens == len(values)
    assert stats.metrics.tokens.massive > 0
    np.testing.assert_allclose(stats.mean, values.mean(axis=0), rtol=1e-4, atol=1e-5)
    covariance = np.cov(values.T, bias=True)
    np.testing.assert_allclose(stats.covariance(), covariance, rtol=0, atol=1e-5 * covariance.max())
    assert (stats.orientation == 1).all()
    assert set(stats.layers.tolist()) == {1}
    found = stats.metrics.invariants["dictionary"]
    assert (found["width"], found["left_out"], found["scale"]) == (3 * D, 3 * D - len(kept), 1.0)
    assert found["fvu"] < 1e-6
    assert found["l0"] == pytest.approx((np.concatenate(encoded) > 0).sum(axis=1).mean(), rel=1e-6)
    assert len(found["sha256"]) == 64


def test_the_mask_takes_its_norms_at_the_hook_point(latents: Latents) -> None:
    with pytest.warns(GlassoWarning):  # that the basis of the residual stream is arbitrary
        neurons = collect_corpus(
            latents.model,
            documents(),
            CollectSection.model_validate({"hook_points": ["resid.1"], "blocks": 4, "mask": {"massive": MASSIVE}}),
        )
    assert latents.collect().metrics.tokens == neurons.metrics.tokens


def test_nothing_is_said_of_an_arbitrary_basis(latents: Latents, recwarn: pytest.WarningsRecorder) -> None:
    latents.collect()
    assert not [item for item in recwarn if "basis" in str(item.message)]


@pytest.mark.slow
def test_neurons_choose_among_the_latents_that_are_kept(latents: Latents) -> None:
    every = latents.collect()
    some = latents.collect(neurons=["layers.1.sae[33]", "layers.1.sae[2]"])
    assert some.neuron_ids.tolist() == ["layers.1.sae[2]", "layers.1.sae[33]"]
    places = [every.neuron_ids.tolist().index(name) for name in some.neuron_ids.tolist()]
    np.testing.assert_allclose(some.covariance(), every.covariance()[np.ix_(places, places)], atol=1e-6)
    strongest = latents.collect(neurons=5)
    assert len(strongest.neuron_ids) == 5
    assert set(strongest.neuron_ids) <= set(every.neuron_ids)


@pytest.mark.slow
def test_contexts_and_shifted_latents_come_as_for_neurons(latents: Latents) -> None:
    stats = latents.collect(null=True)
    assert stats.null_covariance() is not None
    context = stats.contexts("layers.1.sae[2]")
    assert context is not None


def test_a_scale_is_given(latents: Latents) -> None:
    given, plain = latents.collect(sae={"scale": 2.0}), latents.collect()
    np.testing.assert_allclose(given.mean[:4], 2 * plain.mean[:4], rtol=1e-4)
    assert given.metrics.invariants["dictionary"]["scale"] == 2.0


def test_a_scale_that_is_not_in_the_files_is_taken_from_the_sample(latents: Latents) -> None:
    """The files of SAELens also name the hook point."""
    folder = as_saelens(latents.folder, normalize_activations="expected_average_only_in")
    stats = latents.collect(sae={"file": str(folder), "hook_point": None}, pilot_tokens=10_000, mask={"massive": None})
    norm = np.linalg.norm(np.concatenate(latents.activations()).astype(np.float64), axis=1).mean()
    assert stats.metrics.invariants["dictionary"]["scale"] == pytest.approx(np.sqrt(D) / norm, rel=1e-5)


def test_hook_points_may_say_what_the_files_say_and_nothing_else(latents: Latents) -> None:
    sae = {"file": str(as_saelens(latents.folder)), "hook_point": None}
    assert latents.collect(sae=sae, hook_points=["resid.1"]).layers[0] == 1
    with pytest.raises(InputError, match=r"hook_points names 'resid\.0', but .* was trained at .*resid\.1"):
        latents.collect(sae=sae, hook_points=["resid.0"])
    wrongly_named = latents.collect(sae={**sae, "hook_point": "resid.0"}, hook_points=["resid.0"])
    assert wrongly_named.layers[0] == 0


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sae": {"least_documents": 500}}, r"None of the 96 latents fires in 500 of 24 documents or more"),
        ({"neurons": ["layers.1.sae[2]"]}, "names one latent"),
        ({"neurons": ["layers.1.sae[2]", "layers.1.sae[96]"]}, "There is no neuron 'layers.1.sae.96.'"),
        ({"sae": {"hook_point": "mlp.1"}}, "reads 32 coordinates a token, but 'layers.1.mlp' has 48"),
        ({"sae": {"hook_point": "resid.*"}}, "names 3 hook points, but a dictionary reads one"),
        ({"sae": {"hook_point": None}}, "hook point of the dictionary .* is not known here"),
        ({"sae": {"hook_point": None}, "hook_points": ["resid.*"]}, "names 3 hook points, but a dictionary reads one"),
        ({"sae": {"file": "nowhere"}}, "There is no dictionary nowhere"),
    ],
)
def test_what_cannot_be_collected_is_refused(latents: Latents, more: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        latents.collect(**more)


def test_a_latent_that_was_left_out_is_named(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> None:
    silent = Latents(loaded("gemma3"), write_parts(tmp_path, D))
    with pytest.raises(InputError, match=r"'layers\.1\.sae\[70\]' fires in 0 of 24 documents, fewer than the 8"):
        silent.collect(neurons=["layers.1.sae[2]", "layers.1.sae[70]"])


def test_a_dictionary_that_does_not_fit_is_refused(loaded: Callable[[str], LoadedModel], tmp_path: Path) -> None:
    wrong = Latents(loaded("gemma3"), write_parts(tmp_path, D, decoder=-1.0))
    with pytest.raises(InputError, match=r"of these activations unexplained, more than 0\.5"):
        wrong.collect()


def test_more_latents_than_memory_holds_are_refused(latents: Latents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 10_000)
    with pytest.raises(InputError, match=r"Collecting \d+ of \d+ latents takes about .* of memory") as caught:
        latents.collect()
    assert "collect.sae.least_documents" in caught.value.hint
