from __future__ import annotations

from pathlib import Path

import pytest

import lcl_lab as lcl
from lcl_lab.concepts import ImageRef
from lcl_lab.studies import read_history

WORLD = lcl.load_dataset("world-100")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four rendered concepts, of which one has a name that the mini models cannot generate."""
    for name, id in zip(("tove", "rath", "borogove", "slithy tove"), list(WORLD.concepts)[:4], strict=True):
        for image in range(6):
            path = tmp_path / "photos" / name / f"{image}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            WORLD.image(ImageRef(WORLD.name, id, image)).save(path)
    (tmp_path / "photos" / "pairs.csv").write_text("positive,negative\ntove,rath\nborogove,slithy tove\n")
    return tmp_path / "photos"


def run(folder: Path, **options: object) -> lcl.StudyResult:
    settings = {"model": "mini/2-way", "queries": 8, "shots": 4, "ratios": (0, 1), "results": folder.parent / "results"}
    return lcl.run_study("false_ratio", data=f"folder:{folder}", **{**settings, **options})


def test_a_report_begins_with_names_that_a_model_cannot_generate(folder: Path) -> None:
    result = run(folder)
    first = result.findings.sections[0]
    assert first.heading == "Names that a model cannot generate"
    (statement,) = first.statements
    assert "**mini/2-way** cannot generate 1 of 4 names" in statement.text
    assert read_history(result.path).unsayable == {"mini/2-way": (1, 4)}
    assert run(folder).findings.sections[0].heading == first.heading, "the finished run says so too"


def test_invented_names_can_be_generated_and_differ_between_seeds(folder: Path) -> None:
    result, other = run(folder, names="invented"), run(folder, names="invented", seed=1)
    assert "Names that a model cannot generate" not in [section.heading for section in result.findings.sections]
    names = [set(one.records["true_name"]) for one in (result, other)]
    assert not names[0] & names[1]
    assert not names[0] & {"tove", "rath", "borogove", "slithy tove"}
    assert set(result.records["data"]) == {f"folder:{folder} (invented names)"}
    assert set(result.records["query_image"].str.split(":").str[2]) <= {"tove", "rath", "borogove", "slithy tove"}


def test_a_table_names_concepts(folder: Path) -> None:
    table = folder.parent / "words.csv"
    table.write_text("concept,name\nslithy tove,wug\n")
    assert "wug" in set(run(folder, names=str(table)).records["true_name"])


def test_the_names_of_the_release_cannot_be_changed() -> None:
    with pytest.raises(lcl.UserError, match="names cannot be changed with the protocol of the release"):
        lcl.run_study("shots", data="isekai:none.json", protocol="release", names="invented")
