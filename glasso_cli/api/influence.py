"""Influence in memory: what neurons do to later ones, by the derivatives of the network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from glasso_cli.api.settings import collect_section, section_of
from glasso_cli.api.stages import made_from
from glasso_cli.artifacts import ActivationStats, Influence
from glasso_cli.config import InfluenceSection
from glasso_cli.errors import extras_needed

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@extras_needed()
def influence(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Iterable[str],
    stats: ActivationStats,
    **settings: Any,
) -> Influence:
    """The expected derivative of every neuron by every neuron of the layer before, with errors, p- and q-values.

    The numbers are those of ``glasso influence``. ``stats`` are what :func:`collect` measured with the same model on the same
    ``texts``, at two or more hook points. ``settings`` are the keys of the section ``influence`` (``paths``, ``layers``,
    ``ablation``, ``keep``, …).

    Raises :class:`ConfigError` for a setting that does not exist or is out of bounds, and :class:`InputError` for other texts than
    those of ``stats``, and for networks whose connection between layers is not known; ``paths="all"`` reads any.
    """
    import tempfile
    from pathlib import Path

    from glasso_cli.console import PythonWarnings
    from glasso_cli.derivatives.run import influence_of_corpus
    from glasso_cli.hooks.parts import part_read
    from glasso_cli.models.loaded import loaded_in_memory

    section = section_of(InfluenceSection, "influence", settings)
    collecting, seed = collect_section(stats), int(stats.meta["material"]["config"]["seed"])
    with (
        loaded_in_memory(model, tokenizer, part=part_read(collecting)) as loaded,
        tempfile.TemporaryDirectory(prefix="glasso-") as folder,
    ):
        made = influence_of_corpus(
            loaded,
            list(texts),
            stats,
            collecting,
            section,
            Path(folder),
            name=str(stats.meta.get("corpus", "corpus")),
            seed=seed,
            reporter=PythonWarnings(),
        )
    return replace(made, meta={**made.meta, **made_from(influence=section, seed=seed)})
