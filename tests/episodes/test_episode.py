from __future__ import annotations

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, falsify, falsify_at

WORLD = load_dataset("world-100")


def test_equal_episodes_have_one_id_and_a_changed_label_another() -> None:
    episode = draw_episode(WORLD, 0, 0, 8)
    assert episode.id == draw_episode(WORLD, 0, 0, 8).id
    ids = {falsify_at(episode, position).id for position in range(1, 9)}
    assert len(ids | {episode.id}) == 9


def test_it_prints_as_a_conversation_that_marks_false_labels() -> None:
    episode = falsify(draw_episode(WORLD, 0, 0, 4), 0.5)
    lines = str(episode).splitlines()
    assert sum("What is in the image?" in line for line in lines) == 5
    assert sum("(false: it is" in line for line in lines) == 2
    for example in episode.support:
        assert any(str(example.image) in line for line in lines)
    assert f"(true: {episode.true_name}, other: {episode.other_name})" in lines[-1]
