"""Small torch modules, random or with known weights, for tests of networks that are no language models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from glasso_cli.models.modules.network import ModuleBatch, ModuleNetwork, network_of


def seeded(make: Callable[[], nn.Module], seed: int = 0, **options: Any) -> ModuleNetwork:
    """``make()`` with weights drawn from ``seed``, as a network."""
    torch.manual_seed(seed)
    return network_of(make(), **options)


class Convolutional(nn.Module):
    """Two padded 3 x 3 convolutions with modules between, the second at half the size, and a classifier."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.act = nn.ReLU(inplace=inplace)
        self.second = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.last = nn.Conv2d(8, 4, 1)
        self.head = nn.Linear(4, 5)

    def forward(self, images: Tensor) -> Tensor:
        x = self.act(self.norm(self.first(images)))
        x = functional.silu(self.second(x))
        x = self.last(x)
        made: Tensor = self.head(x.mean((2, 3)))
        return made


class Recurrent(nn.Module):
    """A recurrent module on vectors, and a linear module on its output."""

    def __init__(self, kind: str = "LSTM", layers: int = 3, **options: Any) -> None:
        super().__init__()
        self.rnn = getattr(nn, kind)(4, 5, layers, **options)
        self.out = nn.LazyLinear(2)

    def forward(self, values: Tensor) -> Tensor:
        hidden: Tensor = self.rnn(values)[0]
        made: Tensor = self.out(hidden)
        return made


class Waves(nn.Module):
    """Two padded convolutions over the steps of sequences of vectors ``(b, T, 4)``, the second with a stride."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 5, 3, padding=1)
        self.second = nn.Conv1d(5, 6, 5, stride=stride, padding=2)

    def forward(self, steps: Tensor) -> Tensor:
        made: Tensor = self.second(torch.tanh(self.first(steps.mT)))
        return made


class Rows(nn.Module):
    """A perceptron on rows."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))

    def forward(self, rows: Tensor) -> Tensor:
        made: Tensor = self.layers(rows)
        return made


def batch(*shape: int, seed: int = 0) -> ModuleBatch:
    """Normal values ``(b, …)`` without padding."""
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return ModuleBatch(values, torch.full((shape[0],), shape[1]))


def a_convolutional() -> nn.Module:
    """A factory, as a configuration names one."""
    return Convolutional()
