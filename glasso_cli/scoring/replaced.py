"""What replaces the values of neurons at kept tokens: their means, or their values in another document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glasso_cli.hooks.edit import Intervention
from glasso_cli.scoring.clean import Bank, Neurons, Row

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Replacement:
    """Gives new values: means, or those of ``bank`` where there is one."""

    neurons: Neurons
    device: torch.device
    bank: Bank | None = None

    def of(self, chosen: Tensor | slice, row: Row) -> Tensor:
        """The new values of the neurons ``chosen``, indices into all: something that broadcasts to ``(rows, positions, chosen)``."""
        import torch

        if self.bank is not None:
            return self.bank.of(row.documents, row.positions, chosen).to(self.device)
        at = chosen if isinstance(chosen, slice) else chosen.cpu().numpy()
        return torch.as_tensor(self.neurons.mean[at], dtype=torch.float32, device=self.device)

    def ablation(self, chosen: Tensor, row: Row) -> list[Intervention]:
        """Interventions that replace the neurons ``chosen``, sorted indices into all, at the kept tokens of ``row``."""
        import torch

        found = []
        for number, point in enumerate(self.neurons.points):
            own = self.neurons.of_point(number)
            first, last = torch.searchsorted(chosen, torch.tensor([own.start, own.stop])).tolist()
            if first == last:
                continue
            some = chosen[first:last]
            whole = len(some) == point.width
            new = self.of(own if whole else some, row)
            places = None if whole else tuple((some - own.start).tolist())
            found.append(Intervention(point, at_kept(row.kept, _values(new)), places))
        return found


def at_kept(kept: Tensor, change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """An edit of values ``(rows, …, neurons)`` by ``change``, a function of ``(rows, positions, neurons)``, at the kept tokens alone."""

    def edit(current: Tensor) -> Tensor:
        import torch

        flat = current.reshape(current.shape[0], -1, current.shape[-1])
        new = change(flat).to(flat.dtype)
        return torch.where(kept[..., None], new, flat).reshape(current.shape)

    return edit


def _values(new: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda current: new.expand_as(current)


def indices(chosen: Sequence[int]) -> Tensor:
    """Sorted indices of neurons as a tensor."""
    import torch

    return torch.tensor(sorted(chosen), dtype=torch.long)
