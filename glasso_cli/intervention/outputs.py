"""Effects on what the network gives in the end: loss, divergence, a difference of logits, or a function of your own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from glasso_cli.config.sections.effects.intervene import OUTPUTS
from glasso_cli.errors import InputError
from glasso_cli.hooks.record import first_tensor
from glasso_cli.models.loaded import LoadedModel
from glasso_cli.models.modules.code import errors_of_code, load_name

if TYPE_CHECKING:
    from torch import Tensor

    from glasso_cli.models.network import Network

VALUES = 2**26  # numbers that the output of a pass may have


class Asked(Protocol):
    """A section of the configuration that asks for outputs; those of ``code`` are Python code."""

    @property
    def outputs(self) -> tuple[str, ...]: ...
    @property
    def logit_tokens(self) -> tuple[str, ...]: ...
    @property
    def code(self) -> tuple[str, ...]: ...


@dataclass(eq=False)
class Outputs:
    """What is computed of the output of a pass, by name: functions of ``(output, batch, copies)`` that give ``(copies, rows, positions)``.

    Positions without a value, such as the last of a window for the loss, are nan. ``set_clean`` comes before passes over a batch.
    """

    names: tuple[str, ...] = ()
    tokens: tuple[int, int] | None = None  # of logit_difference
    own: dict[str, Callable[..., Any]] = field(default_factory=dict)
    width: int = 1  # numbers in the output per position
    key: str = "intervene.outputs"  # the key of the configuration that names them
    class_index: int | None = None  # of class_logit; None takes the class that the clean network prefers
    _classes: Tensor | None = None  # (rows,): the preferred ones
    _clean: Tensor | None = None  # log-probabilities (rows, positions, vocabulary)

    def set_clean(self, output: Any, rows: int) -> None:
        """Take the first ``rows`` rows of a clean output as what predictions are compared with."""
        if "kl" in self.names:
            self._clean = _logits(output)[:rows].float().log_softmax(-1)
        if "class_logit" in self.names and self.class_index is None:
            self._classes = self._class_logits(output)[:rows].argmax(-1)

    def of(self, output: Any, batch: Any, rows: int, positions: int) -> Tensor:
        """All values, ``(copies, rows, positions, outputs)`` float32."""
        import torch

        values = [self._one(name, output, batch, rows, positions) for name in self.names]
        side_by_side: Tensor = torch.stack(values, dim=-1).unflatten(0, (-1, rows))
        return side_by_side

    def _one(self, name: str, output: Any, batch: Any, rows: int, positions: int) -> Tensor:
        """Values ``(copies * rows, positions)``."""
        import torch

        if name in self.own:
            with errors_of_code(name, self.key):
                made = torch.as_tensor(self.own[name](output)).float()
            return _per_position(made, f"{self.key}: '{name}'", rows, positions)
        if name == "class_logit":
            return self._class_logit(self._class_logits(output), rows).float()[:, None].expand(-1, positions)
        logits = _logits(output)
        if name == "logit_difference":
            assert self.tokens is not None
            first, second = self.tokens
            return (logits[..., first] - logits[..., second]).float()
        if name == "loss":
            return _losses(logits, torch.from_numpy(batch.ids).to(logits.device), batch.lengths)
        assert self._clean is not None
        return torch.stack(
            [_divergence(self._clean[row % rows], logits[row].float().log_softmax(-1)) for row in range(len(logits))]
        )

    def _class_logits(self, output: Any) -> Tensor:
        """The logits ``(copies * rows, classes)`` of a network that gives one vector per row."""
        logits = first_tensor(output)
        if logits is None or logits.ndim != 2:
            shape = "no tensor" if logits is None else f"a tensor of shape {tuple(logits.shape)}"
            raise InputError(
                f"{self.key}: class_logit is of one vector of logits per row, and this network gives {shape}.",
                "Take another output, or give package.module:function.",
            )
        if self.class_index is not None and self.class_index >= logits.shape[1]:
            raise InputError(
                f"There is no class {self.class_index}: the network gives {logits.shape[1]} logits.",
                "Take a smaller class_index.",
            )
        return logits

    def _class_logit(self, logits: Tensor, rows: int) -> Tensor:
        if self.class_index is not None:
            return logits[:, self.class_index]
        assert self._classes is not None
        return logits.gather(1, self._classes.repeat(len(logits) // rows)[:, None])[:, 0]


def outputs_of(section: Asked, network: Network, key: str = "intervene.outputs") -> Outputs:
    """What ``section`` asks for under ``key``; raises :class:`InputError` where the network has no such output, or a token is none."""
    built_in = [name for name in section.outputs if name in OUTPUTS]
    if built_in and network.kind not in ("causal", "masked"):
        raise InputError(
            f"{key}: {built_in[0]} is of the logits of a causal or masked language model, and this network gives none.",
            "Delete it, or give package.module:function, which gets what the network returns.",
        )
    if "loss" in section.outputs and network.kind != "causal":
        raise InputError(
            f"{key}: loss is that of the next token, which this model does not predict.",
            "Take kl or logit_difference.",
        )
    tokens = None
    if section.logit_tokens:
        assert isinstance(network, LoadedModel)
        first, second = (_token(network, text, key) for text in section.logit_tokens)
        tokens = (first, second)
    own = {name: load_name(name, key) for name in section.code}
    width = int(getattr(getattr(network.module, "config", None), "vocab_size", 0) or 1)
    return Outputs(section.outputs, tokens, own, width, key)


def _token(loaded: LoadedModel, text: str, key: str) -> int:
    ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    if len(ids) != 1:
        raise InputError(
            f"{key.split('.')[0]}.logit_tokens: {text!r} is {len(ids)} tokens.",
            "Give texts that are one token each; most words need a space before them, such as ' Paris'.",
        )
    return int(ids[0])


def _logits(output: Any) -> Tensor:
    logits: Tensor = output.logits
    return logits


def _losses(logits: Tensor, ids: Tensor, lengths: Sequence[int]) -> Tensor:
    """The cross-entropy of the next token, nan at the last one of each window."""
    import torch
    from torch.nn.functional import cross_entropy

    rows = len(ids)
    out = torch.full(logits.shape[:2], torch.nan, device=logits.device)
    for row in range(len(logits)):
        length = int(lengths[row % rows])
        out[row, : length - 1] = cross_entropy(
            logits[row, : length - 1].float(), ids[row % rows, 1:length], reduction="none"
        )
    return out


def _divergence(clean: Tensor, changed: Tensor) -> Tensor:
    """KL(clean || changed) of log-probabilities ``(positions, vocabulary)``, in nats."""
    return (clean.exp() * (clean - changed)).sum(-1)


def _per_position(values: Tensor, name: str, rows: int, positions: int) -> Tensor:
    """``values`` of a function of one's own as ``(rows of the pass, positions)``: a number of a row stands at all its positions."""
    if values.ndim == 1 and len(values) % rows == 0:
        return values[:, None].expand(-1, positions)
    if values.ndim == 2 and len(values) % rows == 0 and values.shape[1] == positions:
        return values
    raise InputError(
        f"{name} gives a tensor of shape {tuple(values.shape)}.",
        "Return one number per row of the batch, or one per row and position.",
    )
