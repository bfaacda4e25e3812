"""A view as one HTML file that needs nothing else: data, program and style inside, and no way out to a network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import glasso_cli
from glasso_cli.files import atomic_write
from glasso_cli.report.explorer.blocks import Block, indices, logarithms, packed, packed_json, scaled
from glasso_cli.report.explorer.layout import place
from glasso_cli.report.explorer.view import Change, Topic, View
from glasso_cli.report.words.community_names import peak_tokens

FORMAT = "glasso.explorer/1"
CHUNK = 256  # neurons whose contexts are one block: it is read when one of them is looked at
CONTEXTS = 8  # of a neuron
_PROGRAM = 100_000  # bytes of the page itself
_SCRIPTS = ("data.js", "state.js", "draw.js", "graph.js", "matrix.js", "cards.js", "tables.js", "export.js", "main.js")


@dataclass(frozen=True)
class Written:
    """What became of a page."""

    path: Path
    bytes: int
    without_contexts: int  # neurons whose contexts had no room


def write_explorer(view: View, path: Path, most_mb: float, note: Callable[[str], None]) -> Written:
    """Write the page and ``note`` its size; contexts of the weakest neurons are left out beyond ``most_mb`` megabytes."""
    blocks = dict(_blocks(view))
    size = sum(len(block.text) for block in blocks.values())
    contexts, without = _contexts(view, round(most_mb * 1e6) - size - _PROGRAM)
    blocks |= contexts
    manifest = _manifest(view, blocks, without)
    with atomic_write(path, "w") as file:
        file.writelines(_page(view, manifest, blocks))
    written = Written(path, path.stat().st_size, without)
    note(f"{path}: {written.bytes / 1e6:.1f} MB{_left_out(view, without)}")
    return written


def _left_out(view: View, without: int) -> str:
    words = [f", without the contexts of the {without:,} weakest neurons (visualize.explorer_mb)"] if without else []
    words += [
        f", without the {topic.words['left_out']} densest alphas of {topic.name}"
        for topic in view.topics
        if topic.words.get("left_out")
    ]
    return "".join(words)


# -- data ---------------------------------------------------------------------------------------------


def _blocks(view: View) -> Iterator[tuple[str, Block]]:
    yield "ids", packed_json([str(name) for name in view.ids])
    yield "labels", packed_json(view.labels)
    yield "layers", packed(view.layers.astype(np.int16))
    yield "places", packed(np.round(_places(view) * 65535).astype(np.uint16))
    for letter, topic in zip("ab", view.topics):
        for name, block in _topic(topic, view.p):
            yield f"{letter}.{name}", block
    if view.change:
        for name, block in _change(view.change, view.p):
            yield f"change.{name}", block


def _places(view: View) -> np.ndarray:
    """By the edges of all topics together, so that a neuron stays where it is."""
    rows = np.concatenate([topic.rows for topic in view.topics])
    cols = np.concatenate([topic.cols for topic in view.topics])
    weights = np.concatenate([np.abs(topic.marginal) for topic in view.topics])
    communities = view.topics[0].communities
    linked = (communities[rows] >= 0) & (communities[cols] >= 0)
    return place(view.p, rows[linked], cols[linked], weights[linked], communities)


def _topic(topic: Topic, p: int) -> Iterator[tuple[str, Block]]:
    yield "rows", packed(indices(topic.rows, p))
    yield "cols", packed(indices(topic.cols, p))
    yield "present", packed(topic.present.astype(np.uint32))
    yield "rho", packed(scaled(topic.rho))
    yield "marginal", packed(scaled(topic.marginal))
    yield "tested", packed(topic.tested.astype(np.uint32))
    yield "kept", packed(topic.kept.astype(np.uint8))
    yield "debiased", packed(scaled(topic.debiased))
    yield "error", packed(scaled(topic.standard_error))
    yield "q", packed(logarithms(topic.q_values))
    shares = np.where(np.isnan(topic.frequencies), 255, np.round(topic.frequencies * 200))
    yield "frequency", packed(shares.astype(np.uint8))  # in steps of 1/200; 255 is unknown
    yield "communities", packed(topic.communities.astype(np.int16))
    yield "vocabulary", packed_json([str(token) for token in topic.vocabulary])
    yield "peaks", packed(peak_tokens(topic.tokens, topic.documents).astype(np.int32))


def _change(change: Change, p: int) -> Iterator[tuple[str, Block]]:
    yield "rows", packed(indices(change.rows, p))
    yield "cols", packed(indices(change.cols, p))
    for letter, rho, error in zip("ab", change.rho, change.error):
        yield f"rho.{letter}", packed(scaled(rho))
        yield f"error.{letter}", packed(scaled(error))
    yield "q", packed(logarithms(change.q_values))
    yield "classes", packed(change.classes.astype(np.uint8))


def _contexts(view: View, room: int) -> tuple[dict[str, Block], int]:
    """Blocks of the contexts of ``CHUNK`` neurons each, the strongest first, as far as there is room for."""
    order = _by_strength(view)
    found: dict[str, Block] = {"order": packed(indices(order, view.p))}
    for start in range(0, view.p, CHUNK):
        chosen = order[start : start + CHUNK]
        part = {
            f"{letter}.contexts.{start // CHUNK}": packed_json(_context_rows(topic, chosen))
            for letter, topic in zip("ab", view.topics)
        }
        room -= sum(len(block.text) for block in part.values())
        if room < 0:
            return found, view.p - start
        found |= part
    return found, 0


def _context_rows(topic: Topic, neurons: np.ndarray) -> list[list[list[Any]]]:
    """For every neuron its contexts: document, place of the peak, token indices, values in 3 digits."""
    rows = []
    for neuron in neurons.tolist():
        contexts: list[list[Any]] = []
        for k in np.flatnonzero(topic.documents[neuron] >= 0).tolist():
            inside = np.flatnonzero(topic.tokens[neuron, k] >= 0)
            values = [float(f"{value:.3g}") for value in topic.values[neuron, k, inside].tolist()]
            middle = int(np.searchsorted(inside, topic.tokens.shape[2] // 2))
            tokens = topic.tokens[neuron, k, inside].tolist()
            contexts.append([int(topic.documents[neuron, k]), middle, tokens, values])
        rows.append(contexts)
    return rows


def _by_strength(view: View) -> np.ndarray:
    strength = np.zeros(view.p)
    for topic in view.topics:
        rows, cols = topic.rows[topic.tested], topic.cols[topic.tested]
        weights = np.abs(topic.debiased) * topic.kept
        strength += np.bincount(np.concatenate([rows, cols]), np.tile(weights, 2), minlength=view.p)
    return np.argsort(-strength, kind="stable")


# -- the page -------------------------------------------------------------------------------------------


def _manifest(view: View, blocks: dict[str, Block], without: int) -> dict[str, Any]:
    topics = []
    for topic in view.topics:
        topics.append(
            {
                "name": topic.name,
                "words": dict(topic.words),
                "alphas": [float(alpha) for alpha in topic.alphas],
                "selected": topic.selected,
                "tokens": [[[word, round(z, 2)] for word, z in words] for words in topic.distinctive],
            }
        )
    return {
        "format": FORMAT,
        "version": glasso_cli.__version__,
        "title": view.title,
        "sentence": view.sentence,
        "p": view.p,
        "topics": topics,
        "change": {"kinds": view.change.kinds, "words": dict(view.change.words)} if view.change else None,
        "chunk": CHUNK,
        "without_contexts": without,
        "blocks": {name: block.entry for name, block in blocks.items()},
    }


def _page(view: View, manifest: dict[str, Any], blocks: dict[str, Block]) -> Iterator[str]:
    style = _read("page.css")
    script = "(() => {\n'use strict';\n" + "\n".join(_read(name) for name in _SCRIPTS) + "\n})();\n"
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


def _digest(text: str) -> str:
    """The name under which a policy lets a text inside the page pass."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return (files("glasso_cli.report.explorer") / "page" / name).read_text(encoding="utf-8")
