"""A hook point: a tensor of the network that is read or changed, one neuron per coordinate."""

from __future__ import annotations

from dataclasses import dataclass

SIDES = ("in", "out")


@dataclass(frozen=True)
class HookPoint:
    """A tensor of the network: a module's first input or output, ``width`` numbers a token or another sample.

    ``axes`` has one letter for each axis of the tensor: ``b`` documents, ``c`` units, and any others positions, which are
    samples as documents are. Tokens and sequences are ``btc``, images ``bchw``, rows ``bc``. ``label`` is the base of neuron ids, ``"{label}[{index}]"``: ``layers.9.mlp`` and ``layers.9.resid`` for
    the short forms, otherwise the name. ``layer`` is None outside the stack of layers.
    """

    name: str
    layer: int | None
    width: int
    label: str
    axes: str = "btc"

    @property
    def module(self) -> str:
        """The path of the module in the model."""
        return self.name.rpartition(":")[0]

    @property
    def side(self) -> str:
        """``in`` or ``out``."""
        return self.name.rpartition(":")[2]
