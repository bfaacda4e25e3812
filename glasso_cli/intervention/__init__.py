"""Neurons of one hook point changed on purpose, and what that does to later neurons and to the output, with errors."""
