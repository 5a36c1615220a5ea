"""VQAv2 in its own files through a study, and what is wrong with them told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from lcl_lab.benchmarks import architectures
from lcl_lab.errors import UserError
from lcl_lab.prompts import KINDS
from lcl_lab.store import read_run, runs
from lcl_lab.studies.zero_shot import STUDY

TINY = {"preset": "tiny", "queries": 4, "questions": 0}


@pytest.fixture
def vqa(tmp_path: Path) -> dict[str, Path]:
    """Twelve questions about three images, four annotators of ten for the usual answer."""
    for number in range(3):
        Image.new("RGB", (64, 64), (80 * number, 0, 0)).save(tmp_path / f"COCO_val2014_{number:012}.jpg")
    asked = [{"image_id": k % 3, "question": "What is it?", "question_id": k} for k in range(12)]
    answers = [{"answer": "red" if k < 4 else f"other {k}", "answer_id": k} for k in range(10)]
    answered = [{"question_id": k, "image_id": k % 3, "answers": answers} for k in range(12)]
    (tmp_path / "q.json").write_text(json.dumps({"data_subtype": "val2014", "questions": asked}))
    (tmp_path / "a.json").write_text(json.dumps({"annotations": answered}))
    return {"vqa_questions": tmp_path / "q.json", "vqa_annotations": tmp_path / "a.json", "vqa_images": tmp_path}


def test_vqav2_is_asked_and_graded_as_its_organisers_do(vqa: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "reddish.py").write_text(
        "from lcl_lab.models import Answer\n"
        "class Reddish:\n"
        "    name, fingerprint, device = 'reddish.py', '1', 'cpu'\n"
        "    def answer(self, prompts, image):\n"
        "        for p in prompts:\n"
        "            assert image(p.images[0]).size == (64, 64)\n"
        "            yield Answer('Red.' if 'single word' in str(p.turns) else 'x', (), 0.0)\n"
        "def load():\n"
        "    return Reddish()\n"
    )
    models = ["mini/base", str(tmp_path / "reddish.py")]
    outcome = STUDY.run(**TINY, model=models, **vqa, results=tmp_path / "results")
    records = read_run(outcome.path)
    asked = records[(records["task"] == "VQAv2") & (records["model"] != "mini/base")]
    assert len(asked) == 12
    assert asked["pair"].nunique() == 3
    assert asked["score"].tolist() == [1.0] * 12
    assert (records.loc[records["model"] == "mini/base", "score"] <= 1).all()
    assert "VQAv2" in (outcome.path / "report.md").read_text()


def test_what_is_missing_is_told_before_anything_is_loaded(vqa: dict[str, Path], tmp_path: Path) -> None:
    results = tmp_path / "results"
    with pytest.raises(UserError, match="VQAv2 needs vqa_questions, vqa_annotations"):
        STUDY.run(**TINY, vqa_questions=vqa["vqa_questions"], results=results)
    (tmp_path / "COCO_val2014_000000000001.jpg").unlink()
    with pytest.raises(UserError, match=r"no image .*000000000001\.jpg"):
        STUDY.run(**TINY, **vqa, results=results)
    assert not runs(results)


@pytest.mark.parametrize("architecture", ["blip-2", "idefics"])
def test_models_of_table_3_answer_the_questions_and_name_without_shots(
    architecture: str, vqa: dict[str, Path], tmp_path: Path
) -> None:
    models = ["mini/base", str(architectures.build(architecture, tmp_path / architecture))]
    options = {"queries": 4, "questions": 4, "max_new_tokens": 4}
    outcome = STUDY.run(preset="tiny", **options, model=models, **vqa, results=tmp_path / "results")
    records = read_run(outcome.path)
    answered = records[records["model"] != "mini/base"]
    mini_vqa = len(KINDS)  # one question of each
    assert answered["task"].value_counts().to_dict() == {"naming": 4, "mini-VQA": mini_vqa, "VQAv2": 12}
    assert (answered["status"] == "ok").all()
