"""The shapes and types that stand beside the arrays of an artifact are facts."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from support.real_runs import Runner, overrides

import glasso_cli as g
from glasso_cli.artifacts import ActivationStats, Artifact, Comparison, JointPrecision, PrecisionPath

KINDS = (ActivationStats, PrecisionPath, Comparison, JointPrecision)
DECLARED = re.compile(r"^    (\w+): np\.ndarray  # \((.*?)\) (\w+)(.*)$")
# A dimension that stands for no letter, from the letters.
COMPUTED = {
    "p(p+1)/2": lambda size: size["p"] * (size["p"] + 1) // 2,
    "A + 1": lambda size: size["A"] + 1,
}
COLLECT = {"lags": 4, "blocks": 4, "null": True, "mask": {"massive": None}}
FIT = {"alpha": [0.6, 0.4, 0.3], "select": {"rule": "fixed", "alpha": 0.3}, "fdr": 0.99, "min_effect": 0.0}


def declared(kind: type[Artifact]) -> dict[str, tuple[list[str], str, str]]:
    """Dimensions, type and the rest of the comment of every array of an artifact, by its name."""
    found, heading = {}, ""
    for line in inspect.getsource(kind).splitlines():
        if line.startswith("    # "):
            heading = line
        if match := DECLARED.match(line.replace("p(p+1)/2", "p[p+1]/2")):
            name, shape, dtype, rest = match.groups()
            dimensions = [part.strip().replace("[", "(").replace("]", ")") for part in shape.split(",") if part.strip()]
            found[name] = (dimensions, dtype, heading + rest)
    return found


def problems(artifact: Artifact) -> list[str]:
    """What of the arrays is not as declared."""
    wrong: list[str] = []
    size: dict[str, int] = {}
    for name, (dimensions, dtype, words) in declared(type(artifact)).items():
        array = getattr(artifact, name)
        if (dtype == "str" and array.dtype.kind != "U") or (dtype != "str" and array.dtype != np.dtype(dtype)):
            wrong.append(f"{name} is {array.dtype}, not {dtype}")
        if array.size == 0 and "empty" in words:
            continue
        expected = [
            int(part) if part.isdigit() else COMPUTED[part](size) if part in COMPUTED else size.setdefault(part, length)
            for part, length in zip(dimensions, array.shape)
        ]
        if expected != list(array.shape) or len(dimensions) != array.ndim:
            wrong.append(f"{name} is {array.shape}, not {tuple(dimensions)} = {tuple(expected)}")
    return wrong


@pytest.mark.parametrize("kind", KINDS)
def test_every_array_has_its_shape_beside_it(kind: type[Artifact]) -> None:
    arrays = {item.name for item in fields(kind) if item.type == "np.ndarray"}
    assert arrays == set(declared(kind))
    assert arrays


def test_the_shapes_are_those_of_real_artifacts(pair: Runner) -> None:
    pair.run("collect", "fit", "compare", set_=overrides(collect=COLLECT, fit=FIT))
    made = [g.load(path) for path in sorted(Path("out").glob("*/*.npz"))]
    pair.run("compare", set_=overrides(collect=COLLECT, fit=FIT, compare={"method": "fused", "neurons": 8}))
    made.append(g.load("out/compare/words-vs-others.npz"))
    assert {type(artifact) for artifact in made} == set(KINDS)
    assert [(str(artifact), problems(artifact)) for artifact in made] == [(str(artifact), []) for artifact in made]
