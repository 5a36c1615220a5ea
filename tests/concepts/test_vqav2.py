from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from lcl_lab.concepts import VQA, read_vqa
from lcl_lab.errors import UserError

from .factories import picture


def test_vqa_is_read_as_released(tmp_path: Path) -> None:
    picture(tmp_path / "COCO_val2014_000000000042.jpg")
    question = {"image_id": 42, "question": "What is it?", "question_id": 42000}
    questions = {"data_subtype": "val2014", "questions": [question]}
    answers = [{"answer": "cat", "answer_id": k, "answer_confidence": "yes"} for k in range(1, 11)]
    answered = {"annotations": [{"question_id": 42000, "image_id": 42, "answers": answers}]}
    (tmp_path / "q.json").write_text(json.dumps(questions))
    (tmp_path / "a.json").write_text(json.dumps(answered))
    dataset = read_vqa(tmp_path / "q.json", tmp_path / "a.json", tmp_path)
    (read,) = dataset.questions
    assert (read.text, read.answers) == ("What is it?", ("cat",) * 10)
    assert dataset.image(read.image).size == (30, 20)
    (tmp_path / "COCO_val2014_000000000042.jpg").unlink()
    with pytest.raises(UserError, match=r"no image .*000000000042\.jpg"):
        read_vqa(tmp_path / "q.json", tmp_path / "a.json", tmp_path)
    with pytest.raises(UserError, match="has no field 'annotations'"):
        read_vqa(tmp_path / "q.json", tmp_path / "q.json", tmp_path)


def read_one(folder: Path) -> VQA:
    """Write and read one question about image 42."""
    picture(folder / "COCO_val2014_000000000042.jpg")
    question = {"image_id": 42, "question": "What is it?", "question_id": 42000}
    (folder / "q.json").write_text(json.dumps({"data_subtype": "val2014", "questions": [question]}))
    answers = {"question_id": 42000, "image_id": 42, "answers": [{"answer": "cat"}] * 10}
    (folder / "a.json").write_text(json.dumps({"annotations": [answers]}))
    return read_vqa(folder / "q.json", folder / "a.json", folder)


def test_the_fingerprint_covers_answers_and_images(tmp_path: Path) -> None:
    first = read_one(tmp_path).fingerprint
    assert read_one(tmp_path).fingerprint == first
    (tmp_path / "a.json").write_text((tmp_path / "a.json").read_text().replace("cat", "dog"))
    second = read_vqa(tmp_path / "q.json", tmp_path / "a.json", tmp_path).fingerprint
    Image.new("L", (30, 20), 9).save(tmp_path / "COCO_val2014_000000000042.jpg")
    third = read_vqa(tmp_path / "q.json", tmp_path / "a.json", tmp_path).fingerprint
    assert len({first, second, third}) == 3
