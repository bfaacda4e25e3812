"""A sparse dictionary in memory: what its latents are at a token, and what they say about the activations.

::

    y = normalise(scale · x) − b_dec                 b_dec only where ``subtract_b_dec``
    z = activation(y · W_enc + b_enc)                (n, m), few of them above zero
    x̂ = undo(z · W_dec + b_dec) + x · W_skipᵀ        the last term for skip transcoders only

A transcoder predicts another hook point: x̂ is compared with the activations there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from glasso_cli.errors import InputError
from glasso_cli.models.dictionaries.hook_names import UNKNOWN, Hook
from glasso_cli.models.dictionaries.latents import SparseLatents, from_entries, stack

if TYPE_CHECKING:
    import torch

Activation = Literal["relu", "topk", "jumprelu", "gated"]
Normalisation = Literal["none", "layer_norm", "constant_norm_rescale", "expected_average_only_in"]

ROWS = 1024  # tokens encoded at a time
LATENTS = 8192  # latents encoded at a time: with ROWS, 32 MiB for each intermediate
_EPS = 1e-5  # added to the standard deviation by layer_norm


@dataclass(frozen=True)
class Claims:
    """What the files say about the quality: fraction of variance unexplained, mean number of active latents."""

    fvu: float | None = None
    l0: float | None = None


@dataclass(frozen=True, eq=False)
class Dictionary:
    """A loaded dictionary of m latents, all tensors float32 on one device.

    ``W_enc (d, m)``, ``b_enc (m,)`` (the bias of the gate if gated), ``W_dec (m, d_out)``, ``b_dec (d_out,)``.
    ``k`` belongs to topk; ``threshold (m,)`` to jumprelu; ``r_mag (m,)`` and ``b_mag (m,)`` to gated, whose magnitudes
    are ``relu(exp(r_mag) · pre + b_mag)``. ``W_skip (d_out, d)`` adds a linear path from the input.

    ``scale`` multiplies the activations before all else and divides the reconstruction; None where the files say that
    there is one, but not which. ``centre`` takes the mean over the coordinates off each token first.
    """

    source: str
    W_enc: torch.Tensor
    b_enc: torch.Tensor
    W_dec: torch.Tensor
    b_dec: torch.Tensor
    activation: Activation
    k: int | None = None
    threshold: torch.Tensor | None = None
    r_mag: torch.Tensor | None = None
    b_mag: torch.Tensor | None = None
    W_skip: torch.Tensor | None = None
    subtract_b_dec: bool = True
    normalisation: Normalisation = "none"
    scale: float | None = 1.0
    centre: bool = False
    transcoder: bool = False
    hook_in: Hook = UNKNOWN
    hook_out: Hook = UNKNOWN  # for an autoencoder the same as hook_in
    model: str | None = None
    claims: Claims = Claims()

    @property
    def width(self) -> int:
        """The number of latents m."""
        return int(self.W_enc.shape[1])

    @property
    def d_in(self) -> int:
        """The width of the hook point that is read."""
        return int(self.W_enc.shape[0])

    @property
    def d_out(self) -> int:
        """The width of the hook point that is reconstructed."""
        return int(self.W_dec.shape[1])

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """The latents ``(n, m)`` in float32 of activations ``(n, d)``; the result is the only large array.

        Raises :class:`InputError` if the width is another one or the scale is not known.
        """
        import torch

        x = self._checked(x)
        out = torch.zeros(len(x), self.width, device=x.device)
        for start in range(0, len(x), ROWS):
            rows = slice(start, start + ROWS)
            y = self._encoder_input(x[rows])
            if self.activation == "topk":
                values, columns = self._top(y)
                out[rows].scatter_(1, columns, values)
            else:
                for part in self._parts():
                    out[rows, part] = self._active(y, part)
        return out

    def encode_sparse(self, x: torch.Tensor) -> SparseLatents:
        """The same latents as :meth:`encode`, active ones only: no array of ``(n, m)`` is ever made."""
        x = self._checked(x)
        pieces = [self._sparse(x[start : start + ROWS]) for start in range(0, max(len(x), 1), ROWS)]
        return stack(pieces)

    def decode(self, z: torch.Tensor | SparseLatents, x: torch.Tensor | None = None) -> torch.Tensor:
        """The reconstruction ``(n, d_out)`` in float32 from latents ``(n, m)``.

        ``x (n, d)``, the activations that the latents come from, is needed where the output depends on them: a
        normalisation by token, centring, a skip connection. Without it there :class:`ValueError` is raised.
        """
        import torch

        if isinstance(z, SparseLatents):
            out = torch.nn.functional.embedding_bag(
                z.columns, self.W_dec, z.starts[:-1], mode="sum", per_sample_weights=z.values
            )
        else:
            out = z.to(self.W_dec.device, torch.float32) @ self.W_dec
        out += self.b_dec
        if self._needs_input and x is None:
            raise ValueError("the reconstruction of this dictionary depends on the activations: give them as x")
        checked = self._checked(x) if x is not None else None
        if checked is not None and not self.transcoder:
            out = self._undo_normalisation(out, checked)
        out = out / self._scale()
        if checked is not None and self.centre and not self.transcoder:
            out = out + checked.mean(1, keepdim=True)
        if checked is not None and self.W_skip is not None:
            out = out + checked @ self.W_skip.T
        return out

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        """What the dictionary makes ``(n, d_out)`` of activations ``(n, d)``."""
        import torch

        pieces = [x[start : start + ROWS] for start in range(0, max(len(x), 1), ROWS)]
        return torch.cat([self.decode(self.encode_sparse(piece), piece) for piece in pieces])

    def scaled(self, factor: float) -> Dictionary:
        """The same dictionary for activations that are multiplied by ``factor`` first (finite, above zero)."""
        return replace(self, scale=(1.0 if self.scale is None else self.scale) * factor)

    def scaled_to(self, x: torch.Tensor) -> Dictionary:
        """The same dictionary with the scale that gives ``x (n, d)`` the mean norm √d.

        This is how ``expected_average_only_in`` is meant; ``x`` is a sample of what the dictionary will read.
        """
        norm = float(x.double().norm(dim=1).mean()) if len(x) else 0.0
        if not 0 < norm < float("inf"):
            raise InputError(
                "The scale of the dictionary cannot be taken from this sample: its mean norm is not a positive number.",
                "Give a sample of tokens that are not all zero.",
            )
        return replace(self, scale=self.d_in**0.5 / norm)

    def on(self, device: torch.device | str) -> Dictionary:
        """The same dictionary with its tensors on ``device``."""
        import torch

        moved: dict[str, Any] = {
            name: value.to(device) for name, value in vars(self).items() if isinstance(value, torch.Tensor)
        }
        return replace(self, **moved)

    # -- how x becomes the encoder's input, and back ---------------------------------------------

    @property
    def _needs_input(self) -> bool:
        by_token = self.normalisation in ("layer_norm", "constant_norm_rescale") or self.centre
        return self.W_skip is not None or (by_token and not self.transcoder)

    def _scale(self) -> float:
        if self.scale is None:
            raise InputError(
                f"The dictionary {self.source} was trained on rescaled activations, but its files do not hold the scale.",
                "Give the scale, or take it from a sample: √d divided by the mean norm of the activations.",
            )
        return self.scale

    def _checked(self, x: torch.Tensor) -> torch.Tensor:
        import torch

        if x.ndim != 2 or x.shape[1] != self.d_in:
            raise InputError(
                f"The dictionary {self.source} reads {self.d_in} coordinates a token, "
                f"but the activations have the shape {tuple(x.shape)}.",
                f"Read the hook point of the dictionary ({self.hook_in.described}) in the model that it was trained on.",
            )
        return x.to(self.W_enc.device, torch.float32)

    def _prepared(self, x: torch.Tensor) -> torch.Tensor:
        if self.centre:
            x = x - x.mean(1, keepdim=True)
        scale = self._scale()
        return x if scale == 1.0 else x * scale

    def _encoder_input(self, x: torch.Tensor) -> torch.Tensor:
        y = self._prepared(x)
        if self.normalisation == "layer_norm":
            y = y - y.mean(1, keepdim=True)
            y = y / (y.std(1, keepdim=True) + _EPS)  # divided by d - 1, as torch does by default
        elif self.normalisation == "constant_norm_rescale":
            y = y * self._norm_factor(y)
        return y - self.b_dec if self.subtract_b_dec else y

    def _norm_factor(self, y: torch.Tensor) -> torch.Tensor:
        norm: torch.Tensor = y.norm(dim=1, keepdim=True)
        factor: torch.Tensor = self.d_in**0.5 / norm.where(norm > 0, norm.new_ones(()))
        return factor

    def _undo_normalisation(self, out: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        if self.normalisation == "layer_norm":
            y = self._prepared(x)
            return out * y.std(1, keepdim=True) + y.mean(1, keepdim=True)
        if self.normalisation == "constant_norm_rescale":
            return out / self._norm_factor(self._prepared(x))
        return out

    # -- the encoder -----------------------------------------------------------------------------

    def _parts(self) -> Iterator[slice]:
        return (slice(start, min(start + LATENTS, self.width)) for start in range(0, self.width, LATENTS))

    def _active(self, y: torch.Tensor, part: slice) -> torch.Tensor:
        """The latents of one part ``(n, ≤ LATENTS)``, before any selection of the largest."""
        pre = y @ self.W_enc[:, part]
        if self.activation == "gated":
            assert self.r_mag is not None
            assert self.b_mag is not None
            magnitude = (pre * self.r_mag[part].exp() + self.b_mag[part]).relu_()
            return magnitude * (pre + self.b_enc[part] > 0)
        pre += self.b_enc[part]
        if self.activation == "jumprelu":
            assert self.threshold is not None
            return pre * (pre > self.threshold[part].clamp(min=0))
        return pre.relu_()

    def _top(self, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The k largest latents of each token ``(n, k)``, zero where fewer are positive, and which they are."""
        import torch

        k = min(self.k or self.width, self.width)
        values, columns = y.new_zeros(len(y), 0), torch.zeros(len(y), 0, dtype=torch.int64, device=y.device)
        for part in self._parts():
            active = self._active(y, part)
            best, places = active.topk(min(k, active.shape[1]), dim=1, sorted=False)
            values = torch.cat([values, best], 1)
            columns = torch.cat([columns, places + part.start], 1)
            if values.shape[1] > k:
                values, kept = values.topk(k, dim=1, sorted=False)
                columns = columns.gather(1, kept)
        return values, columns

    def _sparse(self, x: torch.Tensor) -> SparseLatents:
        import torch

        y = self._encoder_input(x)
        entries = []
        if self.activation == "topk":
            values, columns = self._top(y)
            rows, places = (values > 0).nonzero(as_tuple=True)
            entries.append((rows, columns[rows, places], values[rows, places]))
        else:
            for part in self._parts():
                active = self._active(y, part)
                rows, places = (active > 0).nonzero(as_tuple=True)
                entries.append((rows, places + part.start, active[rows, places]))
        rows, columns, values = (torch.cat(group) for group in zip(*entries, strict=True))
        return from_entries(rows, columns, values, (len(x), self.width))
