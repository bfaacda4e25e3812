"""The stages: each reads the configuration and artifacts, and writes artifacts. None imports another."""
