"""Who answers, by ``synth.provider``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from glasso_cli.config import SynthSection
from glasso_cli.config.sections.synth import LOCAL_MODEL
from glasso_cli.files import user_cache
from glasso_cli.models.builtin import PREFIX
from glasso_cli.models.hub import COMMIT
from glasso_cli.models.source import path_in_package
from glasso_cli.synth.answers import Writer
from glasso_cli.synth.chat_server import ChatServer, asked_of_server
from glasso_cli.synth.local import LocalModel, asked_of_model
from glasso_cli.synth.replay import Replay
from glasso_cli.synth.spending import Spending


def answers_folder(section: SynthSection) -> Path:
    """Where answers are kept."""
    return section.cache or user_cache() / "synth"


def local_model(section: SynthSection) -> str:
    """The model that writes on this machine."""
    return section.model or LOCAL_MODEL


def writer_for(
    section: SynthSection, spending: Spending, device: str, notify: Callable[[str], None] = lambda text: None
) -> Writer:
    """The writer of a section whose provider is ``openai``, ``local`` or ``replay``.

    A replay finds the answers of a server of this address and model, and those of a local model whose content is known
    without asking a hub. ``notify`` is told before slow steps.
    """
    if section.provider == "openai":
        return ChatServer(section, spending)
    if section.provider == "local":
        return LocalModel(local_model(section), section.revision, device, section.batch, notify)
    asked = [asked_of_server(section)] if section.model else []
    if _known_here(section):
        asked.append(asked_of_model(local_model(section), section.revision))
    return Replay(tuple(asked), answers_folder(section))


def _known_here(section: SynthSection) -> bool:
    """Whether the model of ``section`` is a builtin, a folder, or one of the hub at a commit."""
    model = local_model(section)
    if model.startswith(PREFIX) or any(
        path.is_dir() for path in (Path(model).expanduser(), path_in_package(model)) if path
    ):
        return True
    return COMMIT.fullmatch(section.revision or "") is not None
