"""Tiny random models for the tests of this folder."""

from __future__ import annotations

from support.tiny_models import family, loaded, make_tokenizer, model_dir, one_thread, tokenizers

__all__ = ["family", "loaded", "make_tokenizer", "model_dir", "one_thread", "tokenizers"]
