"""Norms by what they compute: ``gain * x * scale + bias``, ``x`` centred or not, with one scale per token.

With the scale of a token held at its value, a norm is a linear map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glasso_cli.hooks.neurons import NEURON_TOLERANCE
from glasso_cli.hooks.record import first_tensor

if TYPE_CHECKING:
    from torch import Tensor, nn

_SAMPLES = 64  # random vectors on which a module is tried


@dataclass(frozen=True, eq=False)
class Norm:
    """The norm called ``name``, over vectors of d numbers."""

    name: str
    module: nn.Module
    gain: Tensor  # (d,) float32
    bias: Tensor  # (d,)
    centred: bool  # whether it takes off the mean over the d numbers

    def scales(self, given: Tensor, made: Tensor) -> Tensor:
        """The scale of every token ``(…,)``, from the input and the output ``(…, d)`` of the norm."""
        unscaled = self._centre(given.float()) * self.gain
        squares = (unscaled * unscaled).sum(-1)
        products = ((made.float() - self.bias) * unscaled).sum(-1)
        return products / squares.clamp(min=1e-30)

    def held(self, given: Tensor, scales: Tensor) -> Tensor:
        """The output ``(…, d)`` for an input ``(…, d)``, with ``scales (…,)`` held."""
        return self._centre(given) * self.gain * scales[..., None] + self.bias

    def through(self, columns: Tensor) -> Tensor:
        """What becomes of small changes of the input, ``columns (d, m)``, up to the scale of the token."""
        centred = columns - columns.mean(0) if self.centred else columns
        return self.gain[:, None] * centred

    def _centre(self, x: Tensor) -> Tensor:
        return x - x.mean(-1, keepdim=True) if self.centred else x


def as_norm(name: str, module: nn.Module, width: int) -> Norm | None:
    """``module`` as a norm over ``width`` numbers, or None where it computes anything else.

    It is given random vectors of very different sizes and means. A regression per coordinate gives gain and bias.
    """
    import torch

    parameter = next(module.parameters(), None)
    device = parameter.device if parameter is not None else torch.device("cpu")
    dtype = parameter.dtype if parameter is not None else torch.float32
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(_SAMPLES, width, generator=generator) + torch.randn(_SAMPLES, 1, generator=generator)
    x = (x * torch.logspace(0.5, 2.5, _SAMPLES)[:, None]).to(device, dtype)
    try:
        with torch.no_grad():
            y = first_tensor(module.forward(x))
    except Exception:
        return None
    if y is None or y.shape != x.shape:
        return None
    tolerance = NEURON_TOLERANCE.get(str(dtype).removeprefix("torch."), NEURON_TOLERANCE["float32"])
    for centred in (False, True):
        z, made = x.double(), y.double()
        z = z - z.mean(-1, keepdim=True) if centred else z
        z = z * torch.rsqrt(z.square().mean(-1, keepdim=True))
        middle = z.mean(0)
        gain = ((z - middle) * made).sum(0) / (z - middle).square().sum(0)
        bias = made.mean(0) - gain * middle
        off = float((z * gain + bias - made).norm())
        if off <= tolerance * float(made.norm()):
            return Norm(name, module, gain.float(), bias.float(), centred)
    return None
