"""The interactive explorer: one HTML file, opened from disk, that shows a graph of neurons with the network off."""

from glasso_cli.report.explorer.view import Change, CorpusView, View
from glasso_cli.report.explorer.write import Written, write_explorer

__all__ = ["Change", "CorpusView", "View", "Written", "write_explorer"]
