"""The network that a configuration names for documents that are no texts."""

from __future__ import annotations

from glasso_cli.config import Config
from glasso_cli.console import Reporter
from glasso_cli.models.load import options_of
from glasso_cli.models.modules.network import ModuleNetwork, load_network
from glasso_cli.models.modules.pretrained import load_pretrained


def configured_network(config: Config, name: str, reporter: Reporter) -> ModuleNetwork:
    """The network of ``config`` for the documents of the corpus ``name``; ``reporter`` hears how these are prepared.

    Raises what :func:`load_network` and :func:`load_pretrained` raise.
    """
    model, corpus = config.model, config.corpora[name]
    if model.kind == "torch":
        return load_network(model, config.seed)
    network = load_pretrained(
        str(model.id),
        reads="images" if corpus.image is not None else corpus.source,
        prepares=not corpus.is_prepared,
        **options_of(model),
        notify=reporter.note,
    )
    for note in network.notes:
        reporter.note(f"{model.id}: {note}")
    if corpus.is_prepared:
        reporter.note(f"{model.id}: images of {name} are prepared as corpora.{name} says, not as the model does")
    return network
