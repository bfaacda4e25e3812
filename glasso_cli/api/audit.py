"""The audit in memory: how well scores of pairs predict effects that were measured in this session or before."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from glasso_cli.api.settings import collect_section, section_of
from glasso_cli.api.stages import made_from
from glasso_cli.artifacts import ActivationStats, Audit, Influence, Interventions, OrderedGraph, PrecisionPath
from glasso_cli.config import AuditSection, InterveneSection
from glasso_cli.errors import InputError, extras_needed

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@extras_needed()
def audit(
    stats: ActivationStats,
    interventions: Interventions,
    *,
    fit: PrecisionPath | None = None,
    ordered: OrderedGraph | None = None,
    influence: Influence | None = None,
    model: PreTrainedModel | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    texts: Iterable[str] | None = None,
    seed: int = 0,
    **settings: Any,
) -> Audit:
    """How well graphs, weights and influence predict the effects in ``interventions``, with intervals and the noise ceiling.

    The numbers are those of ``glasso audit``. ``stats`` are what :func:`collect` measured, and ``interventions`` what
    :func:`intervene` did. ``fit``, ``ordered`` and ``influence`` are judged where they are given. With ``model``, ``tokenizer``
    and the ``texts`` of the interventions, the weights are judged too, and the prediction of activations. ``settings`` are the
    keys of the section ``audit`` (``share``, ``top``, ``replicates``, ``splits``).

    Raises :class:`ConfigError` for a setting that does not exist or is out of bounds, and :class:`InputError` where some but
    not all of model, tokenizer and texts are given.
    """
    from glasso_cli.auditing.run import Inputs, audit_of
    from glasso_cli.auditing.texts import network_of_texts
    from glasso_cli.console import PythonWarnings
    from glasso_cli.hooks.parts import part_read
    from glasso_cli.intervention.texts import choose_texts
    from glasso_cli.models.loaded import loaded_in_memory

    section = section_of(AuditSection, "audit", settings)
    collecting = collect_section(stats)
    inputs = Inputs(
        stats=stats,
        interventions=interventions,
        fit=fit,
        ordered=ordered,
        influence=influence,
        transformed=collecting.transform != "none",
    )
    name = str(stats.meta.get("corpus", "corpus"))
    with ExitStack() as stack:
        network = None
        if model is not None and tokenizer is not None and texts is not None:
            documents = list(texts)
            intervening = interventions.meta["material"]["config"]["intervene"]
            loaded = stack.enter_context(loaded_in_memory(model, tokenizer, part=part_read(collecting)))
            read = choose_texts(
                loaded,
                lambda: documents,
                None,
                collecting,
                section_of(InterveneSection, "intervene", intervening),
                name=interventions.metrics.texts.corpus,
            )
            network = stack.enter_context(
                network_of_texts(loaded, read, stats, interventions, collecting, PythonWarnings())
            )
        elif (model, tokenizer, texts) != (None, None, None):
            raise InputError(
                "Model, tokenizer and texts go together.", "Give all three, or none to leave out what needs them."
            )
        made = audit_of(
            inputs,
            network,
            section,
            model=type(model).__name__ if model is not None else "this model",
            name=name,
            seed=seed,
            reporter=PythonWarnings(),
        )
    return replace(made, meta={**made.meta, "corpus": name, **made_from(audit=section, seed=seed)})
