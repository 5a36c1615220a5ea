from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.concepts import load_dataset

from .factories import picture, refused

pytestmark = pytest.mark.attack


def names_of(folder: Path, content: str) -> dict[str, str]:
    """The names of the concepts of a folder with a `names.csv`."""
    (folder / "pairs.csv").write_text("positive,negative\ncar,cactus\n")
    (folder / "names.csv").write_text(content, encoding="utf-8")
    return {id: concept.name for id, concept in load_dataset(f"folder:{folder}").concepts.items()}


@pytest.mark.parametrize(
    "content",
    [
        "concept,name\ncar,wug\nshoe_car,dax\n",
        "Name;Concept\nwug;Car\ndax;Shoe car\n",
        "concept\tname\ncar\t wug \nshoe car\tdax\n",
    ],
)
def test_listed_concepts_have_other_names(folder: Path, content: str) -> None:
    assert names_of(folder, content) == {"cacti_hog": "cacti hog", "cactus": "cactus", "car": "wug", "shoe_car": "dax"}


def test_names_may_be_exchanged(folder: Path) -> None:
    names = names_of(folder, "concept,name\ncar,cactus\ncactus,car\n")
    assert (names["car"], names["cactus"]) == ("cactus", "car")


def test_names_are_composed_and_have_single_spaces(folder: Path) -> None:
    assert names_of(folder, "concept,name\ncar,cafe\u0301  noir\n")["car"] == "caf\u00e9 noir"


def test_a_folder_whose_name_breaks_prompts_can_be_named(folder: Path) -> None:
    picture(folder / "<image>" / "0.png", 99)
    assert names_of(folder, "concept,name\n<image>,wug\n")["<image>"] == "wug"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("concept,name\ncr,wug\n", r"line 2: there is no concept 'cr'; the nearest are 'car', '\w+', '\w+'"),
        ("concept,name\ncar,wug\ncar,dax\n", "line 3: concept 'car' already has a name in line 2"),
        ("concept,name\ncar,<image>\n", "line 2: the name of 'car' contains '<image>'"),
        ("concept,name\ncar,\n", "line 2: the name of 'car' must be a non-empty string"),
        ("concept,name\ncar,Cactus\n", "concepts 'cactus' and 'car' have the same name"),
        ("id,name\ncar,wug\n", "line 1: its columns must be concept,name"),
        ("concept,name\n", r"names\.csv contains no names"),
    ],
)
def test_what_is_wrong_with_a_table_is_reported(folder: Path, content: str, reason: str) -> None:
    (folder / "names.csv").write_text(content)
    refused(f"folder:{folder}", reason)
