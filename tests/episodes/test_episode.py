from __future__ import annotations

from dataclasses import replace
from io import BytesIO

from PIL import Image

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, episode_html, episode_image, falsify, falsify_at

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


def test_the_dataset_is_no_part_of_an_episode() -> None:
    episode = draw_episode(WORLD)
    bare = replace(episode, dataset=None)
    assert bare == episode and hash(bare) == hash(episode) and bare.id == episode.id
    assert "dataset" not in repr(episode) and repr(bare) == repr(episode)


def test_it_displays_in_notebooks() -> None:
    episode = draw_episode(WORLD)
    assert episode._repr_html_() == episode_html(episode)
    png = episode._repr_png_()
    assert png is not None
    with Image.open(BytesIO(png)) as picture:
        assert picture.tobytes() == episode_image(episode).tobytes()
    assert replace(episode, dataset=None)._repr_png_() is None
    assert replace(episode, dataset=None)._repr_html_()
