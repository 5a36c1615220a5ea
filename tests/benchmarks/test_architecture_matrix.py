"""Every architecture of the installed transformers is exact, or refused with a reason before its weights are loaded."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from lcl_lab.benchmarks import architecture_matrix
from lcl_lab.benchmarks.architecture_matrix import ArchitectureMatrixConfig, check_architecture_exactness, run_matrix
from lcl_lab.errors import UserError
from lcl_lab.store import read_run

# One of each kind; the common ones, of each engine and cache, are in the long test at the end.
SHARED = ["llava"]
WHOLE = ["chameleon"]
ONE_IMAGE = ["florence2"]
REFUSED = {"got_ocr2": "transcribes documents", "diffusion_gemma": "no log-likelihood", "blip": "answers no question"}
COMMON = {
    "llava", "llava_next", "llava_onevision", "vipllava", "video_llava", "qwen2_vl", "qwen2_5_vl", "qwen3_vl",
    "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe", "gemma3", "gemma3n", "gemma4", "mllama", "llama4", "internvl", "smolvlm",
    "idefics", "idefics2", "idefics3", "mistral3", "glm4v", "glm4v_moe", "glm46v", "lfm2_vl", "aya_vision",
    "cohere2_vision", "paligemma", "deepseek_vl", "minicpmv4_6", "molmo2", "kimi_k25",
}  # fmt: skip


@pytest.mark.parametrize("name", [*SHARED, *WHOLE, *ONE_IMAGE])
def test_an_architecture_is_exact(name: str, tmp_path: Path) -> None:
    outcome = check_architecture_exactness(name, tmp_path / name)
    assert (outcome.kind, outcome.note) == ("exact", "")
    assert outcome.shared == (name in SHARED)
    assert outcome.shots == (name not in ONE_IMAGE)


@pytest.mark.parametrize("name", REFUSED)
def test_an_unsuitable_architecture_is_refused(name: str, tmp_path: Path) -> None:
    outcome = check_architecture_exactness(name, tmp_path / name)
    assert outcome.kind == "refused"
    assert REFUSED[name] in outcome.note


def test_a_difference_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = architecture_matrix._plain_answer

    def shifted(*arguments: object) -> dict[str, object]:
        expected = plain(*arguments)  # type: ignore[arg-type]
        return expected | {"loglik_other": expected["loglik_other"] + 2e-4}

    monkeypatch.setattr(architecture_matrix, "_plain_answer", shifted)
    assert check_architecture_exactness("llava", tmp_path / "llava").kind == "wrong"


def test_a_difference_in_what_is_stored_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(run: Path) -> pd.DataFrame:
        records = read_run(run)
        return records.assign(loglik_true=records["loglik_true"] + 2e-4)

    monkeypatch.setattr(architecture_matrix, "read_run", damaged)
    outcome = check_architecture_exactness("llava", tmp_path / "llava")
    assert (outcome.kind, round(outcome.difference or 0, 4)) == ("wrong", 0.0002)


def test_an_unknown_architecture_is_an_error() -> None:
    with pytest.raises(UserError, match="did you mean 'llava'"):
        run_matrix(ArchitectureMatrixConfig(architectures=("llavaa",)))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_common_architectures_are_exact_as_the_documentation_says(tmp_path: Path) -> None:
    outcomes = run_matrix(ArchitectureMatrixConfig(architectures=tuple(sorted(COMMON)), write=tmp_path / "page.md"))
    assert {one.name for one in outcomes if one.kind == "exact"} == COMMON
    page = _verdicts(Path(__file__).parents[2] / "docs" / "architectures.md")
    measured = _verdicts(tmp_path / "page.md")
    assert len(measured) >= len(COMMON)
    assert [row for row in measured if row not in page] == [], (
        "run `lcl bench architectures --write docs/architectures.md`"
    )


def _verdicts(page: Path) -> list[list[str]]:
    """The rows of the table without the differences, which depend on the machine."""
    rows = [line.split(" | ") for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [[*row[:4], *row[5:]] for row in rows]
