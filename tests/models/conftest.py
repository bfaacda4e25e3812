"""Tiny random models for the tests of this folder, and models planted as builtin ones."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.tiny_models import family, loaded, make_tokenizer, model_dir, one_thread, tokenizers

from glasso_cli.models import builtin
from glasso_cli.models.builtin import BuiltinModel

__all__ = ["family", "loaded", "make_tokenizer", "model_dir", "one_thread", "tokenizers"]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., BuiltinModel]:
    """Makes bytes the builtin model ``tiny``, in a package of two files that cannot be imported."""

    def planted(blob: bytes, **readers: Any) -> BuiltinModel:
        package = tmp_path / "site" / "tiny_gguf"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("import a_runtime_that_is_not_installed")
        (package / "part0").write_bytes(blob[:1000])
        (package / "part1").write_bytes(blob[1000:])
        monkeypatch.syspath_prepend(str(package.parent))
        monkeypatch.delitem(sys.modules, "tiny_gguf", raising=False)
        model = BuiltinModel(
            chunks=(("tiny_gguf", "part0"), ("tiny_gguf", "part1")),
            install="--no-deps tiny-gguf==0.1",
            licence="nobody's",
            sha256=hashlib.sha256(blob).hexdigest(),
            n_bytes=1_000_000,
            **readers,
        )
        monkeypatch.setitem(builtin.BUILTIN_MODELS, "tiny", model)
        return model

    return planted


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user cache."""
    monkeypatch.setenv("GLASSO_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"
