"""In every architecture, a short form reads the right tensor or is refused: none reads a wrong one without a word.

What is right where is the table of docs/networks.md. The proofs are of another kind than the package's: see
:mod:`support.proofs`.
"""

from __future__ import annotations

import re

import pytest
from support.networks_page import (
    CANNOT_BE_BUILT,
    ENCODER_DECODERS,
    NO_ENCODER_DECODERS,
    TABLE,
    row,
    shown,
    table,
)
from support.tiny_architectures import Architecture, architectures, tiny_model, word_tokenizer

from glasso_cli.hooks import resolve_hook_points
from glasso_cli.models.loaded import loaded_in_memory

ROWS = TABLE.rows()


@pytest.mark.slow
@pytest.mark.parametrize("architecture", shown(), ids=str)
def test_a_short_form_is_right_or_refused_as_the_page_says(architecture: Architecture) -> None:
    made = row(architecture)
    assert made == ROWS.get(made[0]), "run `make networks`"


@pytest.mark.slow
@pytest.mark.parametrize("name", CANNOT_BE_BUILT)
def test_an_architecture_without_a_row_cannot_be_built(name: str) -> None:
    (architecture,) = (item for item in architectures() if str(item) == name)
    with pytest.raises(Exception, match=re.escape(CANNOT_BE_BUILT[name])):
        tiny_model(architecture)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_of_an_encoder_decoder_the_encoder_is_read(name: str) -> None:
    (architecture,) = (item for item in architectures() if str(item) == name)
    with loaded_in_memory(tiny_model(architecture), word_tokenizer()) as loaded:
        assert loaded.kind == "encoder"
        (point,) = resolve_hook_points(loaded.model, ["mlp.1"])
        assert point.name == "layers.1.fc2:in"


@pytest.mark.slow
def test_encoder_decoders_without_a_row_are_none() -> None:
    listed = {str(item): item.config().is_encoder_decoder for item in architectures() if item.kind == "encoder"}
    assert [name for name, is_one in listed.items() if not is_one] == list(NO_ENCODER_DECODERS)


def test_every_architecture_has_its_row() -> None:
    assert list(ROWS) == [f"{item.model_type} ({item.kind})" for item in shown()], "run `make networks`"


def test_the_page_counts_its_rows() -> None:
    assert TABLE.parts()[1] == table(list(ROWS.values())), "run `make networks`"


def test_nine_of_ten_architectures_have_neurons() -> None:
    either = [entries for entries in ROWS.values() if {entries[1][:5], entries[4][:5]} & {"right", "layer"}]
    assert len(either) >= 0.9 * len(ROWS)
