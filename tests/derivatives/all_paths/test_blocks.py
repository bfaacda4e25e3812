"""Which layers between a source and its targets have a known layout."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from glasso_cli.derivatives.all_paths.blocks import chain_of
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.models.loaded import LoadedModel

pytestmark = pytest.mark.slow


def test_a_chain_has_all_layers_up_to_the_last_target(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("gemma3")
    source, middle, last = resolve_hook_points(model.model, ["mlp.0", "mlp.1", "mlp.2"])
    chain = chain_of(model, source, [last])
    assert chain is not None
    assert [block.path.rpartition(".")[2] for block in chain.blocks] == ["1", "2"]
    assert chain.targets == (1,)
    assert [block.written is None for block in chain.blocks] == [False, True]
    assert chain.written.weight == pytest.approx(1)
    both = chain_of(model, source, [last, middle])
    assert both is not None
    assert both.targets == (1, 0)


def test_other_hook_points_and_other_layouts_have_none(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("gemma3")
    source, stream, last = resolve_hook_points(model.model, ["mlp.0", "resid.1", "mlp.2"])
    assert chain_of(model, source, [stream]) is None
    assert chain_of(model, stream, [last]) is None
    parallel = loaded("gpt_neox")
    assert chain_of(parallel, *_ends(parallel)) is None


def _ends(model: LoadedModel) -> tuple:  # type: ignore[type-arg]
    source, target = resolve_hook_points(model.model, ["mlp.0", "mlp.1"])
    return source, [target]
