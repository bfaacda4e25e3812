"""A language model from the hub, a folder or a package: find it, load it, know its layers."""
