"""Attention as a linear map of values: the function of the model itself, applied to other values with the same pattern.

Every attention function of transformers is ``pattern(query, key) @ value``, whatever its mask, its scaling and its kernel
are. So the sum over source tokens of pattern times a number per token is the function itself, applied to that number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class AttentionCall:
    """One call of an attention function. ``value`` is ``(batch, value heads, time, width)``."""

    module: nn.Module
    value: Tensor
    _attend: Callable[[Tensor, Callable[[Tensor], Tensor]], Any]

    def of(self, value: Tensor, prepared: Callable[[Tensor], Tensor] = lambda tensor: tensor) -> Any:
        """What the function gives for other values: the result ``(batch, time, heads, width)``, and the pattern or None.

        ``prepared`` is applied to queries and keys before.
        """
        return self._attend(value, prepared)


@contextmanager
def watched_attention(watch: Callable[[AttentionCall], Any]) -> Iterator[None]:
    """Inside the block, what ``watch`` returns stands for the result of every attention function that transformers picks.

    A model with attention of its own, which asks transformers for no function, is not seen.
    """
    from transformers.modeling_utils import AttentionInterface

    interface: Any = AttentionInterface
    find = interface.get_interface

    def get_interface(self: Any, implementation: str, default: Any) -> Any:
        return partial(_watch, watch, find(self, implementation, default))

    interface.get_interface = get_interface
    try:
        yield
    finally:
        interface.get_interface = find


def _watch(
    watch: Callable[[AttentionCall], Any],
    function: Callable[..., Any],
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *args: Any,
    **kwargs: Any,
) -> Any:
    def attend(values: Tensor, prepared: Callable[[Tensor], Tensor]) -> Any:
        return function(module, prepared(query), prepared(key), values, *args, **kwargs)

    return watch(AttentionCall(module, value, attend))
