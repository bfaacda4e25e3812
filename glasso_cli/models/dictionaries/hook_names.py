"""The names that libraries of dictionaries give to places in a network, and what glasso calls these places.

A translation is a pattern for ``collect.hook_points`` (:mod:`glasso_cli.hooks.resolve`). Where a name does not say
enough, for example how a family of models calls a module, there is none, and the hook point must be given by hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Hook:
    """A place as the file names it, and as glasso does; None where the file, or glasso, has no name for it."""

    given: str | None
    point: str | None

    @property
    def described(self) -> str:
        """Both names in words, for messages."""
        if self.given is None:
            return self.point or "not named in its files"
        return self.given if self.point in (None, self.given) else f"{self.given}, which is {self.point} here"


UNKNOWN = Hook(None, None)

_NORM_AFTER_MLP = re.compile(r"gemma-?[23](?![\db])", re.IGNORECASE)  # not gemma-2b
_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")
_MODULE = re.compile(r"(?:.+\.)?(?:layers|h)\.(\d+)")


def transformer_lens_hook(name: str | None, model: str | None = None) -> Hook:
    """A TransformerLens name such as ``blocks.9.hook_resid_post``.

    ``model`` matters for ``hook_mlp_out``: in Gemma 2 and 3 that is after the norm that follows the MLP.
    """
    if name is None:
        return UNKNOWN
    match = _BLOCK.fullmatch(name)
    if match is None:
        return Hook(name, None)
    layer, place = int(match[1]), match[2]
    if place == "hook_resid_post":
        return Hook(name, f"resid.{layer}")
    if place == "hook_resid_pre":
        return Hook(name, f"resid.{layer - 1}" if layer else None)
    if place == "mlp.hook_post":
        return Hook(name, f"mlp.{layer}")
    if place == "hook_mlp_out":
        normed = model is not None and _NORM_AFTER_MLP.search(model) is not None
        return Hook(name, f"*.{layer}.{'post_feedforward_layernorm' if normed else 'mlp'}:out")
    return Hook(name, None)


def module_output(name: str) -> Hook:
    """The output of a module that sparsify names, such as ``layers.9`` or ``layers.9.mlp``."""
    match = _MODULE.fullmatch(name)
    return Hook(name, f"resid.{match[1]}" if match else f"*{name}:out")


def module_input(name: str) -> Hook:
    """The input of a module that sparsify names; that of layer N is the residual stream after layer N - 1."""
    match = _MODULE.fullmatch(name)
    return Hook(name, f"resid.{int(match[1]) - 1}" if match and int(match[1]) else f"*{name}:in")


def dictionary_learning_hook(name: str | None) -> Hook:
    """A name of a submodule that dictionary_learning was trained with, such as ``resid_post_layer_9``."""
    match = re.fullmatch(r"resid_post_layer_(\d+)", name or "")
    return Hook(name, f"resid.{match[1]}" if match else None)
