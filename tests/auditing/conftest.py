"""Torch on one thread, since threads mostly wait for each other on small tensors; and tiny random models."""

from __future__ import annotations

from support.experiments import runner
from support.tiny_models import loaded, make_tokenizer, model_dir, one_thread, tokenizers

__all__ = ["loaded", "make_tokenizer", "model_dir", "one_thread", "runner", "tokenizers"]
