"""The pictures of paths through the layers, one module each."""
