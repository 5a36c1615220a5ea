from __future__ import annotations

import numpy as np
import pytest

from lcl_lab.models.engine.prefix_tree import Node, build_tree, schedule_batches


def spelled(node: Node) -> str:
    """Everything from the root to the end of a node."""
    before = spelled(node.parent) if node.parent else ""
    return before + "".join(map(str, node.units))


@pytest.mark.parametrize("seed", range(5))
def test_every_prompt_ends_where_its_units_lead(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prompts = ["".join(rng.choice(list("ab"), size=rng.integers(1, 9))) for _ in range(40)]
    root = build_tree(prompts)
    ends = {number: spelled(node) for node in root.below() for number in node.ends}
    assert ends == dict(enumerate(prompts))


def test_what_is_shared_is_in_the_tree_once() -> None:
    root = build_tree(["abcd", "abce", "abx", "ab", "q"])
    segments = sorted("".join(map(str, node.units)) for node in root.below())
    assert segments == ["ab", "c", "d", "e", "q", "x"]
    assert sum(len(node.units) for node in root.below()) == len(
        {prompt[:k] for prompt in ("abcd", "abx", "abce", "q") for k in range(1, len(prompt) + 1)}
    )


@pytest.mark.parametrize("most", [1, 3, 8, 100])
def test_batches_follow_parents_and_hold_every_node_once(most: int) -> None:
    rng = np.random.default_rng(0)
    root = build_tree(["".join(rng.choice(list("abc"), size=rng.integers(1, 12))) for _ in range(200)])
    read = {root}
    for batch in schedule_batches(root, lambda node: len(node.units), lambda: most):
        assert 0 < len(batch) <= most
        assert all(node.parent in read for node in batch)
        assert not read & set(batch)
        assert len({bool(node.ends) for node in batch}) == 1
        parents = [node.parent for node in batch]
        groups = [parents.count(parent) for parent in dict.fromkeys(parents)]
        assert len(set(groups)) == 1
        assert parents == [parent for parent in dict.fromkeys(parents) for _ in range(groups[0])]
        read |= set(batch)
    assert read == {root, *root.below()}


def test_long_and_short_segments_are_read_apart() -> None:
    root = build_tree(["a" * 100, "b" * 100, "c" * 99, "d" * 50])
    batches = schedule_batches(root, lambda node: len(node.units), lambda: 9)
    sizes = [[len(node.units) for node in batch] for batch in batches]
    assert sizes == [[100, 100, 99], [50]]
