"""From sums by document to scores with errors, rank correlations and areas: the artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glasso_cli.artifacts import Scores
from glasso_cli.artifacts.metrics import ScoreMetrics, to_json
from glasso_cli.artifacts.metrics.scores import FormMeasured, MissedNeurons, TextsScored
from glasso_cli.config import ScoreSection
from glasso_cli.inference.ablation_curves import AREAS, Curves, judged
from glasso_cli.inference.document_means import clustered
from glasso_cli.scoring.clean import Neurons
from glasso_cli.scoring.gradients.attribution import ByDocument
from glasso_cli.scoring.gradients.slopes import SlopeSums
from glasso_cli.scoring.ranks import Estimate, rank_correlation, share_above, spearman


@dataclass(frozen=True, eq=False)
class Known:
    """What other stages say of neurons, by their ids: communities of the fit, and further scores by name."""

    communities: Mapping[str, int]
    scores: Mapping[str, Mapping[str, float]]

    def arrays(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """The further scores of the neurons ``ids (P,)``, nan where there is none."""
        return {
            name: np.array([values.get(neuron, np.nan) for neuron in ids.tolist()])
            for name, values in self.scores.items()
        }


@dataclass(frozen=True, eq=False)
class Measured:
    """Neurons ``chosen (N,)`` that were ablated one by one, which are ``drawn`` at random, and the changes ``(N, M)``."""

    chosen: np.ndarray
    drawn: np.ndarray
    sums: np.ndarray
    replayed: float | None


@dataclass(frozen=True, eq=False)
class Found:
    """All that was measured."""

    neurons: Neurons
    attributed: dict[str, ByDocument]
    held_out: dict[str, ByDocument]
    measured: Measured
    curves: dict[str, dict[str, np.ndarray]]
    frozen_error: float | None
    slopes: SlopeSums | None  # None for a scalar without a slope at the clean network
    held: tuple[str, ...]  # labels of hook points
    blocks: int  # of documents


def artifact(found: Found, known: Known, section: ScoreSection, kind: str, name: str, seed: int) -> Scores:
    """The artifact, with its metrics."""
    neurons, measured = found.neurons, found.measured
    forms = list(found.attributed)
    means, errors = zip(*(clustered(made.sums, made.counts) for made in found.attributed.values()))
    counts = found.held_out[forms[0]].counts
    effects, effect_errors = clustered(measured.sums.T, counts)
    others = known.arrays(neurons.ids)
    curves = _curves(found, section, len(counts), seed)
    metrics = ScoreMetrics(
        kind=kind,
        scalar=section.scalar,
        rises=section.rises,
        hook_points=tuple(point.label for point in neurons.points),
        baseline=section.baseline,
        order=section.order,
        neurons=len(neurons.ids),
        attributed=_texts(found.attributed[forms[0]]),
        held_out=_texts(found.held_out[forms[0]]),
        clean=float(curves["clean"].sum() / counts.sum()) if curves["ablations"].size else None,
        everything={
            kind: float(sums.sum() / counts.sum())
            for kind, sums in zip(curves["ablations"].tolist(), curves["everything"])
        },
        forms=tuple(_form(found, form, section, seed) for form in forms),
        missed=_missed(found, section, effects),
        replay_difference=measured.replayed,
        frozen_error=found.frozen_error,
        held=found.held,
    )
    return Scores(
        meta={"corpus": name, "metrics": to_json(metrics)},
        neuron_ids=neurons.ids,
        layers=np.array(
            [-1 if neurons.points[of].layer is None else neurons.points[of].layer for of in neurons.point_of.tolist()],
            np.int32,
        ),
        points=neurons.point_of.astype(np.int32),
        mean=neurons.mean,
        std=neurons.std,
        mean_abs=neurons.mean_abs,
        write_norms=neurons.write_norms,
        communities=np.array([known.communities.get(neuron, -1) for neuron in neurons.ids.tolist()], np.int32),
        forms=np.array(forms),
        attributions=np.stack(means),
        errors=np.stack(errors),
        absolute=np.stack([made.absolute.sum(axis=0) / made.counts.sum() for made in found.attributed.values()]),
        held_out_attributions=np.stack([made.sums.sum(axis=0) / made.counts.sum() for made in found.held_out.values()]),
        structure_names=np.array(list(others), dtype=np.str_),
        structure=np.stack(list(others.values())) if others else np.zeros((0, len(neurons.ids))),
        counts=counts,
        measured=measured.chosen.astype(np.int32),
        drawn=measured.drawn,
        effects=effects,
        effect_errors=effect_errors,
        document_effects=measured.sums,
        document_attributions=np.stack([made.sums[:, measured.chosen].T for made in found.held_out.values()]),
        **curves,
        **({} if found.slopes is None else found.slopes.arrays(found.blocks)),
    )


def _texts(made: ByDocument) -> TextsScored:
    return TextsScored(int((made.counts > 0).sum()), int(made.counts.sum()))


# -- rank correlations ----------------------------------------------------------------------------------


def _form(found: Found, form: str, section: ScoreSection, seed: int) -> FormMeasured:
    measured, made, held = found.measured, found.attributed[form], found.held_out[form]
    here, sums = held.sums[:, measured.chosen].T, measured.sums
    everyone = _correlation(here, sums, held.counts, seed)
    drawn = _correlation(here[measured.drawn], sums[measured.drawn], held.counts, seed)
    before = made.sums.sum(axis=0) / made.counts.sum()
    size = np.abs(sums.sum(axis=1))
    same = np.sign(here.sum(axis=1)) == np.sign(sums.sum(axis=1))
    return FormMeasured(
        form=form,
        total=float(before.sum()),
        spearman=_finite(everyone.value),
        spearman_low=_finite(everyone.low),
        spearman_high=_finite(everyone.high),
        sampled=_finite(drawn.value),
        sampled_low=_finite(drawn.low),
        sampled_high=_finite(drawn.high),
        ahead=_finite(spearman(before[measured.chosen], sums.sum(axis=1))),
        signs=float((same * size).sum() / size.sum()) if size.sum() else None,
        repeats=_finite(spearman(before, held.sums.sum(axis=0))),
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _correlation(first: np.ndarray, second: np.ndarray, counts: np.ndarray, seed: int) -> Estimate:
    if len(second) < 3:
        return Estimate(np.nan, np.nan, np.nan)
    return rank_correlation(first, second, counts, seed)


def _missed(found: Found, section: ScoreSection, effects: np.ndarray) -> MissedNeurons | None:
    """How many neurons outside the top may have an effect larger than the k-th largest that was measured, k the size of the top."""
    drawn = found.measured.drawn
    top = int((~drawn).sum())
    if not top or not drawn.any():
        return None
    size = np.abs(effects) if section.order == "absolute" else effects * (1 if section.rises else -1)
    threshold = float(np.sort(size)[::-1][top - 1])
    larger = int((size[drawn] > threshold).sum())
    share = share_above(larger, int(drawn.sum()))
    return MissedNeurons(int(drawn.sum()), larger, threshold, share, round(share * (len(found.neurons.ids) - top)))


# -- curves ---------------------------------------------------------------------------------------------


def _curves(found: Found, section: ScoreSection, documents: int, seed: int) -> dict[str, np.ndarray]:
    kinds = list(found.curves)
    if not kinds:
        return _no_curves(documents)
    names = [key.removesuffix("-deletion") for key in found.curves[kinds[0]] if key.endswith("-deletion")]
    shares = np.array(section.shares)
    made = [
        Curves(
            shares,
            arrays["clean"],
            arrays["everything"],
            np.stack([arrays[f"{name}-deletion"] for name in names]),
            np.stack([arrays[f"{name}-insertion"] for name in names]),
        )
        for arrays in found.curves.values()
    ]
    areas = [judged(curves, seed) for curves in made]
    return {
        "rankings": np.array(names),
        "shares": shares,
        "ablations": np.array(kinds),
        "clean": made[0].clean,
        "everything": np.stack([curves.everything for curves in made]),
        "deletion": np.stack([curves.deletion for curves in made]),
        "insertion": np.stack([curves.insertion for curves in made]),
        "area_names": np.array(AREAS),
        "areas": np.stack([area.areas for area in areas]),
        "area_errors": np.stack([area.errors for area in areas]),
        "area_intervals": np.stack([area.intervals for area in areas], axis=1),
        "differences": np.stack([area.differences for area in areas]),
        "difference_intervals": np.stack([area.difference_intervals for area in areas], axis=1),
    }


def _no_curves(documents: int) -> dict[str, np.ndarray]:
    r = len(AREAS)
    return {
        "rankings": np.zeros(0, np.str_),
        "shares": np.zeros(0),
        "ablations": np.zeros(0, np.str_),
        "clean": np.zeros(documents),
        "everything": np.zeros((0, documents)),
        "deletion": np.zeros((0, 0, 0, documents)),
        "insertion": np.zeros((0, 0, 0, documents)),
        "area_names": np.array(AREAS),
        "areas": np.zeros((0, 0, r)),
        "area_errors": np.zeros((0, 0, r)),
        "area_intervals": np.zeros((2, 0, 0, r)),
        "differences": np.zeros((0, 0, 0, r)),
        "difference_intervals": np.zeros((2, 0, 0, 0, r)),
    }
