from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import check_shots, draw_episode
from lcl_lab.errors import UserError

from .factories import picture, refused


def test_a_folder_has_concepts_and_pairs(folder: Path) -> None:
    (folder / "pairs.csv").write_text("positive,negative\ncacti_hog,cactus\nshoe_car,car\n")
    dataset = load_dataset(f"folder:{folder}")
    assert [str(pair) for pair in dataset.pairs] == ["cacti_hog~cactus", "shoe_car~car"]
    assert dataset.concepts["cacti_hog"].name == "cacti hog"
    episode = draw_episode(dataset, 0, 0, 4)
    assert dataset.image(episode.query).mode == "RGB"
    assert len({example.image for example in episode.support} | {episode.query}) == 5
    check_shots(dataset, 10)
    with pytest.raises(UserError, match=r"concept '.*' of folder:.* has 6 images, enough for 10 shots and a query"):
        check_shots(dataset, 12)


def test_a_folder_without_pairs_pairs_by_name(folder: Path) -> None:
    assert [str(pair) for pair in load_dataset(f"folder:{folder}").pairs] == ["cacti_hog~cactus", "car~shoe_car"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda f: (f / "pairs.csv").write_text("positive,negative\ncacti,cactus\n"), "line 2: .* no folder 'cacti'"),
        (lambda f: (f / "pairs.csv").write_text("positive,negative\ncar,car\n"), "line 2: 'car' is paired with itself"),
        (lambda f: (f / "pairs.csv").write_bytes(b"positive,negative\n\xff\n"), "pairs.csv: .*can't decode"),
        (lambda f: (f / "pairs.csv").write_text("a,b\n"), r"line 1: its columns must be positive,negative"),
        (lambda f: (f / "pairs.csv").write_text("positive,negative\n"), "contains no pairs"),
        (lambda f: (f / "empty").mkdir(), "empty contains no images"),
        (lambda f: picture(f / "odd" / "1.png"), "5 concepts cannot all be paired"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_folder_is_reported(folder: Path, spoil: Callable[[Path], object], reason: str) -> None:
    spoil(folder)
    refused(f"folder:{folder}", reason)


def test_a_missing_folder_and_one_without_concepts_are_reported(tmp_path: Path) -> None:
    refused(f"folder:{tmp_path}/none", "no such folder")
    refused(f"folder:{tmp_path}", "contains no folders")
    refused("folders:x", r"did you mean 'folder:PATH'")


def test_a_pair_listed_in_both_orders_is_one_pair(folder: Path) -> None:
    (folder / "pairs.csv").write_text("positive,negative\ncar,cactus\ncactus,car\nshoe_car,cacti_hog\ncar,cactus\n")
    assert [str(pair) for pair in load_dataset(f"folder:{folder}").pairs] == ["car~cactus", "shoe_car~cacti_hog"]


@pytest.mark.parametrize("other", ["shoe car", "Shoe_Car", "shoe  car"])
def test_two_concepts_of_one_name_are_refused(folder: Path, other: str) -> None:
    picture(folder / other / "0.png")
    refused(f"folder:{folder}", "give two concepts the same name, 'shoe +car'; rename one|'Shoe Car'")


def test_one_name_in_two_unicode_forms_is_refused(folder: Path) -> None:
    picture(folder / "caf\u00e9" / "0.png")
    picture(folder / "cafe\u0301" / "0.png")
    refused(f"folder:{folder}", "same name")
