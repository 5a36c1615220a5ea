from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lcl_lab.analysis import METRICS
from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import shipped_folder
from lcl_lab.store import connect, runs, same_records
from lcl_lab.studies.false_ratio import STUDY


def study(results: Path, **options: object) -> pd.DataFrame:
    """The records of the study's newest run."""
    STUDY.run(preset="tiny", model="mini/2-way", results=results, **options)
    newest = runs(results)[0]
    assert newest.finished
    return connect(results).execute("SELECT * FROM records WHERE run = ?", [newest.run]).df()


def test_it_writes_a_report_with_its_figure_and_prints_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study(tmp_path, verbose=True)
    folder = Path(capsys.readouterr().out.strip().splitlines()[-1])
    assert folder == runs(tmp_path)[0].path
    report = (folder / "report.md").read_text()
    assert "mini/2-way" in report
    assert "mini/prototype" in report
    assert "python -m lcl_lab.studies.false_ratio --model mini/2-way --queries 12" in report
    for picture in re.findall(r"!\[[^]]*\]\(([^)]*)\)", report):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    assert "<script src=" not in (folder / "figure.html").read_text()


def test_records_hold_exactly_the_false_labels_of_their_condition(tmp_path: Path) -> None:
    records = study(tmp_path)
    assert len(records) == 2 * 3 * 12  # models, ratios, queries
    for row in records.itertuples():
        assert sum(shown["false"] for shown in row.support) == round(row.false_ratio * 4)
    shown = records.groupby("query_id")["query_image"].nunique()
    assert (shown == 1).all()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_records_for_any_batch_size(tmp_path: Path) -> None:
    one, *others = (study(tmp_path / str(size), batch_size=size, queries=30, shots=8) for size in (1, 7, 64))
    for other in others:
        assert same_records(one, other, tolerance=1e-4) is None


@pytest.mark.slow
def test_another_seed_gives_other_episodes(tmp_path: Path) -> None:
    zero, one = study(tmp_path / "0"), study(tmp_path / "1", seed=1)
    assert set(zero["episode_id"]).isdisjoint(one["episode_id"])


def test_a_finished_run_is_not_run_again_and_fresh_keeps_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    capsys.readouterr()
    study(tmp_path, verbose=True)
    assert "already finished" in capsys.readouterr().out
    changed = {path for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert not {path for path in changed if path.suffix != ".lock"}
    study(tmp_path, fresh=True)
    assert len(runs(tmp_path)) == 2


def test_yaml_gives_what_the_command_line_does_not(tmp_path: Path) -> None:
    config = tmp_path / "x.yaml"
    config.write_text("preset: tiny\nratios: [0, 1]\nqueries: 5\n")
    STUDY.run(model="mini/2-way", file=config, results=tmp_path, queries=6)
    (run,) = runs(tmp_path)
    assert run.config["ratios"] == [0.0, 1.0]
    assert run.config["queries"] == 6
    assert run.config["shots"] == 4


def test_provenance_is_enough_to_repeat_the_run(tmp_path: Path) -> None:
    study(tmp_path)
    provenance = json.loads((runs(tmp_path)[0].path / "manifest.json").read_text())["provenance"]
    assert provenance["seeds"] == [0]
    assert provenance["device"] in ("cpu", "cuda:0")
    assert provenance["config"]["models"][0]["fingerprint"]
    assert provenance["versions"]["torch"]


def test_the_reference_can_be_asked_for_like_any_model_and_twice_is_once(tmp_path: Path) -> None:
    STUDY.run(preset="tiny", queries=4, results=tmp_path, model=["mini/prototype", "mini/prototype"])
    assert connect(tmp_path).sql("SELECT DISTINCT model FROM records").fetchall() == [("mini/prototype",)]


@pytest.mark.parametrize(
    ("accuracies", "words"),
    [
        ((0.95, 0.9, 0.5, 0.1, 0.0), "interpolated between the ratios, crosses one half at 50% false labels ["),
        ((0.5, 0.5, 0.5, 0.5, 0.5), "is not above one half at 0% false labels, so no crossing is reported"),
        ((0.95, 0.9, 0.8, 0.7, 0.6), "is not below one half at 100% false labels, so no crossing is reported"),
        ((0.95, 0.9, 0.8, 0.7, 0.45), "uncertain: at 0% or 100% false labels it is too close to one half"),
    ],
)
def test_the_crossing_of_one_half_is_reported_or_why_there_is_none(accuracies: tuple[float, ...], words: str) -> None:
    rows = [
        {"model": "mini/2-way", "false_ratio": ratio / 4, "query_id": query, "pair": f"pair {query // 4}"}
        | dict.fromkeys(METRICS.values(), query % 20 < round(20 * accuracy))
        | {"answer": str(query % 20 < round(20 * accuracy))}
        for ratio, accuracy in enumerate(accuracies)
        for query in range(80)
    ]
    assert STUDY.analyse is not None
    findings = STUDY.analyse(STUDY.config.create(model=("mini/2-way",)), pd.DataFrame(rows))
    scores = [statement.text for statement in findings.sections[1].statements]
    assert len(scores) == 2
    assert all(words in score for score in scores)


def broken_model(tmp_path: Path) -> str:
    from lcl_lab.models import find_checkpoint

    folder = tmp_path / "broken"
    folder.mkdir()
    for file in find_checkpoint("mini/2-way").path.iterdir():
        (folder / file.name).write_bytes(file.read_bytes()[: -1000 if file.suffix == ".safetensors" else None])
    return str(folder)


def misspelt_yaml(tmp_path: Path) -> str:
    (tmp_path / "x.yaml").write_text("shot: 4\n")
    return str(tmp_path / "x.yaml")


def a_file(tmp_path: Path) -> str:
    (tmp_path / "file").write_text("")
    return str(tmp_path / "file")


MISTAKES = {
    "unknown model": (["--model", "mini/2way"], "--model mini/2way: unknown model", "did you mean 'mini/2-way'?"),
    "unknown dataset": (["--data", "world100"], "--data world100: unknown dataset", "did you mean 'world-100'?"),
    "odd shots": (["--shots", "5"], "--shots 5", "such as 6"),
    "no shots": (["--shots", "0"], "--shots 0", "must be at least 2"),
    "too many shots": (["--shots", "200"], "--shots 200", "64 images"),
    "ratio above one": (["--ratios", "0", "1.5"], "--ratios 1.5", "must be at most 1"),
    "negative ratio": (["--ratios", "-0.5"], "--ratios -0.5", "must be at least 0"),
    "not a number": (["--shots", "many"], "--shots many", "must be an integer"),
    "unknown option": (["--shot-count", "4"], "unknown option --shot-count", "--shots"),
    "misspelt key": (["--config", misspelt_yaml], "x.yaml: shot: unknown option", "did you mean 'shots'?"),
    "missing config": (["--config", "no.yaml"], "--config no.yaml", "No such file"),
    "two of a name": (["--model", "a=mini/base", "a=mini/2-way"], "two models are named a", "NAME=PATH"),
    "corrupt checkpoint": (["--model", broken_model], "model.safetensors is damaged", ""),
    "unwritable results": (["--results", a_file], "cannot create", "file"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_line_and_exit_code_2(mistake: str, tmp_path: Path) -> None:
    arguments, what, hint = MISTAKES[mistake]
    given = [argument if isinstance(argument, str) else argument(tmp_path) for argument in arguments]
    results = [] if "--results" in given else ["--results", str(tmp_path / "results")]
    command = [sys.executable, "-m", "lcl_lab.studies.false_ratio", "--preset", "tiny", *given, *results]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert what in done.stderr
    assert hint in done.stderr
    assert "torch" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_help_imports_no_torch() -> None:
    program = """
import sys
from lcl_lab.commands import study_program
from lcl_lab.studies.false_ratio import STUDY
study_program(STUDY)(["--help"])
heavy = {"torch", "transformers", "pandas", "altair", "ray", "numpy"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_models_in_folders_are_asked_and_what_is_no_model_is_one_line(untrained: Path, tmp_path: Path) -> None:
    """A trained embedded model and a prototype lie in folders like any other checkpoint."""
    for model in (untrained, shipped_folder() / "prototype"):
        STUDY.run(preset="tiny", queries=2, model=str(model), results=tmp_path / "results")
    wrong = Path(shutil.copytree(untrained, tmp_path / "wrong"))
    (wrong / "config.json").write_text('{"model_type": "no-such"}')
    with pytest.raises(UserError, match=r"cannot load .*wrong"):
        STUDY.run(preset="tiny", model=str(wrong), results=tmp_path / "results")


@pytest.mark.slow
def test_another_rule_is_another_run(tmp_path: Path) -> None:
    default, strict = study(tmp_path), study(tmp_path, open_rule="strict")
    assert len(runs(tmp_path)) == 2
    assert list(default["correct_open"]) == list(default["correct_paper"])
    assert list(strict["correct_open"]) == list(strict["correct_strict"])
