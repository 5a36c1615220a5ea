"""A tree of shared prefixes: what several prompts begin with is in it once.

A unit is what is read as one: a token id, or an image with all its tokens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["Node", "build_tree", "schedule_batches"]

Unit = Hashable
_UNEVEN = 0.05  # how much shorter than the longest a segment may be to be read with it


@dataclass(eq=False)
class Node:
    """A segment of units that follows `parent`'s, and the prompts that end with it."""

    units: list[Unit]
    parent: Node | None = None
    children: dict[Unit, Node] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)

    def below(self) -> Iterator[Node]:
        """All nodes under this one, each after its parent."""
        stack = list(self.children.values())[::-1]
        while stack:
            node = stack.pop()
            yield node
            stack += list(node.children.values())[::-1]


def build_tree(prompts: Sequence[Sequence[Unit]]) -> Node:
    """The root of the tree of these prompts; the root itself has no units."""
    root = Node([])
    for number, units in enumerate(prompts):
        _insert(root, list(units), number)
    return root


def _insert(root: Node, units: list[Unit], number: int) -> None:
    node = root
    while units:
        child = node.children.get(units[0])
        if child is None:
            child = Node(units, node)
            node.children[units[0]] = child
        shared = _alike(child.units, units)
        if shared < len(child.units):
            child = _split(child, shared)
        node, units = child, units[shared:]
    node.ends.append(number)


def _alike(one: Sequence[Unit], other: Sequence[Unit]) -> int:
    """How many units two sequences begin with in common."""
    shortest = min(len(one), len(other))
    return next((k for k in range(shortest) if one[k] != other[k]), shortest)


def _split(node: Node, at: int) -> Node:
    """Put a node between `node` and its parent that takes its first `at` units."""
    assert node.parent is not None
    upper = Node(node.units[:at], node.parent, {node.units[at]: node})
    node.parent.children[upper.units[0]] = upper
    node.units, node.parent = node.units[at:], upper
    return upper


def schedule_batches(root: Node, tokens: Callable[[Node], int], most: Callable[[], int]) -> Iterator[list[Node]]:
    """Batches of up to `most()` nodes to read: each after its parent, the deepest first, alike in length.

    Depth first keeps few prefixes alive. Nodes with and without an answer are apart, since only the
    former are read on.
    """
    waiting: dict[tuple[int, bool], list[Node]] = defaultdict(list)

    def put(parent: Node, depth: int) -> None:
        for child in parent.children.values():
            waiting[depth, bool(child.ends)].append(child)

    put(root, 0)
    while waiting:
        key = max(waiting)
        chosen, left = _choose(waiting[key], tokens, most())
        if left:
            waiting[key] = left
        else:
            del waiting[key]
        yield chosen
        for node in chosen:
            put(node, key[0] + 1)


def _choose(nodes: list[Node], tokens: Callable[[Node], int], most: int) -> tuple[list[Node], list[Node]]:
    """Nodes like the first in length, as many of each parent, siblings side by side; and the others."""
    first = tokens(nodes[0])
    siblings: dict[Node | None, list[Node]] = {}
    for node in nodes:
        if abs(tokens(node) - first) <= _UNEVEN * max(tokens(node), first):
            siblings.setdefault(node.parent, []).append(node)
    each = min(len(siblings[nodes[0].parent]), most)
    chosen: list[Node] = []
    for some in siblings.values():
        if len(some) == each or some[0] is nodes[0]:
            chosen += some[:each]
        if len(chosen) + each > most:
            break
    taken = set(chosen)
    return chosen, [node for node in nodes if node not in taken]
