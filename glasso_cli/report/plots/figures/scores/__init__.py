"""The pictures of scores, one module each."""
