from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lcl_lab.concepts import folder_contents, load_dataset
from lcl_lab.control_characters import escape_controls
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


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda f: (f / "pairs.csv").write_text("positive,negative\ncacti,cactus\n"), "line 2: .* no folder 'cacti'"),
        (lambda f: (f / "pairs.csv").write_text("positive,negative\ncar,car\n"), "line 2: 'car' is paired with itself"),
        (lambda f: (f / "pairs.csv").write_bytes(b"positive,negative\n\xff\n"), "pairs.csv: .*can't decode"),
        (lambda f: (f / "pairs.csv").write_text("a,b\n"), r"line 1: its columns must be positive,negative"),
        (lambda f: (f / "pairs.csv").write_text("positive,negative\n"), "contains no pairs"),
        (lambda f: (f / "empty").mkdir(), "empty contains no images"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_folder_is_reported(folder: Path, spoil: Callable[[Path], object], reason: str) -> None:
    spoil(folder)
    refused(f"folder:{folder}", reason)


def test_a_missing_folder_and_one_without_concepts_are_reported(tmp_path: Path) -> None:
    refused(f"folder:{tmp_path}/none", "no such folder")
    refused(f"folder:{tmp_path}", "contains no folders")
    refused("folders:x", r"did you mean 'folder:PATH'")


@pytest.mark.parametrize("other", ["shoe car", "Shoe_Car", "shoe  car"])
def test_two_concepts_of_one_name_are_refused(folder: Path, other: str) -> None:
    picture(folder / other / "0.png")
    refused(f"folder:{folder}", "give two concepts the same name, 'shoe +car'; rename one|'Shoe Car'")


def test_one_name_in_two_unicode_forms_is_refused(folder: Path) -> None:
    picture(folder / "caf\u00e9" / "0.png")
    picture(folder / "cafe\u0301" / "0.png")
    refused(f"folder:{folder}", "same name")


@pytest.mark.parametrize("name", ["<image>", "<|end|>", "a <img>", "[IMG]", "_", " ", "a\x1b[2J", "wug\u202e"])
def test_names_that_break_prompts_are_refused(folder: Path, name: str) -> None:
    picture(folder / name / "0.png")
    refused(f"folder:{folder}", rf"the name of the folder {re.escape(escape_controls(repr(name)))} (contains|must be)")


def test_names_are_shown_composed_and_with_single_spaces(folder: Path) -> None:
    picture(folder / "cafe\u0301__noir" / "0.png", 99)
    picture(folder / "<3" / "0.png", 98)
    concepts = load_dataset(f"folder:{folder}").concepts
    assert concepts["cafe\u0301__noir"].name == "caf\u00e9 noir"
    assert concepts["<3"].name == "<3"


def test_folders_that_look_the_same_are_told_apart(folder: Path) -> None:
    picture(folder / "caf\u00e9" / "0.png")
    picture(folder / "cafe\u0301" / "0.png")
    refused(f"folder:{folder}", r"the folders 'cafe\\u0301' and 'café' give two concepts the same name, 'café'")


def test_names_and_pairs_are_checked_before_images_are_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(files: object) -> None:
        raise AssertionError("images were decoded")

    monkeypatch.setattr(folder_contents, "verify_images", fail)
    (folder / "pairs.csv").write_text("positive,negative\ncacti,cactus\n")
    refused(f"folder:{folder}", "no folder 'cacti'")
