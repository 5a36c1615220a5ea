from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.concepts import load_dataset

from .factories import picture, refused

pytestmark = pytest.mark.attack


def pairs_of(folder: Path, content: str | bytes) -> list[str]:
    """The pairs of a folder with a `pairs.csv`."""
    (folder / "pairs.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return [str(pair) for pair in load_dataset(f"folder:{folder}").pairs]


@pytest.mark.parametrize(
    "content",
    [
        "positive,negative\ncar,cactus\n",
        "\ufeffPositive;Negative\r\ncar;cactus\r\n;\r\n",
        "POSITIVE\tnegative\ncar\tcactus",
        " positive , negative \n car , cactus \n\n",
        '"positive","negative"\n"car","cactus"\n',
        "note;negative;positive\nby hand, quickly;cactus;car\n",
        "\n\npositive,negative,\ncar,cactus,\n",
        "positive,negative\nCar,CACTUS\n",
    ],
)  # fmt: skip
def test_any_usual_table_is_read(folder: Path, content: str) -> None:
    assert pairs_of(folder, content) == ["car~cactus"]


@pytest.mark.parametrize("name", ["shoe_car", "shoe car", "Shoe Car"])
def test_a_concept_is_found_by_its_folder_or_its_name(folder: Path, name: str) -> None:
    assert pairs_of(folder, f"positive,negative\n{name},car\n") == ["shoe_car~car"]


def test_a_concept_is_found_in_any_unicode_form(folder: Path) -> None:
    picture(folder / "cafe\u0301" / "0.png", 99)
    assert pairs_of(folder, "positive,negative\ncaf\u00e9,car\n") == ["cafe\u0301~car"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("positive,negative\ncar,cactus\nshoe_car,car\ncar,cactus\n", "line 4: 'car' and 'cactus' .* in line 2"),
        ("positive,negative\ncar,cactus\ncactus,car\n", "line 3: 'cactus' and 'car' are already a pair in line 2"),
        ("positive,negative\ncar\n", "line 2: there is no folder ''"),
        ("a,b\n", r"line 1: its columns must be positive,negative"),
        ("", r"line 1: its columns must be positive,negative"),
        ("positive,negative\n,\n", r"pairs\.csv contains no pairs"),
        ('positive,negative\n"car,' + "x" * 140_000 + ",cactus\n", r"pairs\.csv: field larger than field limit"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_reported(folder: Path, content: str, reason: str) -> None:
    (folder / "pairs.csv").write_text(content)
    refused(f"folder:{folder}", reason)


def test_an_unknown_name_is_answered_with_the_nearest_three(folder: Path) -> None:
    for number in range(40):
        picture(folder / f"zebra {number}" / "0.png", 100 + number)
    (folder / "pairs.csv").write_text("positive,negative\ncacti,car\n")
    refused(f"folder:{folder}", "line 2: there is no folder 'cacti'; the nearest are 'cactus', 'cacti_hog', 'car'$")
