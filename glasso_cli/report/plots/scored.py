"""What the pictures of scores are about."""

from __future__ import annotations

from dataclasses import dataclass

from glasso_cli.artifacts import Scores
from glasso_cli.config import VisualizeSection

NAMES = {
    "plain": "attribution, plain",
    "frozen": "attribution, frozen",
    "integrated": "attribution, integrated",
    "plain_absolute": "absolute attribution, plain",
    "frozen_absolute": "absolute attribution, frozen",
    "integrated_absolute": "absolute attribution, integrated",
    "write_norm": "write norm",
    "mean_abs": "mean absolute activation",
    "random": "random",
    "matched": "random, matched",
}


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores with how they are drawn; ``title`` names model and corpus."""

    scores: Scores
    section: VisualizeSection
    title: str

    @property
    def key(self) -> str:
        return str(self.scores.meta.get("key", ""))

    @property
    def subject(self) -> str:
        metrics = self.scores.metrics
        return (
            f"{self.title} · {metrics.neurons:,} neurons at {len(metrics.hook_points)} hook points · {metrics.scalar} · "
            f"{metrics.held_out.tokens:,} tokens of {metrics.held_out.documents:,} held-out documents"
        )


def called(name: str) -> str:
    """What a ranking is called in pictures."""
    return NAMES.get(name, name.replace("_", " "))
