"""A view as one HTML file that needs nothing else: data, program and style inside, and no way out to a network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import glasso_cli
from glasso_cli.files import atomic_write
from glasso_cli.graph import colours
from glasso_cli.graph.sums import edge_sums
from glasso_cli.report.explorer.blocks import (
    STEPS,
    UNKNOWN,
    Block,
    correlations,
    frequencies,
    indices,
    logarithms,
    packed,
    packed_json,
    positions,
)
from glasso_cli.report.explorer.layout import lay_out
from glasso_cli.report.explorer.view import (
    Across,
    Activity,
    Change,
    ColumnGroup,
    CorpusView,
    PathwayView,
    ShownSamples,
    View,
)
from glasso_cli.report.names import Name

FORMAT = "glasso.explorer/6"
CHUNK = 256  # neurons per block of contexts, which the page reads when one of them is looked at
CONTEXTS = 8  # of the heavier pole of a neuron, and half as many of the other
_ENTRY = 250  # bytes of a block besides its text: its element and its entry in the manifest
# In this order the files are one program: each imports only from those before it.
SCRIPTS = (
    *("data.js", "state.js", "draw.js", "contexts.js", "view.js", "paint.js", "graph.js", "matrix.js", "pins.js"),
    *("columns.js", "tables.js", "activity.js", "across.js", "pathways.js", "paths.js", "edge-card.js", "cards.js"),
    *("export.js", "search.js", "controls.js"),
    "main.js",
)
STYLES = ("page.css", "contexts.css", "across.css", "pathways.css")
_IMPORT = re.compile(r"^import \{[^}]*\} from '\./[\w-]+\.js';\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:const|let|function) )", re.MULTILINE)


@dataclass(frozen=True)
class Written:
    """A page that was written."""

    path: Path
    bytes: int
    without_contexts: int  # number of neurons whose contexts had no room
    in_words: str  # the size, and what is left out


def write_explorer(view: View, path: Path, most_mb: float) -> Written:
    """Write the page of at most ``most_mb`` megabytes.

    Where the room is too small, the contexts of the weakest neurons are left out; all else is always in the page.
    """
    blocks = dict(_blocks(view))
    bare = sum(len(part.encode()) for part in _page(view, _manifest(view, blocks, 0), blocks))
    contexts, without = _contexts(view, round(most_mb * 1e6) - bare)
    blocks |= contexts
    manifest = _manifest(view, blocks, without)
    with atomic_write(path, "w") as file:
        file.writelines(_page(view, manifest, blocks))
    size = path.stat().st_size
    return Written(path, size, without, f"{size / 1e6:.1f} MB{_left_out(view, without)}")


def _left_out(view: View, without: int) -> str:
    words = [f", without the contexts of the {without:,} weakest neurons (visualize.explorer_mb)"] if without else []
    words += [
        f", without the {corpus.words['left_out']} densest alphas of {corpus.name}"
        for corpus in view.corpora
        if corpus.words.get("left_out")
    ]
    return "".join(words)


# -- data ---------------------------------------------------------------------------------------------


def _blocks(view: View) -> Iterator[tuple[str, Block]]:
    yield "ids", packed_json([str(name) for name in view.ids])
    yield "labels", packed_json(view.labels)
    yield "names", packed_json(view.names)
    yield "name_scores", packed(view.name_scores.astype(np.float32))
    yield "layers", packed(view.layers.astype(np.int16))
    yield "orientation", packed(view.orientation.astype(np.int8))
    yield "places", packed(positions(_places(view)))
    for letter, corpus in zip("ab", view.corpora):
        for name, block in _corpus(corpus, view.p):
            yield f"{letter}.{name}", block
    if view.change:
        for name, block in _change(view.change, view.p):
            yield f"change.{name}", block
    if view.activity:
        for name, block in _activity(view.activity):
            yield f"activity.{name}", block
    if view.across:
        for name, block in _across(view.across, view.p):
            yield f"across.{name}", block
    for group in view.columns:
        for number, column in enumerate(group.columns):
            yield f"columns.{group.name}.{number}.value", packed(column.value.astype(np.float32))
            if column.error is not None:
                yield f"columns.{group.name}.{number}.error", packed(column.error.astype(np.float32))
    if view.pathways:
        for name, block in _pathways(view.pathways):
            yield f"pathways.{name}", block
    yield "order", packed(indices(_by_strength(view), view.p))


def _places(view: View) -> np.ndarray:
    """Places ``(p, 2)`` by the edges of all corpora together, so that a neuron has one place in all of them."""
    rows = np.concatenate([corpus.rows for corpus in view.corpora])
    cols = np.concatenate([corpus.cols for corpus in view.corpora])
    weights = np.concatenate([np.abs(corpus.marginal) for corpus in view.corpora])
    communities = view.corpora[0].communities
    linked = (communities[rows] >= 0) & (communities[cols] >= 0)
    return lay_out(view.p, rows[linked], cols[linked], weights[linked], communities)


def _corpus(corpus: CorpusView, p: int) -> Iterator[tuple[str, Block]]:
    yield "rows", packed(indices(corpus.rows, p))
    yield "cols", packed(indices(corpus.cols, p))
    yield "present", packed(corpus.present.astype(np.uint32))
    yield "rho", packed(correlations(corpus.rho))
    yield "marginal", packed(correlations(corpus.marginal))
    yield "tested", packed(corpus.tested.astype(np.uint32))
    yield "kept", packed(corpus.kept.astype(np.uint8))
    yield "debiased", packed(correlations(corpus.debiased))
    yield "error", packed(correlations(corpus.standard_error))
    yield "q", packed(logarithms(corpus.q_values))
    yield "frequency", packed(frequencies(corpus.frequencies))
    yield "communities", packed(corpus.communities.astype(np.int16))
    yield "vocabulary", packed_json([str(token) for token in corpus.vocabulary])
    yield "peaks", packed(_peaks(corpus))


def _peaks(corpus: CorpusView) -> np.ndarray:
    """The token in the middle of every context, ``(p, K)``, -1 where a neuron has fewer."""
    middle = corpus.tokens[:, :, corpus.tokens.shape[2] // 2]
    return np.where(corpus.documents >= 0, middle, -1).astype(np.int32)


def _change(change: Change, p: int) -> Iterator[tuple[str, Block]]:
    yield "rows", packed(indices(change.rows, p))
    yield "cols", packed(indices(change.cols, p))
    for letter, rho, error in zip("ab", change.rho, change.error):
        yield f"rho.{letter}", packed(correlations(rho))
        yield f"error.{letter}", packed(correlations(error))
    yield "q", packed(logarithms(change.q_values))
    yield "classes", packed(change.classes.astype(np.uint8))


def _activity(activity: Activity) -> Iterator[tuple[str, Block]]:
    values = {
        "mean.a": activity.mean[0],
        "mean.b": activity.mean[1],
        "shift": activity.shift,
        "error": activity.shift_error,
        "ratio": activity.ratio,
    }
    for name, array in values.items():
        yield name, packed(array.astype(np.float32))
    yield "shift_q", packed(logarithms(activity.shift_q))
    yield "ratio_q", packed(logarithms(activity.ratio_q))


def _across(across: Across, p: int) -> Iterator[tuple[str, Block]]:
    """The pairs, and of every column what was found (0 not looked for, 1 not found, 2 found) and the numbers."""
    yield "sources", packed(indices(across.sources, p))
    yield "targets", packed(indices(across.targets, p))
    yield "reading", packed(across.reading.astype(np.uint8))
    for number, column in enumerate(across.columns):
        yield f"{number}.state", packed(np.where(column.looked, 1 + column.found, 0).astype(np.uint8))
        yield f"{number}.value", packed(column.value.astype(np.float32))
        yield f"{number}.error", packed(column.error.astype(np.float32))
        yield f"{number}.q", packed(logarithms(column.q_values))
        for part, values in (("rms", column.rms), ("rms_error", column.rms_error)):
            if values is not None:
                yield f"{number}.{part}", packed(values.astype(np.float32))


def _pathways(view: PathwayView) -> Iterator[tuple[str, Block]]:
    yield from ((name, packed_json(getattr(view, name))) for name in ("ids", "labels", "names"))
    for name in ("layers", "neurons", "ranks", "sources", "targets", "paths"):
        yield name, packed(getattr(view, name).astype(np.int32))
    for name in ("importance", "weights", "errors", "effects", "effect_errors", "through", "through_errors"):
        yield name, packed(getattr(view, name).astype(np.float32))


def _contexts(view: View, room: int) -> tuple[dict[str, Block], int]:
    """Blocks of the contexts of ``CHUNK`` neurons each, as many as fit into ``room`` bytes, the strongest neurons first.

    Also the number of neurons whose contexts do not fit.
    """
    order = _by_strength(view)
    blocks: dict[str, Block] = {}
    for start in range(0, view.p, CHUNK):
        chosen = order[start : start + CHUNK]
        part: dict[str, Block] = {}
        for letter, corpus in zip("ab", view.corpora):
            name = f"{letter}.contexts.{start // CHUNK}"
            part[name] = packed_json(_context_rows(corpus, chosen))
            if corpus.shown is not None:
                part |= _crops(corpus.shown, chosen, name)
        room -= sum(len(block.text) + _ENTRY for block in part.values())
        if room < 0:
            return blocks, view.p - start
        blocks |= part
    return blocks, 0


def _crops(shown: ShownSamples, neurons: np.ndarray, name: str) -> dict[str, Block]:
    """The crops of the samples of ``neurons``: one block of their pixels, and one that says where each sample is.

    For every neuron and context: where it is in its document, and, if there is a crop, its number in the block, its rows and
    columns, and the box in its pixels (top, left, bottom, right).
    """
    crops = shown.crops
    samples = shown.samples[neurons]
    used = crops.of[np.unique(samples[samples >= 0])]
    used = np.unique(used[used >= 0])
    rows = []
    for neuron in neurons.tolist():
        found: list[list[Any]] = []
        for sample in shown.samples[neuron].tolist():
            if sample < 0:
                continue
            crop, box = int(crops.of[sample]), crops.box(sample, int(shown.neurons[neuron]))
            sizes = [int(np.searchsorted(used, crop)), *crops.sizes[crop].tolist()] if crop >= 0 else []
            found.append([str(shown.places[sample]), sizes, [round(side, 2) for side in box or ()]])
        rows.append(found)
    return {f"{name}.samples": packed_json(rows), f"{name}.crops": packed(crops.pixels[used])}


def _context_rows(corpus: CorpusView, neurons: np.ndarray) -> list[list[list[Any]]]:
    """For every neuron its contexts: document, index of the peak, token indices, values in 3 digits, sign of the pole."""
    rows = []
    for neuron in neurons.tolist():
        contexts: list[list[Any]] = []
        for k in np.flatnonzero(corpus.documents[neuron] >= 0).tolist():
            inside = np.flatnonzero(corpus.tokens[neuron, k] >= 0)
            values = [
                float(text)
                for text in ("%.3g " * len(inside) % tuple(corpus.values[neuron, k, inside].tolist())).split()
            ]
            middle = int(np.searchsorted(inside, corpus.tokens.shape[2] // 2))
            tokens = corpus.tokens[neuron, k, inside].tolist()
            contexts.append([int(corpus.documents[neuron, k]), middle, tokens, values, int(corpus.poles[neuron, k])])
        rows.append(contexts)
    return rows


def _by_strength(view: View) -> np.ndarray:
    """Neurons from strong to weak, by the edges drawn of all corpora."""
    strength = np.zeros(view.p)
    for corpus in view.corpora:
        rows, cols = corpus.rows[corpus.tested], corpus.cols[corpus.tested]
        weights = np.abs(corpus.debiased) * corpus.kept
        strength += edge_sums(view.p, rows, cols, weights)
    return np.argsort(-strength, kind="stable")


# -- the page -------------------------------------------------------------------------------------------


def _manifest(view: View, blocks: dict[str, Block], without: int) -> dict[str, Any]:
    corpora = [
        {
            "name": corpus.name,
            "words": dict(corpus.words),
            "alphas": [float(alpha) for alpha in corpus.alphas],
            "selected": corpus.selected,
            "names": [_name(name) for name in corpus.community_names],
            "crops": None if corpus.shown is None else corpus.shown.crops.in_words,
            "points_at_steps": corpus.shown is not None and corpus.shown.crops.points_at_steps,
        }
        for corpus in view.corpora
    ]
    return {
        "format": FORMAT,
        "version": glasso_cli.__version__,
        "title": view.title,
        "sentence": view.sentence,
        "p": view.p,
        "corpora": corpora,
        "change": {"kinds": view.change.kinds, "words": dict(view.change.words)} if view.change else None,
        "activity": dict(view.activity.words) if view.activity else None,
        **({"across": _across_words(view.across)} if view.across else {}),
        **({"columns": [_group_words(group) for group in view.columns]} if view.columns else {}),
        **({"pathways": _pathway_words(view.pathways)} if view.pathways else {}),
        "colours": _colours(),
        "steps": STEPS,
        "unknown": UNKNOWN,
        "chunk": CHUNK,
        "without_contexts": without,
        "blocks": {name: block.entry for name, block in blocks.items()},
    }


def _across_words(across: Across) -> dict[str, Any]:
    return {**across.words, "columns": [{"name": column.name, "words": column.words} for column in across.columns]}


def _group_words(group: ColumnGroup) -> dict[str, Any]:
    columns = [
        {
            "title": column.title,
            "words": column.words,
            "signed": column.signed,
            "error": column.error is not None,
            "low_first": column.low_first,
        }
        for column in group.columns
    ]
    return {"name": group.name, "title": group.title, "words": group.words, "columns": columns}


def _pathway_words(view: PathwayView) -> dict[str, Any]:
    return {**view.words, "neurons": len(view.ids), "paths": len(view.paths)}


def _name(name: Name) -> dict[str, Any] | None:
    return {"words": list(name.words), "score": round(name.score, 2)} if name.words else None


def _colours() -> dict[str, Any]:
    """The colours of signs and communities; on a dark page a black community is white."""
    return {
        "positive": colours.POSITIVE,
        "negative": colours.NEGATIVE,
        "communities": colours.COMMUNITY,
        "communities_on_dark": ["#FFFFFF" if colour == "#000000" else colour for colour in colours.COMMUNITY],
        "other": colours.OTHER,
        "no_community": colours.NO_COMMUNITY,
    }


def _page(view: View, manifest: dict[str, Any], blocks: dict[str, Block]) -> Iterator[str]:
    style = "".join(_read(name) for name in STYLES)
    script = program()
    allowed = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head, body = _read("page.html").split("<!-- data -->")
    head = head.replace("<!-- policy -->", f'<meta http-equiv="Content-Security-Policy" content="{allowed}">')
    yield head.replace("<!-- title -->", html.escape(view.title)).replace("<!-- style -->", f"<style>{style}</style>")
    for name, block in blocks.items():
        yield f'<script type="application/octet-stream" data-block="{name}">{block.text}</script>\n'
    words = json.dumps(manifest, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
    yield f'<script type="application/json" id="manifest">{words}</script>\n<script>{script}</script>\n{body}'


def program() -> str:
    """The program of the page: the files of :data:`SCRIPTS` as one, without their imports and exports."""
    scripts = "\n".join(_EXPORT.sub("", _IMPORT.sub("", _read(name))) for name in SCRIPTS)
    return f"(() => {{\n'use strict';\n{scripts}\n}})();\n"


def _digest(text: str) -> str:
    """The hash by which a policy allows a script or style inside the page."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return (files("glasso_cli.report.explorer") / "page" / name).read_text(encoding="utf-8")
