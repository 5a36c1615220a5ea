"""VQAv2 in its own files: questions, the ten annotators' answers, and images by their number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from lcl_lab.concepts.dataset import ImageRef
from lcl_lab.errors import UserError

__all__ = ["VQA", "VisualQuestion", "read_vqa"]


@dataclass(frozen=True)
class VisualQuestion:
    """A question about an image, and what annotators answered."""

    id: int
    text: str
    image: ImageRef
    answers: tuple[str, ...]


@dataclass(frozen=True)
class VQA:
    """Questions in the order of their file, and the images they are about."""

    questions: Sequence[VisualQuestion]
    images: Path
    subtype: str  # of the images, such as `val2014`
    fingerprint: str  # of both files

    def image(self, ref: ImageRef) -> Image.Image:
        """The image in RGB.

        Raises:
            UserError: the file is not there or cannot be read.
        """
        file = self._file(ref.number)
        try:
            with Image.open(file) as opened:
                return opened.convert("RGB")
        except (UnidentifiedImageError, OSError) as error:
            raise UserError(f"{file} cannot be read as an image: {error}") from error

    def _file(self, number: int) -> Path:
        """COCO's name of an image."""
        return self.images / f"COCO_{self.subtype}_{number:012}.jpg"


def read_vqa(questions: Path, annotations: Path, images: Path) -> VQA:
    """The standard pair of files.

    Raises:
        UserError: a file is not there or not in the form, or an image of a question is not there.
    """
    asked, answered = _load(questions, "questions"), _load(annotations, "annotations")
    try:
        answers = {
            int(one["question_id"]): tuple(str(answer["answer"]) for answer in one["answers"])
            for one in answered["annotations"]
        }
        subtype = str(asked["data_subtype"])
        read = [
            VisualQuestion(
                int(one["question_id"]),
                str(one["question"]),
                ImageRef("vqa", subtype, int(one["image_id"])),
                answers[int(one["question_id"])],
            )
            for one in asked["questions"]
        ]
    except KeyError as error:
        raise UserError(f"{questions}, {annotations}: no {error} in one of them") from None
    digest = blake2b(questions.read_bytes() + annotations.read_bytes(), digest_size=8).hexdigest()
    found = VQA(read, images, subtype, digest)
    for number in sorted({question.image.number for question in read}):
        if not found._file(number).is_file():
            raise UserError(f"{questions}: no image {found._file(number)}")
    return found


def _load(path: Path, field: str) -> Any:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: not JSON: {error}") from None
    if not isinstance(content, dict) or field not in content:
        raise UserError(f"{path}: has no field {field!r}")
    return content
