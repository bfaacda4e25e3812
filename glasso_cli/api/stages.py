"""The stages as functions: statistics of texts, a fit of statistics, a comparison of two fits, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from glasso_cli.api.settings import collect_section, section_of
from glasso_cli.artifacts import (
    ActivationStats,
    Comparison,
    Influence,
    Interventions,
    OrderedGraph,
    PrecisionPath,
    Scores,
)
from glasso_cli.config import (
    CollectSection,
    CompareSection,
    FitSection,
    InterveneSection,
    ScoreSection,
    public_fields,
)
from glasso_cli.errors import InputError, extras_needed

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from glasso_cli.comparison.estimates import Corpus

_FITTED_TO: WeakKeyDictionary[PrecisionPath, ActivationStats] = WeakKeyDictionary()


@extras_needed()
def collect(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[str],
    hook_points: Sequence[str],
    *,
    name: str = "corpus",
    seed: int = 0,
    **settings: Any,
) -> ActivationStats:
    """Statistics of the activations of ``model`` at ``hook_points`` over ``texts``, one document each.

    The numbers are those of ``glasso collect``. ``hook_points`` are patterns such as ``mlp.9``, ``resid.*`` or
    ``model.layers.9.mlp.down_proj:in``; with ``decoder.`` before each, an encoder-decoder model is read in its decoder.
    ``settings`` are the other keys of the section ``collect`` (``max_tokens``,
    ``blocks``, ``transform``, ``mask``, ``sae``, …; `glasso schema collect` lists them). The model is read as it is, on its own
    device and in its own dtype. The result holds the moments of B blocks of p neurons: 2 B p² bytes.

    Raises :class:`ConfigError` for a setting that does not exist or is out of bounds, and :class:`InputError` for a model
    or hook points that cannot be read and for texts that leave no token.
    """
    from glasso_cli.collection.run import collect_corpus
    from glasso_cli.hooks.parts import part_read
    from glasso_cli.models.loaded import loaded_in_memory

    section = section_of(CollectSection, "collect", {"hook_points": list(hook_points), **settings})
    with loaded_in_memory(model, tokenizer, part=part_read(section)) as loaded:
        stats = collect_corpus(loaded, texts, section, name=name, seed=seed)
    return replace(stats, meta={**stats.meta, **made_from(collect=section, seed=seed)})


@extras_needed()
def collect_arrays(
    module: nn.Module,
    items: Sequence[Any] | np.ndarray,
    hook_points: Sequence[str],
    *,
    documents: Sequence[Any] | np.ndarray | None = None,
    symbols: Sequence[Any] | None = None,
    adapter: Callable[[Tensor, Tensor], Any] | None = None,
    prepare: Callable[[Any], Any] | None = None,
    name: str = "corpus",
    seed: int = 0,
    **settings: Any,
) -> ActivationStats:
    """Statistics of the units of any torch module at ``hook_points`` over ``items``: images, sequences or rows.

    The numbers are those of ``glasso collect`` with ``model.kind: torch``. ``items`` are arrays of one shape, or sequences
    that differ in length; ``documents`` says which of them belong together, and each is one by itself without it.
    ``symbols`` are what whole numbers in the items stand for. ``adapter(values, lengths)`` turns a batch ``(b, …)`` into the
    arguments of the module, and ``prepare`` one item into an array. ``hook_points`` are patterns such as ``conv.3``,
    ``rnn.0`` or ``blocks.3.act:out``; ``settings`` are the other keys of the section ``collect``. The module is read where
    it is, in evaluation mode, and gets its modes back.

    Raises :class:`ConfigError` for a setting that does not exist or is out of bounds, and :class:`InputError` for a module
    or hook points that cannot be read, for weights that are not float32, and for fewer than 16 documents.
    """
    from glasso_cli.collection.modules import run
    from glasso_cli.console import PythonWarnings
    from glasso_cli.corpora.arrays import arrays_in_memory
    from glasso_cli.models.modules.network import network_in_memory, values_alone

    section = section_of(CollectSection, "collect", {"hook_points": list(hook_points), **settings})
    corpus = arrays_in_memory(items, documents, symbols, prepare)
    with network_in_memory(module, adapter or values_alone, prepare) as network:
        stats = run.collect_arrays(network, corpus, section, name=name, seed=seed, reporter=PythonWarnings())
    return replace(stats, meta={**stats.meta, **made_from(collect=section, seed=seed)})


@extras_needed()
def fit(stats: ActivationStats, *, name: str | None = None, seed: int = 0, **settings: Any) -> PrecisionPath:
    """Sparse precision matrices of the neurons in ``stats``, one alpha selected, and every edge tested.

    The numbers are those of ``glasso fit``. ``settings`` are the keys of the section ``fit``: ``alpha`` (a number, a list,
    or ``{"from": 0.5, "to": 0.1, "num": 9}``, on the scale of correlations), ``select``, ``neurons``, ``fdr``,
    ``half_samples``, …; `glasso schema fit` lists them. Without any, the alpha of a mean degree of 10 is searched.

    Raises :class:`ConfigError` for a setting that does not exist or is out of bounds, and :class:`InputError` for too few
    blocks of documents and for a problem that takes more memory than there is. An alpha that does not converge warns.
    """
    from glasso_cli.console import PythonWarnings
    from glasso_cli.fitting.run import fit_corpus, shortfall

    section = section_of(FitSection, "fit", settings)
    if section.order != "none":
        raise InputError("`fit` returns the graph without an order.", "Call `fit_ordered` for the one across layers.")
    name = name or str(stats.meta.get("corpus", "corpus"))
    precision_path = fit_corpus(stats, section, name=name, seed=seed)
    below = shortfall(name, section, precision_path)
    if below:
        PythonWarnings().warn(below)
    precision_path = replace(
        precision_path, meta={**precision_path.meta, "below": below, **made_from(fit=section, seed=seed)}
    )
    _FITTED_TO[precision_path] = stats
    return precision_path


@extras_needed()
def fit_ordered(stats: ActivationStats, *, name: str | None = None, **settings: Any) -> OrderedGraph:
    """Sparse regressions of the neurons of every layer on all neurons of earlier layers, and a test of every edge.

    The numbers are those of ``glasso fit`` with ``fit.order: layers``. ``settings`` are the keys of the section ``fit``. The
    alpha is given, or selected by ``degree`` or ``ebic``. Raises :class:`ConfigError` for a setting that does not exist or is
    out of bounds, and :class:`InputError` for statistics of a single layer, another rule, and too few blocks of documents. An
    alpha that does not converge warns.
    """
    from glasso_cli.console import PythonWarnings
    from glasso_cli.fitting.ordered.run import fit_layers, ordered_shortfall

    section = section_of(FitSection, "fit", {**settings, "order": "layers"})
    name = name or str(stats.meta.get("corpus", "corpus"))
    graph = fit_layers(stats, section, name=name)
    below = ordered_shortfall(name, section, graph)
    if below:
        PythonWarnings().warn(below)
    return replace(graph, meta={**graph.meta, "below": below, **made_from(fit=section, seed=0)})


@extras_needed()
def compare(
    a: PrecisionPath | tuple[ActivationStats, PrecisionPath],
    b: PrecisionPath | tuple[ActivationStats, PrecisionPath],
    *,
    seed: int = 0,
    fit: dict[str, Any] | None = None,
    **settings: Any,
) -> Comparison:
    """Which partial correlations differ between two fitted corpora, each with its error, z, p and q-value.

    The numbers are those of ``glasso compare``. ``a`` and ``b`` are fits that :func:`fit` made in this session, or pairs of
    statistics and fit, such as two results of :func:`load`. ``settings`` are the keys of the section ``compare`` (``fdr``,
    ``min_effect``, ``permutations``, …). ``fit`` gives the settings of the fits where their files do not say them.

    Raises :class:`InputError` for corpora that were not collected alike or share fewer than two neurons.
    """
    from glasso_cli.comparison.run import compare_pair

    section = section_of(CompareSection, "compare", settings)
    if section.method != "differential":
        raise InputError("`compare` tests two corpora.", "For a joint fit of all corpora run `glasso compare`.")
    first, second = _corpus(a, "a"), _corpus(b, "b")
    fitting = section_of(FitSection, "fit", fit if fit is not None else _fit_settings(first.fit))
    comparison = compare_pair(first, second, section, fitting, seed=seed)
    return replace(comparison, meta={**comparison.meta, **made_from(compare=section, seed=seed)})


@extras_needed()
def intervene(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[str],
    stats: ActivationStats,
    fit: PrecisionPath | None = None,
    *,
    ordered: OrderedGraph | None = None,
    influence: Influence | None = None,
    held_out: bool = False,
    name: str = "texts",
    seed: int = 0,
    **settings: Any,
) -> Interventions:
    """What changed neurons do to later ones, measured on ``texts``, with errors, p- and q-values and controls.

    The numbers are those of ``glasso intervene``. ``stats`` are what :func:`collect` measured with the same model at the hook points
    of sources and targets. ``fit`` is needed where degrees or communities decide on the sources, ``ordered`` and ``influence`` where
    ``stratify`` has ``disagreement``. ``held_out`` says whether ``stats``
    are of other texts. ``settings`` are the keys of the section ``intervene`` (``sources``, ``changes``, ``tokens``, …); without
    ``fit``, ``stratify`` is ``["write_norm"]`` unless it is given.

    Raises :class:`ConfigError` for a setting that does not exist or is out of bounds, and :class:`InputError` for unknown neurons, and
    for networks in which no pass can begin at the source.
    """
    import tempfile
    from pathlib import Path

    from glasso_cli.across.disagreement import disagreements as disagreements_of
    from glasso_cli.console import PythonWarnings
    from glasso_cli.hooks.parts import part_read
    from glasso_cli.intervention.texts import choose_texts, intervene_texts
    from glasso_cli.models.loaded import loaded_in_memory

    if fit is None:
        settings = {"stratify": ["write_norm"], **settings}
    section = section_of(InterveneSection, "intervene", settings)
    if section.reads_fit and fit is None:
        raise InputError(
            "Degrees and communities are those of a fit.", "Give it as `fit`, or set stratify and communities."
        )
    disagreements = None
    if section.reads_disagreement:
        if ordered is None or influence is None:
            raise InputError(
                "Disagreement is between an ordered graph and influence.",
                "Give them as `ordered` and `influence`, or set stratify.",
            )
        disagreements = disagreements_of(ordered, influence)
    collecting = collect_section(stats)
    documents = list(texts)
    with (
        loaded_in_memory(model, tokenizer, part=part_read(collecting)) as loaded,
        tempfile.TemporaryDirectory(prefix="glasso-") as folder,
    ):
        read = choose_texts(loaded, lambda: documents, None, collecting, section, name=name)
        made = intervene_texts(
            loaded,
            replace(read, held_out=held_out),
            stats,
            fit,
            collecting,
            section,
            Path(folder),
            disagreements=disagreements,
            name=str(stats.meta.get("corpus", "corpus")),
            seed=seed,
            reporter=PythonWarnings(),
        )
    meta = {**made.meta, "corpus": str(stats.meta.get("corpus", "corpus"))}
    return replace(made, meta={**meta, **made_from(intervene=section, seed=seed)})


@extras_needed()
def score(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[str],
    hook_points: Sequence[str],
    fit: PrecisionPath | None = None,
    *,
    collect: dict[str, Any] | None = None,
    name: str = "texts",
    seed: int = 0,
    **settings: Any,
) -> Scores:
    """How much a scalar of the output of ``model`` depends on each neuron at ``hook_points``, measured on ``texts``.

    The numbers are those of ``glasso score``. ``settings`` are the keys of the section ``score`` (``scalar``, ``forms``, ``top``, …),
    and ``collect`` those of `collect` that say how texts are cut and masked (``max_length``, ``mask``). ``fit`` gives communities.

    Raises :class:`ConfigError` for a setting that does not exist or is out of bounds, and :class:`InputError` for a model that does not
    give the scalar, for a form that it does not allow, and for too little text.
    """
    import tempfile
    from pathlib import Path

    from glasso_cli.console import PythonWarnings
    from glasso_cli.hooks.parts import part_named
    from glasso_cli.models.loaded import loaded_in_memory
    from glasso_cli.scoring.assemble import Known
    from glasso_cli.scoring.texts import score_texts

    points = list(hook_points)
    section = section_of(ScoreSection, "score", {"hook_points": points, **settings})
    collecting = section_of(CollectSection, "collect", {"hook_points": points, **(collect or {})})
    communities = {} if fit is None else dict(zip(fit.neuron_ids.tolist(), fit.communities.tolist()))
    part = part_named(points)
    with (
        loaded_in_memory(model, tokenizer, part=part) as loaded,
        tempfile.TemporaryDirectory(prefix="glasso-") as folder,
    ):
        made = score_texts(
            loaded,
            texts,
            collecting,
            section,
            Known(communities, {}),
            Path(folder),
            name=name,
            seed=seed,
            reporter=PythonWarnings(),
        )
    return replace(made, meta={**made.meta, **made_from(score=section, seed=seed)})


def _corpus(given: PrecisionPath | tuple[ActivationStats, PrecisionPath], name: str) -> Corpus:
    from glasso_cli.comparison.estimates import Corpus

    if isinstance(given, tuple):
        stats, precision_path = given
    elif given in _FITTED_TO:
        stats, precision_path = _FITTED_TO[given], given
    else:
        raise InputError(
            f"{given!r} does not know the statistics that it was fitted to.",
            "Give a pair: (statistics, fit).",
        )
    return Corpus(str(precision_path.meta.get("corpus", name)), stats, precision_path)


def _fit_settings(precision_path: PrecisionPath) -> dict[str, Any]:
    """What of the settings of a fit a comparison needs, from its ``meta``."""
    stored = precision_path.meta.get("material", {}).get("config", {}).get("fit", {})
    return {name: stored[name] for name in ("solver", "tol", "max_iter", "method", "remove_factors") if name in stored}


def made_from(*, seed: int, **sections: Any) -> dict[str, Any]:
    """The ``meta`` of an artifact that no pipeline made: its settings, and a key that says so."""
    config = {name: public_fields(section) for name, section in sections.items()}
    if config.get("fit", {}).get("order") == "none":
        del config["fit"]["order"]
    (stage,) = sections
    return {"key": "in memory", "material": {"stage": stage, "config": {**config, "seed": seed}}}
