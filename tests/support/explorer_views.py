"""Pages of the explorer over two corpora, with what differs between them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from glasso_cli.artifacts.comparison import CLASSES
from glasso_cli.report.explorer.from_artifacts import corpus_view, view_of
from glasso_cli.report.explorer.view import Activity, Change, View
from glasso_cli.report.plots.study import Study


def two_corpora(make_study: Callable[..., Study]) -> View:
    """One study under two names, with three pairs that differ."""
    study = make_study(p=40, edges=70)
    corpora = tuple(corpus_view(study.stats, study.fit, name) for name in ("rivers", "courts"))
    change = Change(
        rows=np.array([0, 3, 5]), cols=np.array([7, 9, 6]),
        rho=(np.array([0.2, -0.1, 0.0]), np.array([-0.2, -0.3, 0.25])),
        error=(np.full(3, 0.01), np.full(3, 0.02)),
        q_values=np.array([1e-9, 0.01, 0.04]), classes=np.array([4, 2, 0]), kinds=CLASSES, words={"fdr": 0.05},
    )  # fmt: skip
    view = view_of(study)
    places = np.arange(study.p)
    activity = Activity(
        mean=(places / 10, places / 5), shift=np.where(places == 7, -0.4, 0.01), shift_error=np.full(study.p, 0.03),
        shift_q=np.where(places == 7, 1e-6, np.where(places == 3, 0.02, 0.9)), ratio=np.where(places == 9, np.nan, 1.5),
        ratio_q=np.full(study.p, 0.5), words={"fdr": 0.05, "min_shift": 0.02, "min_ratio": 1.05, "halves": "none in either"},
    )  # fmt: skip
    return View(
        "Toy · rivers (A) against courts (B)",
        "Two corpora.",
        view.ids,
        view.labels,
        view.names,
        view.name_scores,
        view.layers,
        view.orientation,
        corpora,
        change,
        activity,
    )
