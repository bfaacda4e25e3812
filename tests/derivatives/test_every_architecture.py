"""In every architecture, the closed form is the exact derivative or is refused in a sentence, as docs/influence.md says."""

from __future__ import annotations

import re

import pytest
from support.documents import ROOT
from support.networks_page import shown
from support.tiny_architectures import Architecture, tiny_model, word_tokenizer

from glasso_cli.derivatives.check import checked
from glasso_cli.derivatives.layout.pair import layer_pair
from glasso_cli.errors import InputError
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.models.encoder_decoder import DECODER, ENCODER
from glasso_cli.models.loaded import loaded_in_memory

PAGE = (ROOT / "docs" / "influence.md").read_text(encoding="utf-8")
KNOWN = re.findall(r"`([^`]+)`", PAGE.partition("<!-- known architectures -->")[2].partition("<!-- end -->")[0])


@pytest.mark.slow
@pytest.mark.parametrize("architecture", shown(), ids=str)
def test_it_is_exact_or_refused_as_the_page_says(architecture: Architecture) -> None:
    """The page names causal and masked models. Parts of encoder-decoders are exact or refused, too."""
    exact = is_exact(architecture)
    if architecture.kind in ("causal", "masked"):
        assert exact == (architecture.model_type in KNOWN)


def is_exact(architecture: Architecture) -> bool:
    try:
        part = DECODER if architecture.kind == DECODER else ENCODER  # of an encoder-decoder
        with loaded_in_memory(tiny_model(architecture), word_tokenizer(), part=part) as loaded:
            points = resolve_hook_points(loaded.model, ["mlp.0", "mlp.1"])
            found = checked(loaded, layer_pair(loaded, points[0], points[1]))
    except InputError:
        return False
    assert found.mean < 1e-5
    assert found.rms < 1e-4  # the root of a sum that can cancel
    return True


def test_the_page_names_each_architecture_once() -> None:
    assert len(KNOWN) == len(set(KNOWN)) > 90
    assert set(KNOWN) <= {architecture.model_type for architecture in shown()}
    assert f"these {len(KNOWN)} architectures" in PAGE
