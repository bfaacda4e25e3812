"""Answers of language models: asked over HTTP or written here, and kept so that none is paid for twice."""
