"""Which pole of a neuron counts as positive: a property of the model, measured on a few built-in texts.

The sign of a gated neuron ``act(a) * b`` is arbitrary: if the weights of ``b`` and those that read the neuron change their
sign, no output of the network changes. The orientation of a neuron is the sign of its skewness on the reference texts, which
are always the same. Every corpus, experiment and stage therefore has the same orientation, and nothing that is added to an
experiment turns a sign. A corpus of other texts can be heavier at the other pole of a neuron.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from glasso_cli.collection.batch import join
from glasso_cli.collection.capture import Capture
from glasso_cli.config.sections.collect import MaskSection
from glasso_cli.corpora import topics
from glasso_cli.corpora.windows import Window, batches, special_frame, tokenize
from glasso_cli.errors import InputError
from glasso_cli.models.forward import longest_window
from glasso_cli.models.loaded import padding_id

if TYPE_CHECKING:
    import torch

    from glasso_cli.hooks import HookPoint
    from glasso_cli.hooks.record import Recorder
    from glasso_cli.models.loaded import LoadedModel

WINDOWS, LENGTH = 32, 64  # of the reference texts, in tokens
_BUDGET = 1_024  # tokens per forward pass
_PANEL = 256  # neurons whose float64 copy is made at a time


def reference_orientation(
    loaded: LoadedModel, recorder: Recorder, points: Sequence[HookPoint], gated: Sequence[bool]
) -> np.ndarray:
    """-1 or +1 for every neuron of ``points``, ``(p,)`` int8: +1 at points that are not ``gated``, without a pass.

    A neuron that is constant on the reference texts gets +1. Masks are the default ones, whatever the section says.
    """
    widths = [point.width for point in points]
    windows = reference_windows(loaded) if any(gated) else []
    if not windows:
        return np.ones(sum(widths), np.int8)
    reader = Capture(recorder, points, special_frame(loaded.tokenizer, loaded.start), MaskSection())
    # Windows of one length, without padding: nothing depends on how they are batched.
    pages = batches(windows, budget=_BUDGET, pad_id=padding_id(loaded.tokenizer), mixed_lengths=False)
    sample = reader.set_limits(join([reader.read(page) for page in pages]))
    return np.where(np.repeat(gated, widths), sign_of_skewness(sample.values[sample.kept]), 1).astype(np.int8)


def sign_of_skewness(values: torch.Tensor) -> np.ndarray:
    """The sign of the third central moment of ``values (n, p)``, ``(p,)`` int8; +1 where it is zero."""
    import torch

    def third(columns: torch.Tensor) -> torch.Tensor:
        exact = columns.double()
        return (exact - exact.mean(0)).pow_(3).sum(0)

    if len(values) == 0:
        return np.ones(values.shape[1], np.int8)
    moments = torch.cat([third(columns) for columns in values.split(_PANEL, dim=1)]).cpu().numpy()
    return np.where(moments < 0, -1, 1).astype(np.int8)


def reference_windows(loaded: LoadedModel) -> list[Window]:
    """The beginnings of built-in passages, the topics in turn; none where the tokenizer has no token for them."""
    length = min(LENGTH, longest_window(loaded.model) or LENGTH)
    passages = chain.from_iterable(zip(*(topics.passages(topic) for topic in topics.TOPICS)))
    try:
        corpus = tokenize(
            list(passages)[:WINDOWS], loaded.tokenizer, max_length=length, max_tokens=None, start=loaded.start
        )
    except InputError:
        return []
    first = {window.document: window for window in reversed(corpus.windows)}
    return [first[document] for document in sorted(first)]
