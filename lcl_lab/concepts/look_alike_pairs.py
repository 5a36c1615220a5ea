"""Pairs the concepts of a dataset with their look-alikes, given how similar they are."""

from __future__ import annotations

import networkx as nx
import numpy as np
from numpy.typing import NDArray

__all__ = ["pair_by_similarity"]

_NEIGHBOURS = 10  # of each concept; a matching among them is as good as one among all, and much faster


def pair_by_similarity(similar: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pair concepts so that the total similarity is as high as possible, and every concept is in one pair at most.

    Args:
        similar: (C, C) symmetric similarities.

    Returns:
        C // 2 pairs of indices in ascending order; of an odd number of concepts, one is in no pair.
    """
    unpaired = list(range(len(similar)))
    pairs: list[tuple[int, int]] = []
    while len(unpaired) > 1:  # more than once only if some have no partner among their neighbours
        graph = _neighbour_graph(similar, unpaired)
        new = sorted((min(pair), max(pair)) for pair in nx.max_weight_matching(graph, maxcardinality=True))
        pairs += new
        unpaired = sorted(set(unpaired) - {index for pair in new for index in pair})
    return sorted(pairs)


def _neighbour_graph(similar: NDArray[np.float64], nodes: list[int]) -> nx.Graph[int]:
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(nodes)
    among = similar[np.ix_(nodes, nodes)]
    for row, node in enumerate(nodes):
        order = np.argsort(-among[row], kind="stable")
        nearest = [int(column) for column in order if column != row][:_NEIGHBOURS]
        graph.add_weighted_edges_from((node, nodes[column], float(among[row, column])) for column in nearest)
    return graph
