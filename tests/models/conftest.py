"""Tiny random models for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tiny_models import FAMILIES, loaded, make_tokenizer, model_dir, one_thread, tokenizers

from glasso_cli.models import LoadedModel

__all__ = ["loaded", "make_tokenizer", "model_dir", "one_thread", "tokenizers"]


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, loaded: Callable[[str], LoadedModel]) -> LoadedModel:
    """Each family's tiny model in turn."""
    return loaded(request.param)
