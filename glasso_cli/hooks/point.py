"""A hook point: a tensor of the network that is read or changed, one neuron per coordinate."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

SIDES = ("in", "out")
# module, #run of several in one pass, side or expert, coordinates of a part
_NAME = re.compile(
    r"(?P<module>[^:#]+)(#(?P<run>\d+))?:(?P<side>in|out|expert\.(?P<expert>\d+))(\[(?P<part>\d+:\d+)\])?"
)

KINDS = ("mlp", "resid", "head", "mixer", "expert")
_SHORT_LABEL = re.compile(rf"layers\.\d+\.({'|'.join(KINDS)})(?=$|[.#])")


@dataclass(frozen=True)
class HookPoint:
    """A tensor of the network: a module's first input or output, ``width`` numbers a token or another sample.

    ``name`` is ``module:side``, and more where that is not enough: ``module#2:in`` in the second run of a module that
    runs several times in a pass; ``module:in[64:128]`` some coordinates of a tensor; ``module:expert.3`` the neurons of
    an expert. ``label`` is the base of neuron ids, ``"{label}[{index}]"``: ``layers.9.mlp`` and ``layers.9.resid`` for
    the short forms, otherwise the name. A tensor with ``heads``, all of one width, has ``"{label}.{head}[{index}]"``.
    ``layer`` is None outside the stack of layers.

    ``axes`` has one letter for each axis of the tensor: ``b`` documents, ``c`` units, and any others positions, which are
    samples as documents are. Tokens and sequences are ``btc``, images ``bchw``, rows ``bc``.
    """

    name: str
    layer: int | None
    width: int
    label: str
    axes: str = "btc"
    heads: int | None = None

    @property
    def module(self) -> str:
        """The path of the module in the model."""
        return self._parts["module"] or ""

    @property
    def side(self) -> str:
        """``in``, ``out``, or ``expert.N``."""
        return self._parts["side"] or ""

    @property
    def run(self) -> int | None:
        """Which run of the module in a pass is meant, from 1; None for a module that runs once."""
        return _number(self._parts["run"])

    @property
    def expert(self) -> int | None:
        """The number of the expert whose neurons these are, or None."""
        return _number(self._parts["expert"])

    @property
    def part(self) -> slice | None:
        """The coordinates of the tensor that belong to the hook point; None where all do."""
        part = self._parts["part"]
        return slice(*map(int, part.split(":"))) if part else None

    @property
    def kind(self) -> str | None:
        """The short form that gave the hook point, such as ``mlp``; None for a module named in full."""
        match = _SHORT_LABEL.match(self.label)
        return match[1] if match else None

    @property
    def neuron_ids(self) -> list[str]:
        """The ids of the neurons, such as ``layers.9.mlp[123]``."""
        if self.heads is None:
            return [f"{self.label}[{index}]" for index in range(self.width)]
        size = self.width // self.heads
        return [f"{self.label}.{index // size}[{index % size}]" for index in range(self.width)]

    @property
    def units_last(self) -> list[int]:
        """The order of the axes in which documents are first, then positions, and units last."""
        return [self.axes.index(axis) for axis in ("b", *(a for a in self.axes if a not in "bc"), "c")]

    @cached_property
    def _parts(self) -> dict[str, str | None]:
        match = _NAME.fullmatch(self.name)
        if match is None:  # a name that no resolver gave
            module, _, side = self.name.rpartition(":")
            return {"module": module, "side": side, "run": None, "expert": None, "part": None}
        return match.groupdict()


def whole(point: HookPoint) -> str:
    """The name of the tensor of which ``point`` is, or is a part of."""
    return point.name.partition("[")[0]


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
