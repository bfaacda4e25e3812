"""What a configuration of a model says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from glasso_cli.models.folder import model_kind


@pytest.mark.parametrize("written", [1_000_000_000, "BertForMaskedLM", [7, "BertForMaskedLM"], {"a": 1}, None])
def test_a_field_of_classes_may_hold_anything(written: Any) -> None:
    from transformers import BertConfig

    config = BertConfig()
    config.architectures = written
    assert model_kind("x", config) == "masked"
