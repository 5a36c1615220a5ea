from __future__ import annotations

import numpy as np
import pytest

from lcl_lab.models.engine.prefix_tree import Node, build_tree, schedule_batches


def text(node: Node) -> str:
    """All units from the root to the end of a node."""
    before = text(node.parent) if node.parent else ""
    return before + "".join(map(str, node.units))


@pytest.mark.parametrize("seed", range(5))
def test_every_prompt_ends_at_the_node_of_its_units(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prompts = ["".join(rng.choice(list("ab"), size=rng.integers(1, 9))) for _ in range(40)]
    root = build_tree(prompts)
    ends = {number: text(node) for node in root.descendants() for number in node.ends}
    assert ends == dict(enumerate(prompts))


def test_a_shared_prefix_occurs_once() -> None:
    root = build_tree(["abcd", "abce", "abx", "ab", "q"])
    segments = sorted("".join(map(str, node.units)) for node in root.descendants())
    assert segments == ["ab", "c", "d", "e", "q", "x"]
    assert sum(len(node.units) for node in root.descendants()) == len(
        {prompt[:k] for prompt in ("abcd", "abx", "abce", "q") for k in range(1, len(prompt) + 1)}
    )


@pytest.mark.parametrize("limit", [1, 3, 8, 100])
def test_batches_follow_parents_and_contain_every_node_once(limit: int) -> None:
    rng = np.random.default_rng(0)
    root = build_tree(["".join(rng.choice(list("abc"), size=rng.integers(1, 12))) for _ in range(200)])
    computed = {root}
    for batch in schedule_batches(root, lambda node: len(node.units), lambda: limit):
        assert 0 < len(batch) <= limit
        assert all(node.parent in computed for node in batch)
        assert not computed & set(batch)
        assert len({bool(node.ends) for node in batch}) == 1
        parents = [node.parent for node in batch]
        groups = [parents.count(parent) for parent in dict.fromkeys(parents)]
        assert max(groups) <= 2 * min(groups)
        assert parents == [
            parent for parent, size in zip(dict.fromkeys(parents), groups, strict=True) for _ in range(size)
        ]
        computed |= set(batch)
    assert computed == {root, *root.descendants()}


def test_prompts_that_end_at_different_depths_share_a_batch() -> None:
    root = build_tree(["ax", "ay", "abx", "aby", "abcx", "abcy", "abcdx", "abcdy"])
    batches = list(schedule_batches(root, lambda node: len(node.units), lambda: 4))
    assert [len(batch) for batch in batches if batch[0].ends] == [4, 4]


def test_long_and_short_segments_are_in_separate_batches() -> None:
    root = build_tree(["a" * 100, "b" * 100, "c" * 99, "d" * 50])
    batches = schedule_batches(root, lambda node: len(node.units), lambda: 9)
    sizes = [[len(node.units) for node in batch] for batch in batches]
    assert sizes == [[100, 100, 99], [50]]
