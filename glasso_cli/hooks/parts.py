"""Which part of an encoder-decoder model patterns of hook points name: those of the decoder begin with ``decoder.``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from glasso_cli.config import CollectSection
from glasso_cli.errors import InputError
from glasso_cli.hooks.point import KINDS, HookPoint
from glasso_cli.hooks.resolve import resolve_hook_points
from glasso_cli.models.encoder_decoder import DECODER, ENCODER, PARTS

if TYPE_CHECKING:
    from glasso_cli.models.loaded import LoadedModel

_SHORT = re.compile(rf"{DECODER}\.((?:{'|'.join(KINDS)})\.[^:]*)")


def part_named(patterns: Iterable[str]) -> str:
    """``decoder`` where one of ``patterns`` begins with that word, otherwise ``encoder``."""
    return DECODER if any(pattern.startswith(f"{DECODER}.") for pattern in patterns) else ENCODER


def part_read(section: CollectSection) -> str:
    """The part that the section `collect` reads."""
    return part_named([*section.hook_points, section.sae.hook_point or ""])


def patterns_in_part(kind: str, patterns: Sequence[str]) -> tuple[str, ...]:
    """``patterns`` as they are called in the part of an encoder-decoder model that is read, where ``kind`` says that it is one.

    ``encoder.`` may stand before each pattern in the encoder, and ``decoder.`` stands before each one in the decoder. Raises
    :class:`InputError` for a pattern in the other part.
    """
    if kind not in PARTS:
        return tuple(patterns)
    for pattern in patterns:
        part = part_named([pattern])
        if part != kind:
            raise InputError(
                f"'{pattern}' is in the {part}, but the {kind} is read: the two never go into one collection.",
                f"Collect one part at a time: put '{DECODER}.' before every hook point, or before none.",
            )
    if kind == DECODER:  # its modules have names with that word
        return tuple(short[1] if (short := _SHORT.fullmatch(pattern)) else pattern for pattern in patterns)
    return tuple(pattern.removeprefix(f"{ENCODER}.") for pattern in patterns)


def resolve_in_part(loaded: LoadedModel, patterns: Iterable[str]) -> tuple[HookPoint, ...]:
    """The hook points that ``patterns`` name in what is read of ``loaded``.

    Raises :class:`InputError` as :func:`patterns_in_part` and :func:`glasso_cli.hooks.resolve_hook_points` do.
    """
    return resolve_hook_points(loaded.model, patterns_in_part(loaded.kind, tuple(patterns)))
