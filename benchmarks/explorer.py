"""The explorer at its size: seconds to write, megabytes, and how it answers in headless Chromium without a GPU.

    python benchmarks/explorer.py                               10,000 planted neurons, 100,000 edges
    python benchmarks/explorer.py --experiment runs/demo ai     a fitted corpus: OUT and its name
    python benchmarks/explorer.py --experiment runs/cnn low     a convolutional layer, whose contexts are crops

The planted graph has 40 communities, 8 in 10 edges inside a community, eight alphas, and eight contexts of eleven tokens
per neuron. The page is written with and without contexts. Measured in the browser, at 1280 x 900 pixels:

- the time from the start of loading to the page being ready
- the frames per second of a drag across the graph with 5,000 edges drawn
- the time from a move of the pointer to the ring around a neuron: median and worst of thirty
- the time from a click to the neuron's card with contexts: median and worst of thirty

Every row goes to explorer.csv in ``--out``.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import machine
import numpy as np

from glasso_cli.graph import find_communities
from glasso_cli.report.explorer import CorpusView, View, write_explorer
from glasso_cli.report.names import Name

BUDGET = 5000  # edges drawn
ALPHAS = 8
Row = dict[str, Any]

DRAG = """
const [budget, done] = arguments;
glasso.set({tab: 'graph', budget});
const canvas = document.getElementById('graph');
const at = (kind, x, y) => canvas.dispatchEvent(new PointerEvent(kind, {pointerId: 1, clientX: x, clientY: y, bubbles: true}));
canvas.setPointerCapture = () => {};
const {left, top} = canvas.getBoundingClientRect();
at('pointerdown', left + 200, top + 200);
let [frames, start] = [0, 0];
const step = (now) => {
  start ||= now;
  frames++;
  at('pointermove', left + 200 + frames, top + 200 + 80 * Math.sin(frames / 10));
  if (now - start < 2000) requestAnimationFrame(step);
  else { at('pointerup', left, top); done([frames / ((now - start) / 1000), glasso.counts().drawn]); }
};
requestAnimationFrame(step);
"""
ANSWERS = """
const done = arguments[0];
const canvas = document.getElementById('graph');
const {left, top} = canvas.getBoundingClientRect();
const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
(async () => {
  const [hover, click] = [[], []];
  const order = glasso.array('order');
  for (let i = 0; i < 30; i++) {
    const neuron = order[(i * 7) % order.length];
    const [x, y] = glasso.screenOf(neuron);
    let start = performance.now();
    canvas.dispatchEvent(new PointerEvent('pointermove', {pointerId: 1, clientX: left + x, clientY: top + y, bubbles: true}));
    hover.push(performance.now() - start);
    await frame();
    start = performance.now();
    glasso.set({neuron});
    while ([...document.querySelectorAll('#card .hint')].some((hint) => hint.textContent === '…')) await new Promise((resolve) => setTimeout(resolve));
    click.push(performance.now() - start);
    await frame();
  }
  const middle = (list) => list.sort((a, b) => a - b)[15];
  done([middle(hover), Math.max(...hover), middle(click), Math.max(...click)]);
})();
"""


def main() -> None:
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print("\n".join(f"{name}: {value}" for name, value in machine.described().items()))
    view = of_experiment(*arguments.experiment) if arguments.experiment else planted(arguments.neurons, arguments.edges)
    results = list(rows(view, arguments.out))
    with open(arguments.out / "explorer.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(results[0]))
        writer.writeheader()
        writer.writerows(results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--neurons", type=int, default=10_000)
    parser.add_argument("--edges", type=int, default=100_000)
    parser.add_argument("--experiment", nargs=2, metavar=("OUT", "CORPUS"), help="a fitted corpus instead")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    return parser.parse_args()


def rows(view: View, out: Path) -> Iterator[Row]:
    """The measurements of the page without and with contexts."""
    write_explorer(planted(200, 400), out / "explorer.html", 100)  # compiles the layout
    for name, shown in (("without contexts", _without_contexts(view)), ("with contexts", view)):
        started = time.perf_counter()
        written = write_explorer(shown, out / "explorer.html", 100)
        row: Row = {
            "page": name,
            "neurons": view.p,
            "edges": len(view.corpora[0].rows),
            "write_s": round(time.perf_counter() - started, 2),
            "megabytes": round(written.bytes / 1e6, 2),
            **in_browser(written.path),
        }
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        yield row


# -- in the browser ---------------------------------------------------------------------------------


def in_browser(page: Path) -> Row:
    """The measurements of a page in headless Chromium; empty where that is not installed."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and chromedriver):
        print("chromium and chromedriver are not installed, so the page is not opened")
        return {}
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--window-size=1280,900",
    ):
        options.add_argument(word)
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    try:
        driver.set_script_timeout(120)
        driver.get("about:blank")
        opened = []
        for _ in range(3):
            driver.get(page.absolute().as_uri())
            ready = "glasso.ready.then(() => requestAnimationFrame(() => setTimeout(() => arguments[0](performance.now()))))"
            opened.append(driver.execute_async_script(ready))
            driver.get("about:blank")
        driver.get(page.absolute().as_uri())
        driver.execute_async_script("glasso.ready.then(arguments[0])")
        frames, drawn = driver.execute_async_script(DRAG, BUDGET)
        time.sleep(0.5)
        hover, worst_hover, click, worst_click = driver.execute_async_script(ANSWERS)
    finally:
        driver.quit()
    return {
        "open_s": round(float(np.median(opened)) / 1000, 2),
        "drag_frames_per_s": round(frames, 1),
        "edges_drawn": drawn,
        "hover_ms": round(hover, 1),
        "hover_worst_ms": round(worst_hover, 1),
        "click_ms": round(click, 1),
        "click_worst_ms": round(worst_click, 1),
    }


# -- what is shown ------------------------------------------------------------------------------------


def of_experiment(out: str, corpus: str) -> View:
    """A corpus as `collect` and `fit` left it."""
    from glasso_cli.artifacts import ActivationStats, PrecisionPath
    from glasso_cli.config import VisualizeSection
    from glasso_cli.report.explorer.from_artifacts import view_of
    from glasso_cli.report.plots.study import Study

    folder = Path(out)
    fit = folder / "fit" / f"{corpus}.npz"
    stats = ActivationStats.load(folder / "collect" / f"{corpus}.npz")
    study = Study(
        stats=stats,
        fit=PrecisionPath.load(fit),
        dot=fit.with_suffix(".dot"),
        section=VisualizeSection(),
        title=corpus,
    )
    return view_of(study)


def planted(p: int, edges: int, groups: int = 40, contexts: int = 8, width: int = 11, words: int = 12_000) -> View:
    """A graph of communities with random contexts; edges come in as alpha falls."""
    random = np.random.default_rng(0)
    group = random.integers(0, groups, p)
    members = [np.flatnonzero(group == g) for g in range(groups)]
    first = random.integers(0, p, 3 * edges)
    second = random.integers(0, p, 3 * edges)
    inside = random.random(3 * edges) < 0.8
    second[inside] = [random.choice(members[g]) for g in group[first[inside]]]
    pairs = np.unique(np.stack([np.minimum(first, second), np.maximum(first, second)])[:, first != second], axis=1)
    pairs = pairs[:, np.sort(random.permutation(pairs.shape[1])[:edges])]
    rows, cols = pairs
    rho = random.choice([-1, 1], len(rows)) * random.exponential(0.06, len(rows)).clip(0.005, 0.9)
    entry = np.argsort(np.argsort(-np.abs(rho))) * ALPHAS // len(rows)
    present = np.zeros(len(rows), np.uint32)
    for k in range(ALPHAS):
        present |= np.where(entry <= k, np.uint32(1 << k), np.uint32(0))
    tokens = random.integers(0, words, (p, contexts, width)).astype(np.int32)
    communities = find_communities(p, rows, cols, np.abs(rho), 0).astype(np.int32)
    vocabulary = np.array([f" word{n}" for n in range(words)])
    corpus = CorpusView(
        name="planted",
        words={},
        alphas=np.geomspace(0.5, 0.1, ALPHAS),
        selected=ALPHAS - 1,
        rows=rows,
        cols=cols,
        present=present,
        rho=np.concatenate([rho[entry <= k] * (k + 2) / (ALPHAS + 1) for k in range(ALPHAS)]),
        marginal=rho * 0.8,
        tested=np.arange(len(rows)),
        kept=np.ones(len(rows), bool),
        debiased=rho * 1.1,
        standard_error=random.uniform(0.005, 0.02, len(rows)),
        q_values=random.uniform(0, 0.05, len(rows)),
        frequencies=random.uniform(0.5, 1, len(rows)),
        communities=communities,
        community_names=[Name((f"word{n}",), score=0.7, documents=20) for n in range(communities.max() + 1)],
        vocabulary=vocabulary,
        poles=np.where(np.arange(contexts) < 2 * contexts // 3, 1, -1)[None].repeat(p, 0),
        tokens=tokens,
        values=random.exponential(1.0, tokens.shape).astype(np.float32),
        documents=random.integers(0, 5000, (p, contexts)).astype(np.int32),
    )
    ids = np.array([f"layers.{n // 2500}.mlp[{n % 2500}]" for n in range(p)])
    labels = [f"L{n // 2500}·{n % 2500}" for n in range(p)]
    names, scores = [f"word{n % words}" if n % 2 else "" for n in range(p)], np.full(p, 0.7)
    return View(
        "Planted",
        f"{p} neurons, {len(rows)} edges.",
        ids,
        labels,
        names,
        scores,
        np.arange(p) // 2500,
        np.ones(p),
        (corpus,),
    )


def _without_contexts(view: View) -> View:
    none = [
        replace(corpus, documents=np.full_like(corpus.documents, -1), vocabulary=corpus.vocabulary[:1], shown=None)
        for corpus in view.corpora
    ]
    return replace(view, corpora=tuple(none))


if __name__ == "__main__":
    main()
