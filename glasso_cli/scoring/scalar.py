"""The scalar that neurons are scored by, of one pass over a batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.errors import InputError
from glasso_cli.intervention.feed import Feed
from glasso_cli.intervention.outputs import Outputs
from glasso_cli.scoring.clean import Row

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Scalar:
    """The scalar of every token: one of the outputs that `intervene` knows."""

    feed: Feed
    outputs: Outputs

    def run(self, row: Row) -> Any:
        """The output of the network for one batch, with the hooks that are in place and the mode of autograd that is set."""
        with self.feed.errors():
            return self.feed.call(row.batch, 1, True)()

    @property
    def compares(self) -> bool:
        """Whether the scalar is defined by an unchanged pass over the same batch."""
        return bool({"kl", "class_logit"} & set(self.outputs.names))

    def set_clean(self, row: Row) -> None:
        """Run an unchanged pass where the scalar compares with one."""
        import torch

        if self.compares:
            with torch.no_grad():
                self.outputs.set_clean(self.run(row), len(row.kept))

    def of(self, output: Any, row: Row) -> Tensor:
        """The values ``(copies, rows, positions)``; nan where a token is not kept or has no value."""
        return self.outputs.of(output, row.batch, *row.kept.shape)[..., 0].where(row.kept, float("nan"))

    def sums(self, output: Any, row: Row) -> np.ndarray:
        """Sums over the tokens of each document ``(copies, d)``."""
        values = self.of(output, row).detach().nan_to_num(0.0)
        return np.asarray(row.counted.sums(values[..., None])[..., 0].double().cpu())


def tokens_of(values: Tensor, row: Row) -> np.ndarray:
    """At how many tokens of each document ``values (1, rows, positions)`` has one, ``(d,)``."""
    return np.asarray(row.counted.sums((~values.isnan()).float()[..., None])[0, :, 0].round().long().cpu())


def require_value(scalar: Scalar, rows: Iterable[Row]) -> None:
    """Raise :class:`InputError` where the scalar has no value at any kept token; the batches up to the first value are read."""
    import torch

    for row in rows:
        scalar.set_clean(row)
        with torch.no_grad():
            if not scalar.of(scalar.run(row), row).isnan().all():
                return
    raise InputError(
        "The scalar has no value at any token that is kept.", "Loosen collect.mask, or take another score.scalar."
    )
