"""Are the standard errors of influence right? The influence of one half of the documents against that of the other.

Halves share no document, so for every pair of neurons the difference over the common standard error should have a standard
deviation of 1.

    python benchmarks/influence_errors.py --texts reviews.jsonl --tokens 2500
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from glasso_cli.artifacts import Influence
from glasso_cli.collection.run import collect_corpus
from glasso_cli.config import CollectSection, InfluenceSection
from glasso_cli.console import PythonWarnings
from glasso_cli.derivatives.run import influence_of_corpus
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel

FORMS = {
    "mean": "error",
    "direct": "direct_error",
    "rms": "rms_error",
    "ablation": "ablation_error",
    "ablation_rms": "ablation_rms_error",
}
STRONGEST = 0.005  # share of pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=Path, required=True, help="a .jsonl file")
    parser.add_argument("--column", default="text")
    parser.add_argument("--model", default="builtin:gemma-3-270m")
    parser.add_argument("--layers", type=int, nargs=2, default=(8, 9), metavar=("SOURCE", "TARGET"))
    parser.add_argument("--paths", choices=("closed", "all"), default="closed")
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--tokens", type=int, default=2_500, help="of each half")
    arguments = parser.parse_args()
    with open(arguments.texts, encoding="utf-8") as file:
        texts = [json.loads(line)[arguments.column] for line in file]
    loaded = load_model(arguments.model)
    one, other = (_influence(loaded, texts[half::2], arguments) for half in (0, 1))
    for form, error in FORMS.items():
        if getattr(one, form).size:
            _print(form, _values(one, form), _values(one, error), _values(other, form), _values(other, error))


def _influence(loaded: LoadedModel, texts: list[str], arguments: argparse.Namespace) -> Influence:
    points = tuple(f"mlp.{layer}" for layer in arguments.layers)
    collect = CollectSection(hook_points=points, max_tokens=arguments.tokens, contexts=False, max_length=96)
    stats = collect_corpus(loaded, texts, collect)
    section = InfluenceSection(
        paths=arguments.paths, layers=(tuple(arguments.layers),), keep="all", ablation=arguments.ablation,
        max_tokens=arguments.tokens if arguments.paths == "all" else None,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        return influence_of_corpus(
            loaded, texts, stats, collect, section, Path(folder), name="half", seed=0, reporter=PythonWarnings()
        )


def _values(influence: Influence, form: str) -> np.ndarray:
    """All pairs ``(neurons, neurons)``, in the units of the activations; nan for pairs that are not there."""
    std, sources, targets = influence.std, influence.sources, influence.targets
    unit = std[targets] if form.startswith("ablation") else std[targets] / std[sources]
    values = np.full((influence.n_neurons, influence.n_neurons), np.nan)
    values[sources, targets] = getattr(influence, form) * unit
    return values


def _print(form: str, one: np.ndarray, one_error: np.ndarray, other: np.ndarray, other_error: np.ndarray) -> None:
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (one - other) / np.hypot(one_error, other_error)
    size, known = np.abs(one + other), np.isfinite(z)
    strong = size >= np.quantile(size[known], 1 - STRONGEST)
    print(f"{form:<14} sd of z {z[known].std():.3f}, of the strongest pairs {z[known & strong].std():.3f}")


if __name__ == "__main__":
    main()
