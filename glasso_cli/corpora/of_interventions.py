"""The texts or arrays on which `intervene` measures effects, which `audit` reads once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glasso_cli.config import Config, public_fields
from glasso_cli.corpora.arrays import pin_documents
from glasso_cli.pipeline.network import pin_model

_BY_CONTENT = ("files", "arrays", "images")


def corpora_changed(config: Config) -> list[str]:
    """Every corpus whose neurons are changed: all, if the configuration has a section `intervene`."""
    return list(config.corpora) if "intervene" in config.model_fields_set else []


def texts_of(config: Config, corpus: str) -> str:
    """The corpus on whose texts effects are measured."""
    return config.intervene.corpus or corpus


def written_texts(config: Config, corpus: str) -> list[tuple[str, str]]:
    """The artifact of `synth` with these texts, if they are on a topic."""
    name = texts_of(config, corpus)
    return [("synth", name)] if config.corpora[name].topic is not None else []


def manifest_of(config: Config, corpus: str, upstream: dict[str, Path]) -> Path | None:
    """Where that artifact is among the ``upstream`` paths of a job."""
    name = texts_of(config, corpus)
    return upstream.get("synth" if name == corpus else f"synth/{name}")


def settings_of_texts(config: Config, corpus: str) -> dict[str, Any]:
    """What of the configuration decides which texts are read, and how."""
    texts = public_fields(config.corpora[texts_of(config, corpus)])
    for name in _BY_CONTENT:
        texts.pop(name)
    collect = public_fields(config.collect)
    return {
        "texts": {**texts, "source": config.corpora[texts_of(config, corpus)].source},
        "collect": {name: collect[name] for name in ("max_length", "mask", "axes")},
    }


def pins_of_texts(config: Config, corpus: str) -> dict[str, Any]:
    """Digests of the model and of the texts."""
    name = texts_of(config, corpus)
    model, texts = config.model, config.corpora[name]
    return {
        "model": pin_model(model),
        "texts": pin_documents(name, texts),
    }
