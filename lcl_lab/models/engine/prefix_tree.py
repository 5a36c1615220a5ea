"""A tree of prompts in which every shared prefix occurs once.

A unit is an element of a prompt that is never split: a token id, or an image with all its tokens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["Node", "build_tree", "schedule_batches"]

Unit = Hashable
_MAX_PADDING = 0.05  # segments in a batch differ in length by at most this fraction

_MOST_DEPTHS = 4  # at which nodes of a batch are; a batch holds a copy of each of its prefixes


@dataclass(eq=False)
class Node:
    """A segment of one or more prompts.

    Attributes:
        units: the segment.
        parent: the preceding segment; None for the root.
        children: the following segments, by their first unit.
        ends: numbers of the prompts that end with this segment.
    """

    units: list[Unit]
    parent: Node | None = None
    children: dict[Unit, Node] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)

    def descendants(self) -> Iterator[Node]:
        """All nodes below this one, parents before children."""
        stack = list(self.children.values())[::-1]
        while stack:
            node = stack.pop()
            yield node
            stack += list(node.children.values())[::-1]


def build_tree(prompts: Sequence[Sequence[Unit]]) -> Node:
    """Build the prefix tree of prompts.

    Args:
        prompts: the units of each prompt.

    Returns:
        The root, which has no units.
    """
    root = Node([])
    for number, units in enumerate(prompts):
        _insert(root, list(units), number)
    return root


def schedule_batches(root: Node, tokens: Callable[[Node], int], limit: Callable[[], int]) -> Iterator[list[Node]]:
    """Yield the nodes in batches of similar length, parents before children and the deepest nodes first.

    Going depth first keeps few prefixes alive. Nodes where prompts end form separate batches, since only these are
    decoded; they wait until they fill a batch. Nodes with the same parent are next to each other, and no parent has
    less than half as many nodes in a batch as another.

    Args:
        root: the root of a tree; it is not part of a batch.
        tokens: number of tokens of a node's segment.
        limit: maximum number of nodes per batch; called for every batch.
    """
    inner: dict[int, list[Node]] = defaultdict(list)
    ending: list[Node] = []
    depths = {root: 0}

    def add_children(parent: Node) -> None:
        for child in parent.children.values():
            depths[child] = depths[parent] + 1
            (ending if child.ends else inner[depths[child]]).append(child)

    add_children(root)
    while ending or inner:
        if not inner or len(ending) >= limit():
            together = list(dict.fromkeys(depths[node] for node in ending))[:_MOST_DEPTHS]
            batch, rest = _choose_batch([node for node in ending if depths[node] in together], tokens, limit())
            ending = rest + [node for node in ending if depths[node] not in together]
        else:
            deepest = max(inner)
            batch, rest = _choose_batch(inner.pop(deepest), tokens, limit())
            if rest:
                inner[deepest] = rest
        yield batch
        for node in batch:
            add_children(node)


def _insert(root: Node, units: list[Unit], number: int) -> None:
    node = root
    while units:
        child = node.children.get(units[0])
        if child is None:
            child = Node(units, node)
            node.children[units[0]] = child
        shared = _common_prefix(child.units, units)
        if shared < len(child.units):
            child = _split(child, shared)
        node, units = child, units[shared:]
    node.ends.append(number)


def _common_prefix(one: Sequence[Unit], other: Sequence[Unit]) -> int:
    """Length of the common prefix of two sequences."""
    shortest = min(len(one), len(other))
    return next((k for k in range(shortest) if one[k] != other[k]), shortest)


def _split(node: Node, at: int) -> Node:
    """Move the first `at` units of a node to a new parent, and return that parent."""
    assert node.parent is not None
    upper = Node(node.units[:at], node.parent, {node.units[at]: node})
    node.parent.children[upper.units[0]] = upper
    node.units, node.parent = node.units[at:], upper
    return upper


def _choose_batch(nodes: list[Node], tokens: Callable[[Node], int], limit: int) -> tuple[list[Node], list[Node]]:
    """A batch that starts with the first node, and the remaining nodes."""
    first = tokens(nodes[0])
    siblings: dict[Node | None, list[Node]] = {}
    for node in nodes:
        if abs(tokens(node) - first) <= _MAX_PADDING * max(tokens(node), first):
            siblings.setdefault(node.parent, []).append(node)
    per_parent = min(len(siblings[nodes[0].parent]), limit)
    batch: list[Node] = []
    for family in siblings.values():
        part = family[: min(per_parent, limit - len(batch))]
        if 2 * len(part) >= per_parent:
            batch += part
    chosen = set(batch)
    return batch, [node for node in nodes if node not in chosen]
