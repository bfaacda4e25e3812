"""The network of a configuration: what pins it in a key, and the loaded language model that the jobs of a run share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glasso_cli.config import ModelSection
from glasso_cli.models.modules.network import network_digest
from glasso_cli.models.source import model_digest
from glasso_cli.pipeline.job import Job

if TYPE_CHECKING:
    from glasso_cli.models.loaded import LoadedModel


def pin_model(section: ModelSection) -> dict[str, str]:
    """The digests of a network of any kind."""
    return network_digest(section) if section.kind == "torch" else model_digest(str(section.id), section.revision)


def language_model(job: Job, part: str) -> LoadedModel:
    """The language model of the configuration, or the ``part`` of it that is read, loaded once in a run that has room for it."""
    from glasso_cli.models.load import load_configured

    return job.shared.once(("language model", part), lambda: load_configured(job.config.model, job.console, part))
