"""A working folder with a tiny model, texts and a configuration."""

from __future__ import annotations

from support.drawn_studies import studies
from support.experiments import few_figures, pair, runner
from support.tiny_models import loaded, make_tokenizer, model_dir, one_thread, tokenizers

__all__ = [
    "few_figures",
    "loaded",
    "make_tokenizer",
    "model_dir",
    "one_thread",
    "pair",
    "runner",
    "studies",
    "tokenizers",
]
