"""The pictures of one corpus: ``PLOTS`` names them, ``draw`` writes them with their numbers.

Nothing here imports matplotlib before a picture is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from glasso_cli.files import atomic_write
from glasso_cli.plots import cards, degrees, diagnostics, heatmap, network, path
from glasso_cli.plots.glyphs import one_line
from glasso_cli.plots.study import Study
from glasso_cli.plots.style import Picture, look, save
from glasso_cli.plots.tables import edge_table, neuron_table
from glasso_cli.tables import write_table

PLOTS: dict[str, Callable[[Study], Iterator[Picture]]] = {
    "heatmap": heatmap.pictures,
    "network": network.pictures,
    "path": path.pictures,
    "degrees": degrees.pictures,
    "diagnostics": diagnostics.pictures,
    "card": cards.pictures,
}
_OURS = re.compile(rf"({'|'.join(PLOTS)})(-.*)?\.(png|svg|csv|dot)", re.DOTALL)


def draw(study: Study, folder: Path) -> Iterator[list[Path]]:
    """The files of one picture after the other, written into ``folder``; the tables come first.

    The last is ``figures.txt``: what each picture shows, in a sentence, to use as its alternative text. Pictures that an
    earlier call left in ``folder`` and this one did not draw are deleted at the end.
    """
    written = [
        write_table(folder / "edges.csv", edge_table(study)),
        write_table(folder / "neurons.csv", neuron_table(study)),
    ]
    yield written[:]
    sentences = []
    for pictures in PLOTS.values():
        with look():
            for picture in pictures(study):
                files = save(picture, folder, study)
                sentences.append(f"{picture.name}\t{one_line(picture.alt)}\n")
                written += files
                yield files
    with atomic_write(folder / "figures.txt", "w") as file:
        file.writelines(sentences)
    yield [folder / "figures.txt"]
    _delete_stale(folder, written)


def _delete_stale(folder: Path, written: list[Path]) -> None:
    kept = {path.name for path in written}
    for item in folder.iterdir():
        if _OURS.fullmatch(item.name) and item.name not in kept:
            item.unlink()
