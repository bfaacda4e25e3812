"""The artifact holds what was found, and says which levels were refused."""

from __future__ import annotations

import numpy as np
from support import planted_corpora

from glasso_cli.report.words.structure import one_line, structure_summary
from glasso_cli.scoring.structure.assemble import structure_artifact
from glasso_cli.scoring.structure.scores import structure_scores

STATS = planted_corpora.statistics(
    planted_corpora.tokens_of(np.eye(12) + 0.2 * np.eye(12, k=1) + 0.2 * np.eye(12, k=-1), 32, 6, 0)
)
WORDS = planted_corpora.corpus(
    "words", STATS, planted_corpora.FIT.model_copy(update={"min_effect": 0.0, "variance": "normal"})
)


def test_levels_and_sums_are_those_found() -> None:
    found = structure_scores(STATS, WORDS.fit, planted_corpora.FIT, subsets=3)
    made = structure_artifact(found, WORDS.fit, STATS.n_effective, 16, "words")
    strength = made.names.tolist().index("strength")
    np.testing.assert_array_equal(made.values[strength], found.named("strength").values)
    np.testing.assert_array_equal(made.community_sums[strength], found.named("strength").communities)
    assert made.correlations.shape == (len(made.names), 7)
    assert found.stability is not None
    half = found.stability.levels[4]
    assert made.correlations[strength, 4] == np.min(half.pearson["strength"])
    assert made.metrics.subsets == 3
    lines = dict(structure_summary(made.metrics))
    assert "of the documents can be dropped (ranks: " in lines["stability of strength"]
    assert "12 neurons" in one_line(made.metrics)
    # one layer alone: no strength between layers, so no ranking
    assert lines["stability of between_layers"].startswith("not defined")


def test_too_few_tokens_for_any_level_are_said() -> None:
    from dataclasses import replace

    from glasso_cli.artifacts.metrics import to_json

    few = replace(STATS.metrics, n_effective=replace(STATS.metrics.n_effective, median=5.0))
    stats = replace(STATS, meta={**STATS.meta, "metrics": to_json(few)})
    lasso = planted_corpora.corpus(
        "words", stats, planted_corpora.FIT.model_copy(update={"estimate": "lasso", "variance": "normal"})
    )
    found = structure_scores(stats, lasso.fit, planted_corpora.FIT, subsets=3)
    made = structure_artifact(found, lasso.fit, stats.n_effective, 16, "words")
    assert len(made.metrics.refused) == 7
    assert np.isnan(made.coefficients).all()
    assert "5 effective tokens are fewer than the 12 neurons" in dict(structure_summary(made.metrics))["stability"]
