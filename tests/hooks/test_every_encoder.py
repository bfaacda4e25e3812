"""In every architecture of images and sounds, a short form reads the right tensor or is refused.

What is right where is a table of docs/networks.md. The proofs are of another kind than the package's: see
:mod:`support.encoder_proofs`.
"""

from __future__ import annotations

import re

import pytest
from support.encoders_page import CANNOT_BE_BUILT, TABLE, row, shown, table
from support.tiny_architectures import Architecture
from support.tiny_encoders import documents, encoders, tiny_network

ROWS = TABLE.rows()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("architecture", shown(), ids=str)
def test_a_short_form_is_right_or_refused_as_the_page_says(architecture: Architecture) -> None:
    made = row(architecture)
    assert made == ROWS.get(made[0]), "run `make networks`"


@pytest.mark.slow
@pytest.mark.parametrize("name", CANNOT_BE_BUILT)
def test_an_architecture_without_a_row_cannot_be_built(name: str) -> None:
    (architecture,) = (item for item in encoders() if str(item) == name)
    with pytest.raises(Exception, match=re.escape(CANNOT_BE_BUILT[name])):
        documents(tiny_network(architecture))


def test_every_architecture_has_its_row() -> None:
    assert list(ROWS) == [f"{item.model_type} ({item.kind})" for item in shown()], "run `make networks`"


def test_the_page_counts_its_rows() -> None:
    assert TABLE.parts()[1] == table(list(ROWS.values())), "run `make networks`"
