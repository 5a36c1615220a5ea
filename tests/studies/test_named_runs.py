"""The YAML files of `studies/`: each is of a study, says its own command, and is a configuration of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lcl_lab.studies import find_studies

FOLDER = Path(__file__).parents[2] / "studies"
FILES = sorted(file for file in FOLDER.glob("*.yaml") if not file.stem.endswith("_grid"))
STUDIES = {study.name: study for study in find_studies()}


def study_of(file: Path) -> str:
    return max((name for name in STUDIES if file.name.startswith(name)), key=len)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_named_run_is_a_configuration_of_its_study(file: Path) -> None:
    study = STUDIES[study_of(file)]
    command = f"python -m lcl_lab.studies.{study.name} --config studies/{file.name}"
    assert f"#   {command}\n" in file.read_text(encoding="utf-8")
    config = study.config.create(None, file)
    assert re.search(r"^\w+:", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert config != study.config.create()


def test_every_study_has_one() -> None:
    assert {study_of(file) for file in FILES} == set(STUDIES)
