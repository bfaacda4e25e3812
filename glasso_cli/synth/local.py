"""Texts written by a transformers model on this machine, many at once.

A model with a chat template answers the messages; any other goes on from the written opening. A text that reaches the
most tokens it may have ends with its last finished sentence. Every text is drawn with random numbers of its own, so that it does not depend on
which others are written beside it, up to the rounding of the forward pass.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glasso_cli.errors import InputError
from glasso_cli.models.source import model_digest
from glasso_cli.synth.answers import Answer, Request, Take

if TYPE_CHECKING:
    import torch

    from glasso_cli.models.loaded import LoadedModel

_LIKELIEST = 512  # tokens that are looked at first for top_p; all of them when that is not enough
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*(?=\s|$)")


def asked_of_model(model_id: str, revision: str | None) -> dict[str, Any]:
    """Who is asked, as part of a request's key: the content of the model, not its path."""
    return {"kind": "local", "model": model_digest(model_id, revision)}


@dataclass
class LocalModel:
    """A :class:`Writer` that loads its model when it is asked for the first time."""

    model_id: str
    revision: str | None
    device: str
    batch: int
    notify: Callable[[str], None]
    counts: Mapping[str, int] = field(default_factory=dict)
    budget_reached: bool = False
    _asked: dict[str, Any] = field(default_factory=dict)
    _loaded: LoadedModel | None = None

    def keys(self, request: Request) -> list[str]:
        return [request.key(self._who())]

    def material(self, request: Request) -> dict[str, Any]:
        return request.material(self._who())

    def ask(self, requests: Sequence[Request], take: Take) -> None:
        """Answer ``requests`` in batches; raises :class:`InputError` for a model that cannot write."""
        if not requests:
            return
        loaded = self._load()
        for start in range(0, len(requests), self.batch):
            part = requests[start : start + self.batch]
            for request, answer in zip(part, write(loaded, part), strict=True):
                take(request, answer)

    def _who(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = asked_of_model(self.model_id, self.revision)
        return self._asked

    def _load(self) -> LoadedModel:
        from glasso_cli.models.load import load_model

        if self._loaded is None:
            loaded = load_model(self.model_id, revision=self.revision, device=self.device, notify=self.notify)
            if loaded.kind != "causal":
                raise InputError(
                    f"The model '{self.model_id}' cannot write texts: it fills in masked words.",
                    "Set synth.model to a model that continues a text.",
                )
            self._loaded = loaded
        return self._loaded


def write(loaded: LoadedModel, requests: Sequence[Request]) -> list[Answer]:
    """The answers to ``requests``, which share their sampling parameters, written at once."""
    import torch
    from transformers import GenerationConfig, LogitsProcessorList

    from glasso_cli.models.load import quiet_transformers

    chat = bool(loaded.tokenizer.chat_template)
    prompts = [_prompt(loaded.tokenizer, request, chat) for request in requests]
    width = max(map(len, prompts))
    ends = _ends(loaded)
    ids = torch.full((len(prompts), width), ends[0] if ends else 0, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):  # padded on the left: all go on from the same position
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    settings = GenerationConfig(
        do_sample=False,  # the sampler below leaves one token to choose
        max_new_tokens=_room(loaded, width, requests[0].max_tokens),
        eos_token_id=ends or None,
        pad_token_id=ends[0] if ends else 0,
    )
    samplers = [] if requests[0].temperature == 0 else [Sampler(requests)]
    with torch.inference_mode(), quiet_transformers():
        written = loaded.model.generate(  # type: ignore[operator]
            input_ids=ids.to(loaded.device),
            attention_mask=mask.to(loaded.device),
            generation_config=settings,
            logits_processor=LogitsProcessorList(samplers),
        )
    new = written[:, width:].tolist()
    return [_answer(loaded.tokenizer, prompt, row, ends, chat) for prompt, row in zip(prompts, new, strict=True)]


def _prompt(tokenizer: Any, request: Request, chat: bool) -> list[int]:
    if not chat:
        return list(tokenizer(request.opening)["input_ids"])
    options = {"add_generation_prompt": True, "tokenize": True, "return_dict": True}
    try:
        return list(tokenizer.apply_chat_template(request.chat, **options)["input_ids"])
    except Exception:  # templates say in ways of their own that they know no system role
        words = "\n\n".join(content for _, content in request.messages)
        return list(tokenizer.apply_chat_template([{"role": "user", "content": words}], **options)["input_ids"])


def _ends(loaded: LoadedModel) -> list[int]:
    """The tokens that end a text, by the model's generation settings and by the tokenizer.

    Settings may name a token that the model does not have.
    """
    tokens: list[int] = []
    settings = getattr(loaded.model, "generation_config", None)
    for value in (getattr(settings, "eos_token_id", None), loaded.tokenizer.eos_token_id):
        tokens += value if isinstance(value, list) else [] if value is None else [value]
    known = int(loaded.model.config.get_text_config().vocab_size)
    return [token for token in dict.fromkeys(tokens) if token < known]


def _room(loaded: LoadedModel, width: int, asked: int) -> int:
    """The tokens that may be written; raises :class:`InputError` when the prompt leaves none."""
    positions = getattr(loaded.model.config.get_text_config(), "max_position_embeddings", None) or width + asked
    if positions - width < 1:
        raise InputError(
            f"The prompt of {width} tokens leaves no room in the {positions} positions of the model that writes.",
            "Set synth.model to a model with a longer context.",
        )
    return min(asked, positions - width)


def _answer(tokenizer: Any, prompt: list[int], row: list[int], ends: Sequence[int], chat: bool) -> Answer:
    end = next((place for place, token in enumerate(row) if token in ends), None)
    tokens = row[:end]
    known = [] if chat else prompt
    text = tokenizer.decode([*known, *tokens], skip_special_tokens=True)
    fault = "" if text.strip() else "empty"
    if end is None or not chat:
        text, fault = finished_sentences(text, beyond=len(tokenizer.decode(known, skip_special_tokens=True)))
    raw = {"finish_reason": "length" if end is None else "stop"}
    return Answer(text, fault, (len(prompt), len(tokens)), raw)


def finished_sentences(text: str, *, beyond: int) -> tuple[str, str]:
    """``text`` up to the end of its last sentence, and a fault when no sentence ends late enough."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text) if match.end() > beyond]
    return (text[: ends[-1]], "") if ends else (text, "cut off")


class Sampler:
    """Leaves of each row's scores the one token that it draws: top-p sampling, one random number a token and row."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self.temperature = requests[0].temperature
        self.top_p = requests[0].top_p
        self.draws = [random.Random(request.seed) for request in requests]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        scaled = scores.float() / self.temperature
        total = scaled.logsumexp(dim=-1, keepdim=True)
        size = scaled.shape[-1]
        highest, tokens = scaled.topk(min(size, _LIKELIEST), dim=-1)
        likely = (highest - total).double().exp()
        if float(likely.sum(dim=-1).min()) < self.top_p:
            highest, tokens = scaled.sort(dim=-1, descending=True)
            likely = (highest - total).double().exp()
        up_to = likely.cumsum(dim=-1)
        inside = up_to - likely < self.top_p  # the first token that reaches the share is still inside
        share = (likely * inside).sum(dim=-1, keepdim=True)
        drawn = torch.tensor([[draw.random()] for draw in self.draws], dtype=up_to.dtype, device=scores.device)
        place = torch.searchsorted(up_to, drawn * share).clamp(max=likely.shape[-1] - 1)
        chosen = tokens.gather(-1, place)
        return torch.full_like(scores, float("-inf")).scatter(-1, chosen, 0.0)
