"""Expected queries and supports are read from the files themselves, as the release's dataset classes read them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from lcl_lab.concepts import ImageRef
from lcl_lab.episodes import FINAL_QUESTION, Episode, ReleaseEpisodes, check_shots, draw_episode, falsify
from lcl_lab.errors import UserError
from lcl_lab.prompts import chat
from tests.concepts.factories import picture


@pytest.fixture
def isekai(tmp_path: Path) -> Path:
    """Two pairs; both orders of the first, and images that several lines share."""
    lines = []
    for positive, negative, label in (
        ("Cactihog", "cactus", "Cactihog"),
        ("cactus", "Cactihog", "cactus"),
        ("octovac", "vacuum", "vacuum"),
        ("Cactihog", "cactus", "cactus"),
    ):
        paths = {name: [f"{name}/{n}.png" for n in range(5)] for name in (positive, negative)}
        start = len(lines) % 2
        lines.append(
            {
                "image_name": paths[label][4],
                "positive_list": paths[positive][start : start + 3],
                "negative_list": paths[negative][start : start + 3],
                "positive_promt": positive,
                "negative_promt": negative,
                "label_name": label,
            }
        )
    return write(tmp_path / "ISEKAI-10.json", lines)


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    """Two pairs of classes; the second has more test images than the release evaluates."""
    lines = [
        {
            "class_id": f"n{number}",
            "class_name": name,
            "context_samples": [f"train/n{number}/{n}.JPEG" for n in range(4)],
            "test_samples": [f"val/{number}_{n}.JPEG" for n in range(52 if number == 2 else 3)],
        }
        for number, name in enumerate(("Sea Lion", "lion", "Hen", "Cock"))
    ]
    return write(tmp_path / "test100_pairs.jsonl", lines)


def write(path: Path, lines: list[dict[str, object]]) -> Path:
    path.write_text("\n".join(map(json.dumps, lines)))
    for line in lines:
        for name in line.values():
            for file in name if isinstance(name, list) else [name]:
                if str(file).endswith(("png", "JPEG")):
                    picture(path.parent / file)
    return path


def lines_of(path: Path) -> list[dict[str, list[str]]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def shown(episode: Episode) -> Counter[tuple[str, str]]:
    """The support as files and labels, without its order."""
    return Counter((file(episode, example.image), example.label) for example in episode.support)


def file(episode: Episode, ref: ImageRef) -> str:
    assert isinstance(episode.dataset, ReleaseEpisodes)
    path = episode.dataset.files[ref.concept][ref.number]
    return str(path.relative_to(Path(episode.dataset.name.partition(":")[2]).parent))


@pytest.mark.parametrize("per_class", [0, 1, 3])
def test_every_line_of_isekai_is_an_episode(isekai: Path, per_class: int) -> None:
    dataset = ReleaseEpisodes(f"isekai:{isekai}")
    lines = lines_of(isekai)
    assert len(dataset.queries) == len(lines)
    for number, line in enumerate(lines):
        episode = draw_episode(dataset, 0, number, 2 * per_class)
        expected = Counter((one, str(line["positive_promt"])) for one in line["positive_list"][:per_class])
        expected += Counter((one, str(line["negative_promt"])) for one in line["negative_list"][:per_class])
        assert shown(episode) == expected
        assert (file(episode, episode.query), episode.true_name) == (line["image_name"], line["label_name"])
        assert {episode.true_name, episode.other_name} == {line["positive_promt"], line["negative_promt"]}


@pytest.mark.parametrize("per_class", [0, 2, 4])
def test_the_first_test_images_of_each_class_of_imagenet_are_queries(imagenet: Path, per_class: int) -> None:
    dataset = ReleaseEpisodes(f"imagenet:{imagenet}")
    classes = lines_of(imagenet)
    expected = [(index, image) for index, one in enumerate(classes) for image in one["test_samples"][:50]]
    assert len(dataset.queries) == len(expected) == 3 + 3 + 50 + 3
    for number, (index, image) in enumerate(expected):
        episode = draw_episode(dataset, 0, number, 2 * per_class)
        true, other = classes[index], classes[index ^ 1]
        assert file(episode, episode.query) == image
        assert (episode.true_name, episode.other_name) == tuple(str(one["class_name"]).lower() for one in (true, other))
        assert shown(episode) == Counter(
            (sample, str(one["class_name"]).lower())
            for one in (true, other)
            for sample in one["context_samples"][:per_class]
        )


def test_both_orders_of_a_pair_are_one_cluster(isekai: Path) -> None:
    dataset = ReleaseEpisodes(f"isekai:{isekai}")
    pairs = [draw_episode(dataset, 0, number, 2).pair for number in range(4)]
    assert pairs[0] == pairs[1] == pairs[3] != pairs[2]


def test_the_order_of_a_support_is_random_and_reproducible(imagenet: Path) -> None:
    dataset = ReleaseEpisodes(f"imagenet:{imagenet}")
    orders = [draw_episode(dataset, seed, 0, 8).support for seed in (0, 0, 1, 2)]
    assert orders[0] == orders[1]
    assert len(set(orders)) == 3
    assert all(Counter(order) == Counter(orders[0]) for order in orders)


def test_the_final_question_is_the_releases(isekai: Path) -> None:
    dataset = ReleaseEpisodes(f"isekai:{isekai}")
    for shots in (0, 2):
        episode = falsify(draw_episode(dataset, 0, 0, shots), 1.0)
        questions = [turn.parts[0] for turn in chat(episode).turns if turn.role == "user"]
        assert questions == ["What is in the image?"] * shots + [FINAL_QUESTION]


def test_impossible_episodes_are_refused(isekai: Path, imagenet: Path, tmp_path: Path) -> None:
    dataset = ReleaseEpisodes(f"isekai:{isekai}")
    with pytest.raises(UserError, match=r"shots 8: query 0 of isekai:.* has images for 6"):
        check_shots(dataset, 8)
    with pytest.raises(UserError, match=r"shots 3: half of the shots .* an even number up to 6"):
        draw_episode(dataset, 0, 0, 3)
    with pytest.raises(UserError, match=r"queries 5: isekai:.* has 4 queries"):
        draw_episode(dataset, 0, 4, 2)
    with pytest.raises(UserError, match="queries_per_support 2: every query of the release has its own support"):
        check_shots(dataset, 2, queries_per_support=2)
    with pytest.raises(UserError, match="data world-100: is not evaluated by the release"):
        ReleaseEpisodes("world-100")
    train = {"class_id": "n0", "class_name": "a", "samples": ["0.png"], "neighbors": [["n1", "b", "1.png"]]}
    lines = [train, {**train, "class_id": "n1", "class_name": "b", "neighbors": [["n0", "a", "0.png"]]}]
    path = write(tmp_path / "train900_pairs.jsonl", lines)
    with pytest.raises(UserError, match=r"has no context_samples; the release evaluates test100_pairs\.jsonl"):
        ReleaseEpisodes(f"imagenet:{path}")


def test_the_fingerprint_covers_the_queries_wherever_the_file_is(isekai: Path, tmp_path: Path) -> None:
    before = ReleaseEpisodes(f"isekai:{isekai}").fingerprint
    moved = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    path = moved / isekai.name
    assert ReleaseEpisodes(f"isekai:{path}").fingerprint == before
    lines = lines_of(path)
    lines[0]["positive_list"].reverse()
    path.write_text("\n".join(map(json.dumps, lines)))
    assert ReleaseEpisodes(f"isekai:{path}").fingerprint != before
