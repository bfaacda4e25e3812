"""A row of the benchmark of solvers; its modules are on the path of the tests of benchmarks alone."""

from __future__ import annotations

from results import Row

ROW = Row(
    kind="cold",
    problem="real",
    p=1000,
    source="layer 9, 15,000 tokens",
    wanted="alpha 0.1",
    alpha=0.1,
    threads=2,
    solver="newton",
    target=1e-7,
    status="reached",
    setting="tol=1e-07",
    seconds=1.234,
    ci=59.4,
    ratio=1.0,
    gap=1e-8,
    kkt=1e-5,
    degree=37.2,
    peak_gb=0.5,
    buffers=9.0,
    note="",
)
