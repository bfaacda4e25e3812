"""A sparse precision matrix as a graph: communities, Graphviz text and colours."""

from glasso_cli.graph.communities import ISOLATED, find_communities
from glasso_cli.graph.dot import SIGN_ATTRIBUTES, dot_head, dot_lines, edge_line, node_line, quoted, to_dot
from glasso_cli.graph.graph import Graph, build_graph

__all__ = [
    "ISOLATED",
    "SIGN_ATTRIBUTES",
    "Graph",
    "build_graph",
    "dot_head",
    "dot_lines",
    "edge_line",
    "find_communities",
    "node_line",
    "quoted",
    "to_dot",
]
