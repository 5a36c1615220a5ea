"""A stored run is read again without evaluating anything, by the command as well."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from lcl_lab.commands import report_program
from lcl_lab.errors import UserError
from lcl_lab.studies import StudyResult, read_result, run_study


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return run_study("false_ratio", preset="tiny", margin=0.2, results=tmp_path_factory.mktemp("results"))


def test_it_has_the_findings_and_options_of_the_run(result: StudyResult) -> None:
    again = read_result(result.path)
    assert repr(again) == repr(result)
    assert again.config == result.config
    pd.testing.assert_frame_equal(again.estimates, result.estimates)
    assert again.findings.setting == result.findings.setting


def test_the_command_prints_findings_and_writes_latex(
    result: StudyResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report_program()([str(result.path), "--latex", str(tmp_path / "paper")])
    out = capsys.readouterr().out
    assert "Accuracy as labels turn false" in out
    assert out.strip().splitlines()[-1] == str(tmp_path / "paper")
    assert "0.2 (change in accuracy" in (tmp_path / "paper" / "methods.tex").read_text(encoding="utf-8")
    assert result.to_latex(tmp_path / "paper") == tmp_path / "paper"


def test_what_cannot_be_reported_is_refused_in_one_line(result: StudyResult, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a run: give results/STUDY/TIME-HASH"):
        read_result(tmp_path)
    empty = tmp_path / "false_ratio" / result.path.name
    shutil.copytree(result.path, empty, ignore=shutil.ignore_patterns("manifest.json", "records.parquet", "*.parquet"))
    with pytest.raises(UserError, match="has no records yet"):
        read_result(empty)
    unknown = shutil.copytree(result.path, tmp_path / "false_ration" / result.path.name)
    with pytest.raises(UserError, match="study false_ration: unknown study; did you mean 'false_ratio'"):
        read_result(unknown)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file; give a folder"):
        report_program()([str(result.path), "--latex", str(tmp_path / "file")])
