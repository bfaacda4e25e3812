"""The pictures of a graph, of what was found across layers, of a comparison and of scores, with their numbers.

:func:`draw` draws all of them one after the other. Other processes draw single parts by :func:`draw_part`, and :func:`finish`
is called when all are there. Nothing here imports matplotlib before a picture is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
from glasso_cli.report.plots.figures.pathways import lengths, pruned, slopes, trials
from glasso_cli.report.plots.figures.scores import agreement, curves, rankings
from glasso_cli.report.plots.layers_study import LayersStudy
from glasso_cli.report.plots.parts.glyphs import one_line
from glasso_cli.report.plots.parts.style import Picture, look, save
from glasso_cli.report.plots.scored import Scored
from glasso_cli.report.plots.study import Study
from glasso_cli.report.plots.tables import across_table, edge_table, neuron_table

PLOTS: dict[str, Callable[[Study], Iterator[Picture]]] = {
    "heatmap": heatmap.pictures,
    "communities": communities.pictures,
    "network": network.pictures,
    "factors": factors.pictures,
    "rankings": rankings.pictures,
    "path": path.pictures,
    "accuracy": accuracy.pictures,
    "degrees": degrees.pictures,
    "diagnostics": diagnostics.pictures,
    "card": cards.pictures,  # each card is a part of its own, ``card 1`` for the first
}
ACROSS: dict[str, Callable[[LayersStudy], Iterator[Picture]]] = {
    "layers": layers.pictures,
    "influence": influence.pictures,
    "effects": effects.pictures,
    "audit": audit.pictures,
    "pathways": pruned.pictures,
    "pathway_lengths": lengths.pictures,
    "trials": trials.pictures,
    "slopes": slopes.pictures,
}
COMPARED: dict[str, Callable[[Contrast], Iterator[Picture]]] = {
    "activations": activations.pictures,
    "shifted": shifted.pictures,
    "maps": maps.pictures,
    "scatter": scatter.pictures,
    "rewired": rewired.pictures,
}
SCORED: dict[str, Callable[[Scored], Iterator[Picture]]] = {
    "curves": curves.pictures,
    "agreement": agreement.pictures,
}
Subject = Study | LayersStudy | Contrast | Scored
TABLES = "tables"  # the part of a study that is no picture
_EDGES = "edges_across_layers"


@dataclass(frozen=True)
class Drawn:
    """What one part wrote: its ``files``, and a line of ``figures.txt`` for each of its pictures."""

    files: list[Path]
    sentences: list[str]


def parts_of(subject: Subject) -> list[str]:
    """All that can be drawn of ``subject`` apart from the rest, in the order of ``figures.txt``."""
    if isinstance(subject, Study):
        single = [f"card {rank + 1}" for rank in range(min(subject.section.cards, subject.p)) if "card" in PLOTS]
        return [TABLES, *(kind for kind in PLOTS if kind != "card"), *single]
    return [*([TABLES] if isinstance(subject, LayersStudy) else []), *_plots(subject)]


def _plots(subject: Subject) -> dict[str, Callable[..., Iterator[Picture]]]:
    if isinstance(subject, Study):
        return PLOTS
    return ACROSS if isinstance(subject, LayersStudy) else COMPARED if isinstance(subject, Contrast) else SCORED


def draw_part(subject: Subject, part: str, folder: Path) -> Drawn:
    """Write the files of one part of ``subject`` into ``folder``; the numbers of every picture stand beside it."""
    if isinstance(subject, LayersStudy) and part == TABLES:
        return Drawn(_write_tables(subject, folder), [])
    kind, _, rank = part.partition(" ")
    files, sentences = [], []
    with look():
        for picture in _plots(subject)[kind](subject, *([int(rank)] if rank else [])):
            files += save(picture, folder, subject)
            sentences.append(f"{picture.name}\t{one_line(picture.alt)}\n")
    return Drawn(files, sentences)


def _write_tables(study: LayersStudy, folder: Path) -> list[Path]:
    tables = {}
    if isinstance(study, Study):
        tables = {"edges": edge_table(study), "neurons": neuron_table(study)}
    elif study.across is not None:
        tables = {_EDGES: across_table(study, study.across)}
    else:
        (folder / f"{_EDGES}.csv").unlink(missing_ok=True)
    return [write_table(folder / f"{name}.csv", table) for name, table in tables.items()]


def finish(subject: Subject, folder: Path, drawn: Sequence[Drawn]) -> Path:
    """Write ``figures.txt``: what each picture of ``drawn`` shows, in a sentence, to use as its alternative text.

    Pictures that an earlier call left in ``folder`` and that are not among ``drawn`` are deleted.
    """
    path = folder / "figures.txt"
    with atomic_write(path, "w") as file:
        file.writelines(sentence for part in drawn for sentence in part.sentences)
    ours = re.compile(rf"({'|'.join(_plots(subject))})(-.*)?\.(png|svg|csv|dot)", re.DOTALL)
    kept = {file.name for part in drawn for file in part.files}
    for item in folder.iterdir():
        if ours.fullmatch(item.name) and item.name not in kept:
            item.unlink()
    return path


def draw(subject: Subject, folder: Path) -> Iterator[list[Path]]:
    """The files of one part after the other, written into ``folder``; ``figures.txt`` is the last."""
    drawn = []
    for part in parts_of(subject):
        drawn.append(draw_part(subject, part, folder))
        yield drawn[-1].files
    yield [finish(subject, folder, drawn)]
