"""Effects of changed neurons on later ones, as `intervene` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glasso_cli.artifacts.artifact import Artifact, array, frame_of
from glasso_cli.artifacts.metrics import InterventionMetrics, metrics_of
from glasso_cli.artifacts.orientation import oriented
from glasso_cli.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

TABLE_ROWS = 100_000  # of a table without intervene.all_pairs


@dataclass(frozen=True, eq=False, repr=False)
class Interventions(Artifact):
    """Effects of S sources on T targets for C kinds of change, measured over D documents in B blocks.

    Effects are in standard deviations of the target, those of steps per standard deviation of the source. They have the
    model's own signs: a single neuron is raised, and a group is moved towards the heavier poles of its members. Standard errors
    are clustered by document.
    """

    kind: ClassVar[str] = "interventions"
    schema: ClassVar[int] = 1

    source_ids: np.ndarray = array("S", dtype="str")  # a neuron, or the name of a group
    source_orientation: np.ndarray = array("S", dtype="int8")  # 1 for groups
    source_std: np.ndarray = array("S", dtype="float64")  # nan for groups
    source_degrees: np.ndarray = array(
        "S", dtype="int32"
    )  # in the fitted graph; -1 where it was not read, and for groups
    source_write_norms: np.ndarray = array("S", dtype="float64")  # of what a standard deviation adds; nan if not known
    source_weights: np.ndarray = array("S", dtype="float64")  # how many neurons of its stratum a drawn one stands for
    member_ids: np.ndarray = array("M", dtype="str")  # the neurons of all sources, one source after the other
    member_sources: np.ndarray = array("M", dtype="int32")  # into the sources
    target_ids: np.ndarray = array("T", dtype="str")
    target_layers: np.ndarray = array("T", dtype="int32")
    target_orientation: np.ndarray = array("T", dtype="int8")
    target_std: np.ndarray = array("T", dtype="float64")
    changes: np.ndarray = array("C", dtype="str")
    counts: np.ndarray = array("B", dtype="int64")  # tokens
    documents: np.ndarray = array("B", dtype="int64")
    effects: np.ndarray = array("C", "S", "T", dtype="float32")  # mean over tokens
    errors: np.ndarray = array("C", "S", "T", dtype="float32")
    rms: np.ndarray = array("C", "S", "T", dtype="float32")  # root mean square over tokens
    rms_errors: np.ndarray = array("C", "S", "T", dtype="float32")
    p_values: np.ndarray = array("C", "S", "T", dtype="float64")  # against min_effect
    q_values: np.ndarray = array("C", "S", "T", dtype="float64")  # over all pairs of a kind of change
    block_sums: np.ndarray = array("C", "S", "B", "T", dtype="float32")  # of the effects at all tokens of a block
    block_squares: np.ndarray = array("C", "S", "B", "T", dtype="float32")
    outside_sources: np.ndarray = array("C", "S", dtype="float64")  # share of new values outside the clean range
    # steps of other sizes, for some sources; K or L = 0 without steps:
    linear_sources: np.ndarray = array("L", dtype="int32")  # into the sources
    linear_steps: np.ndarray = array("K", dtype="float64")  # in standard deviations
    linear_effects: np.ndarray = array("K", "L", "T", dtype="float32")
    linear_ratios: np.ndarray = array("K", "L", dtype="float64")  # of these slopes to those at delta, by least squares
    outside_targets: np.ndarray = array(
        "L", dtype="float64"
    )  # share of target values outside the clean range, at delta
    random_effects: np.ndarray = array("R", "T", dtype="float32")  # of random directions, per unit as a step is
    random_rms: np.ndarray = array("R", "T", dtype="float32")
    outputs: np.ndarray = array("O", dtype="str")
    output_effects: np.ndarray = array("C", "S", "O", dtype="float64")
    output_errors: np.ndarray = array("C", "S", "O", dtype="float64")
    block_outputs: np.ndarray = array("C", "S", "B", "O", dtype="float64")  # sums over tokens

    @cached_property
    def metrics(self) -> InterventionMetrics:
        """The metrics in ``meta``; raises :class:`InputError` where they were damaged or are of another version."""
        return metrics_of(InterventionMetrics, self.meta)

    def in_words(self) -> str:
        return f"{len(self.source_ids):,} sources, {len(self.target_ids):,} targets, {', '.join(self.changes.tolist())}"

    @property
    def found(self) -> np.ndarray:
        """Which pairs have an effect of more than ``min_effect`` at ``fdr``, ``(C, S, T)`` bool."""
        return self.q_values <= self.metrics.fdr

    def of_blocks(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and root mean square ``(C, S, T)`` over the blocks ``chosen``, indices or a mask ``(B,)``."""
        total = self.counts[chosen].sum()
        sums = self.block_sums[:, :, chosen].sum(axis=2, dtype=np.float64)
        squares = self.block_squares[:, :, chosen].sum(axis=2, dtype=np.float64)
        return sums / total, np.sqrt(squares / total)

    def pair_columns(self, *, everything: bool = False) -> dict[str, Any]:
        """The table of pairs, the strongest effects first: the found ones, at most ``TABLE_ROWS``, or all.

        Effects are oriented; times ``orientation``, they have the model's own signs.
        """
        turned = oriented(self)
        shown = np.ones(self.effects.shape, bool) if everything else self.found
        change, source, target = np.nonzero(shown)
        tested = turned.rms if everything else np.where(self._tests_rms[:, None, None], turned.rms, turned.effects)
        order = np.argsort(-np.abs(tested[change, source, target]), kind="stable")
        at = tuple(axis[order if everything else order[:TABLE_ROWS]] for axis in (change, source, target))
        with np.errstate(divide="ignore", invalid="ignore"):
            z = turned.effects[at] / self.errors[at]
        signs = np.where(self.changes == "step", 1, 0)[at[0]]
        own = np.where(signs > 0, self.source_orientation[at[1]], 1) * self.target_orientation[at[2]]
        return {
            "change": self.changes[at[0]],
            "source": self.source_ids[at[1]],
            "target": self.target_ids[at[2]],
            "effect": turned.effects[at],
            "standard_error": self.errors[at],
            "z": z,
            "rms": self.rms[at],
            "rms_standard_error": self.rms_errors[at],
            "p_value": self.p_values[at],
            "q_value": self.q_values[at],
            "orientation": own,
        }

    def pairs_frame(self, *, everything: bool = True) -> pd.DataFrame:
        """The pairs of source and target as a data frame: the columns of the stage's ``.csv``."""
        return frame_of(self.pair_columns(everything=everything))

    def source_of(self, name: str) -> int | None:
        """The index of the source called ``name``, or None."""
        found = np.flatnonzero(self.source_ids == name)
        return int(found[0]) if len(found) else None

    def target_of(self, name: str) -> int | None:
        """The index of the target called ``name``, or None."""
        found = np.flatnonzero(self.target_ids == name)
        return int(found[0]) if len(found) else None

    def require(self, name: str) -> tuple[int | None, int | None]:
        """The source and the target called ``name``; raises :class:`InputError` where it is neither."""
        found = self.source_of(name), self.target_of(name)
        if found == (None, None):
            raise InputError(
                f"'{name}' is neither a source nor a target of these interventions.",
                f"Name one such as {self.source_ids[0]}, or measure it: --set intervene.sources='[\"{name}\"]'.",
            )
        return found

    @property
    def _tests_rms(self) -> np.ndarray:
        """Which kinds of change are tested by their root mean square, ``(C,)`` bool."""
        return np.array([item.tested == "rms" for item in self.metrics.effects])
