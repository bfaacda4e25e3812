"""Which fields of the configuration make which stage run again, stage by stage."""

from __future__ import annotations

import pytest
from support.field_values import OTHER_VALUE, RUNTIME, with_value

from glasso_cli.config import Config
from glasso_cli.pipeline.run import STAGES
from glasso_cli.pipeline.stage import stage_named

READ_BY = {
    "name": set(),
    "out": set(),
    "seed": {"synth", "collect"},
    "model": {"collect"},
    "corpora": {"collect"},
    "synth": {"synth"},
    "collect": {"collect"},
    "fit": {"fit"},
    "visualize": {"visualize"},
    "compare": {"compare"},
    "intervene": {"intervene"},
    "influence": {"influence"},
    "score": {"score"},
    "audit": {"audit"},
    "structure": {"structure"},
    "pathways": {"pathways"},
    "engine": set(),
}
# Files are known by what is in them, which the stage pins, not by where they are.
BY_CONTENT = {
    *(("corpora", "NAME", name) for name in ("files", "arrays", "images")),
    ("model", "weights"),
    ("collect", "sae", "file"),
}

OF_THE_PAGE = {("visualize", "explorer"), ("visualize", "explorer_mb")}


def changed_stages(before: Config, after: Config) -> set[str]:
    """The stages that see a difference between two configurations."""
    stages = {stage: stage_named(stage) for stage in STAGES}
    return {name for name, stage in stages.items() if stage.settings(before, "NAME") != stage.settings(after, "NAME")}


@pytest.mark.parametrize("loc", OTHER_VALUE, ids=".".join)
def test_a_field_runs_the_stages_that_read_it(loc: tuple[str, ...]) -> None:
    changed = changed_stages(with_value(loc), with_value(loc, OTHER_VALUE[loc]))
    if loc in RUNTIME or loc in BY_CONTENT or loc == ("compare", "contexts"):
        assert changed == set()
    else:
        expected = {"explorer"} if loc in OF_THE_PAGE else READ_BY[loc[0]]
        assert changed >= expected
        # What is only for pictures never costs a pass of the model, a fit or a comparison.
        assert loc[0] != "visualize" or changed == expected
        assert loc[0] != "fit" or "collect" not in changed


def test_every_part_of_the_configuration_is_read_by_some_stage_or_none_on_purpose() -> None:
    assert set(READ_BY) == set(Config.model_fields)


def test_the_contexts_of_a_comparison_are_only_drawn() -> None:
    config, stage = with_value(("compare", "contexts")), stage_named
    two = config.model_copy(update={"corpora": {"a": config.corpora["NAME"], "b": config.corpora["NAME"]}})
    more = two.model_copy(update={"compare": two.compare.model_copy(update={"contexts": 3})})
    assert more.compare.contexts != two.compare.contexts
    assert stage("compare").settings(two, "a-vs-b") == stage("compare").settings(more, "a-vs-b")
    assert stage("visualize").settings(two, "a-vs-b") != stage("visualize").settings(more, "a-vs-b")
    assert stage("visualize").settings(two, "a") == stage("visualize").settings(more, "a")
