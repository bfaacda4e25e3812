"""The network of the package g2p-en: a recurrent encoder reads the letters of a word, a decoder gives its sounds.

The weights are ``g2p_en:checkpoint20.npz``. Only the encoder is read: a GRU of 256 units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import nn

SYMBOLS = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")
_NAMES = {
    "enc_emb": "letters.weight",
    "enc_w_ih": "rnn.weight_ih_l0",
    "enc_w_hh": "rnn.weight_hh_l0",
    "enc_b_ih": "rnn.bias_ih_l0",
    "enc_b_hh": "rnn.bias_hh_l0",
}


def letters(word: str) -> np.ndarray:
    """A word as the encoder reads it: the places of its letters in ``SYMBOLS`` and the sign of its end, ``(T,)`` int64."""
    places = {symbol: place for place, symbol in enumerate(SYMBOLS)}
    return np.array([places.get(letter, 1) for letter in (*word, "</s>")], dtype=np.int64)


def encoder() -> nn.Module:
    """The encoder: letters ``(b, T)`` to hidden units ``(b, T, 256)``."""
    from torch import nn

    class Encoder(nn.Module):
        """A table of letters and a GRU."""

        def __init__(self) -> None:
            super().__init__()
            self.letters = nn.Embedding(len(SYMBOLS), 256)
            self.rnn = nn.GRU(256, 256, batch_first=True)
            hook: Any = self.register_load_state_dict_pre_hook
            hook(_renamed)

        def forward(self, letters: Any) -> Any:
            return self.rnn(self.letters(letters))[0]

    return Encoder()


def _renamed(module: Any, state: dict[str, Any], *rest: Any) -> None:
    """Give the arrays of the encoder their names here, and leave out those of the decoder."""
    if "enc_emb" in state:
        kept = {name: state[key] for key, name in _NAMES.items() if key in state}
        state.clear()
        state.update(kept)
