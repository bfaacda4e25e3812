"""Which part of an encoder-decoder model patterns name."""

from __future__ import annotations

import pytest

from glasso_cli.errors import InputError
from glasso_cli.hooks.parts import part_named, patterns_in_part


def test_the_decoder_is_named_by_its_word() -> None:
    assert part_named(["mlp.1", "encoder.resid.*"]) == "encoder"
    assert part_named(["decoder.mlp.1"]) == "decoder"
    assert part_named(["decoders.mlp:in", ""]) == "encoder"


def test_the_word_is_taken_off_where_names_do_not_have_it() -> None:
    assert patterns_in_part("encoder", ["encoder.mlp.1", "layers.*.fc1:out"]) == ("mlp.1", "layers.*.fc1:out")
    named = ["decoder.mlp.1", "decoder.head.*.2", "decoder.mlp.3#2", "decoder.layers.0.fc1:out", "decoder.mlp.wo:in"]
    assert patterns_in_part("decoder", named) == ("mlp.1", "head.*.2", "mlp.3#2", *named[3:])
    assert patterns_in_part("causal", ["decoder.mlp.1"]) == ("decoder.mlp.1",)


@pytest.mark.parametrize(
    ("kind", "other"), [("encoder", "decoder.mlp.1"), ("decoder", "encoder.mlp.1"), ("decoder", "mlp.1")]
)
def test_a_place_in_the_other_part_is_refused(kind: str, other: str) -> None:
    with pytest.raises(InputError, match=f"'{other}' is in the .*, but the {kind} is read") as caught:
        patterns_in_part(kind, [f"{kind}.mlp.0", other])
    assert "before every hook point" in caught.value.hint
