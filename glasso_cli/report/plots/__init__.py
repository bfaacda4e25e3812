"""The pictures of one corpus (``draw``), of a comparison of two (``draw_comparison``) and of scores (``draw_scores``), with their numbers.

Nothing here imports matplotlib before a picture is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from glasso_cli.artifacts.tables import write_table
from glasso_cli.files import atomic_write
from glasso_cli.report.plots.contrast import Contrast
from glasso_cli.report.plots.figures import (
    accuracy,
    activations,
    cards,
    communities,
    degrees,
    diagnostics,
    factors,
    heatmap,
    maps,
    network,
    path,
    rewired,
    scatter,
    shifted,
)
from glasso_cli.report.plots.figures.across import audit, effects, influence, layers
from glasso_cli.report.plots.figures.pathways import lengths, pruned, trials
from glasso_cli.report.plots.figures.scores import agreement, curves, rankings
from glasso_cli.report.plots.parts.glyphs import one_line
from glasso_cli.report.plots.parts.style import Picture, Subject, look, save
from glasso_cli.report.plots.scored import Scored
from glasso_cli.report.plots.study import Study
from glasso_cli.report.plots.tables import across_table, edge_table, neuron_table

PLOTS: dict[str, Callable[[Study], Iterator[Picture]]] = {
    "heatmap": heatmap.pictures,
    "communities": communities.pictures,
    "network": network.pictures,
    "factors": factors.pictures,
    "layers": layers.pictures,
    "influence": influence.pictures,
    "effects": effects.pictures,
    "audit": audit.pictures,
    "rankings": rankings.pictures,
    "pathways": pruned.pictures,
    "pathway_lengths": lengths.pictures,
    "trials": trials.pictures,
    "path": path.pictures,
    "accuracy": accuracy.pictures,
    "degrees": degrees.pictures,
    "diagnostics": diagnostics.pictures,
    "card": cards.pictures,
}
ACROSS = "edges_across_layers"
_COMPARED = ("activations", "shifted", "maps", "scatter", "rewired")
SCORED: dict[str, Callable[[Scored], Iterator[Picture]]] = {
    "curves": curves.pictures,
    "agreement": agreement.pictures,
}


def draw(study: Study, folder: Path) -> Iterator[list[Path]]:
    """The files of one picture after the other, written into ``folder``; the tables come first.

    The last is ``figures.txt``: what each picture shows, in a sentence, to use as its alternative text. Pictures that an
    earlier call left in ``folder`` and this one did not draw are deleted at the end.
    """
    tables = {"edges": edge_table(study), "neurons": neuron_table(study)}
    if study.across is not None:
        tables[ACROSS] = across_table(study, study.across)
    yield [write_table(folder / f"{name}.csv", table) for name, table in tables.items()]
    yield from _drawn((pictures(study) for pictures in PLOTS.values()), study, folder, tuple(PLOTS))
    if study.across is None:
        (folder / f"{ACROSS}.csv").unlink(missing_ok=True)


def draw_comparison(contrast: Contrast, folder: Path, neurons: int) -> Iterator[list[Path]]:
    """The files of the pictures of a comparison; ``neurons`` are shown with their contexts."""
    parts = (
        activations.pictures(contrast),
        shifted.pictures(contrast, neurons),
        maps.pictures(contrast),
        scatter.pictures(contrast),
        rewired.pictures(contrast, neurons),
    )
    yield from _drawn(iter(parts), contrast, folder, _COMPARED)


def draw_scores(scored: Scored, folder: Path) -> Iterator[list[Path]]:
    """The files of the pictures of scores."""
    yield from _drawn((pictures(scored) for pictures in SCORED.values()), scored, folder, tuple(SCORED))


def _drawn(
    plots: Iterator[Iterator[Picture]], subject: Subject, folder: Path, names: tuple[str, ...]
) -> Iterator[list[Path]]:
    """The files of every picture, then ``figures.txt``; pictures of these ``names`` that were not drawn are deleted."""
    written, sentences = [], []
    for pictures in plots:
        with look():
            for picture in pictures:
                files = save(picture, folder, subject)
                sentences.append(f"{picture.name}\t{one_line(picture.alt)}\n")
                written += files
                yield files
    with atomic_write(folder / "figures.txt", "w") as file:
        file.writelines(sentences)
    yield [folder / "figures.txt"]
    _delete_stale(folder, names, written)


def _delete_stale(folder: Path, names: tuple[str, ...], written: list[Path]) -> None:
    ours = re.compile(rf"({'|'.join(names)})(-.*)?\.(png|svg|csv|dot)", re.DOTALL)
    kept = {path.name for path in written}
    for item in folder.iterdir():
        if ours.fullmatch(item.name) and item.name not in kept:
            item.unlink()
