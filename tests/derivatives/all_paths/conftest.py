"""Torch on one thread, and tiny random models."""

from __future__ import annotations

from support.tiny_models import loaded, make_tokenizer, model_dir, one_thread, tokenizers

__all__ = ["loaded", "make_tokenizer", "model_dir", "one_thread", "tokenizers"]
