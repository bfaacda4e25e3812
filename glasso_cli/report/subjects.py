"""What is drawn: graphs of corpora and comparisons, what was found across layers, scores, and what each is made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glasso_cli.config import Config
from glasso_cli.pipeline.ordered import ordered_graph, pin_ordered

# stages whose artifacts are shown where they are up to date
BESIDE = ("influence", "intervene", "audit", "structure", "score", "pathways")  # on the page of a graph
ACROSS = ("fit", "influence", "intervene", "audit", "pathways")  # in the figures across layers
_WITHOUT_GRAPH = ("influence", "intervene", "score")  # sections that ask for figures that need no graph
_LAYERS, _SCORE = ".layers", ".score"

Names = list[tuple[str, str]]  # of artifacts, as stage and name


def graphs(config: Config) -> list[str]:
    """Every corpus, and every comparison of two of them; joint fits are not drawn."""
    return [*config.corpora, *(config.comparisons if config.compare.method == "differential" else ())]


def drawn(config: Config) -> list[str]:
    """All that has figures: the graphs, and for every corpus what was found across layers, and its scores."""
    scored = [corpus + _SCORE for corpus in config.corpora] if "score" in config.model_fields_set else []
    return [*graphs(config), *(corpus + _LAYERS for corpus in config.corpora), *scored]


def is_optional(config: Config, name: str) -> bool:
    """Whether ``name`` is shown only where it was made: all but the graphs of corpora, and these too beside what needs no graph."""
    return name not in config.corpora or bool({*_WITHOUT_GRAPH} & config.model_fields_set)


def upstream(config: Config, name: str) -> Names:
    """The statistics and the fit of a corpus, the comparison with those of its two corpora, or the scores of a corpus."""
    if name in config.corpora:
        return [("collect", name), ("fit", name)]
    if name in config.comparisons:
        both = [(stage, corpus) for corpus in config.comparisons[name] for stage in ("collect", "fit")]
        return [("compare", name), *both]
    return [("collect" if is_across(config, name) else "score", corpus_of(config, name))]


def one_of(config: Config, name: str) -> Names:
    """The artifacts of which one must be there: figures across layers need something that was found across layers."""
    if not is_across(config, name):
        return []
    corpus = corpus_of(config, name)
    ordered = [("fit", corpus)] if config.fit.order == "layers" else []
    return [*ordered, ("influence", corpus), ("intervene", corpus)]


def used(config: Config, name: str) -> Names:
    """The artifacts that the figures of ``name`` show where they are up to date."""
    if is_across(config, name):
        return [(stage, corpus_of(config, name)) for stage in ACROSS]
    return [("structure", name)] if name in config.corpora else []


def pins(config: Config, name: str) -> dict[str, Any]:
    """The digest of the ordered graph of a corpus, where there is one: its page and the figures across layers show it."""
    if is_across(config, name):
        path = ordered_graph(config, corpus_of(config, name))
        return pin_ordered(config, corpus_of(config, name)) if path is not None and path.exists() else {}
    return pin_ordered(config, name) if name in config.corpora else {}


def is_across(config: Config, name: str) -> bool:
    """Whether ``name`` is that of what was found across layers."""
    return name not in graphs(config) and name.endswith(_LAYERS)


def corpus_of(config: Config, name: str) -> str:
    """The corpus that ``name`` is about."""
    return name if name in graphs(config) else name.removesuffix(_LAYERS).removesuffix(_SCORE)


def folder_of(config: Config, name: str) -> Path:
    """Where the pictures of ``name`` go."""
    return config.folder / "figures" / name


def model_title(config: Config) -> str:
    """What the model is called in titles."""
    return config.model.name.removeprefix("builtin:")
