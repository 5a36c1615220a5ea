"""Reads VQAv2 in its original files: questions, the answers of ten annotators, and COCO images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcl_lab.atomic import parse_json
from lcl_lab.concepts.dataset import ImageRef
from lcl_lab.concepts.file_digests import digest_files
from lcl_lab.concepts.image_reader import read_image
from lcl_lab.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["VQA", "VisualQuestion", "read_vqa"]


@dataclass(frozen=True)
class VisualQuestion:
    """A question about an image, with the answers of its annotators."""

    id: int
    text: str
    image: ImageRef
    answers: tuple[str, ...]


@dataclass(frozen=True)
class VQA:
    """Questions of VQAv2 and their images.

    Attributes:
        questions: the questions in the order of their file.
        images: the folder of images.
        subtype: COCO's name for the images, such as `val2014`.
    """

    questions: Sequence[VisualQuestion]
    images: Path
    subtype: str

    @cached_property
    def fingerprint(self) -> str:
        """Covers questions, answers and the content of the images that the questions are about.

        Raises:
            UserError: an image cannot be read.
        """
        questions = [(one.id, one.text, tuple(one.image), one.answers) for one in self.questions]
        content = (questions, self.subtype, digest_files(self.files()))
        return blake2b(repr(content).encode(), digest_size=8).hexdigest()

    def files(self) -> list[Path]:
        """The image files that the questions are about, by image number."""
        return [self._file(number) for number in sorted({question.image.number for question in self.questions})]

    def image(self, ref: ImageRef) -> Image:
        """The image in RGB; see `read_image`.

        Raises:
            UserError: the file is missing or cannot be read.
        """
        return read_image(self._file(ref.number))

    def _file(self, number: int) -> Path:
        return self.images / f"COCO_{self.subtype}_{number:012}.jpg"


def read_vqa(questions: Path, annotations: Path, images: Path) -> VQA:
    """Read a pair of VQAv2 files.

    Args:
        questions: such as `v2_OpenEnded_mscoco_val2014_questions.json`.
        annotations: such as `v2_mscoco_val2014_annotations.json`.
        images: the folder of images, such as `val2014`.

    Raises:
        UserError: a file is missing or has the wrong format, or the image of a question is missing.
    """
    question_file, annotation_file = _load(questions, "questions"), _load(annotations, "annotations")
    try:
        answers = {
            int(annotation["question_id"]): tuple(str(answer["answer"]) for answer in annotation["answers"])
            for annotation in annotation_file["annotations"]
        }
        subtype = str(question_file["data_subtype"])
        read = [
            VisualQuestion(
                int(question["question_id"]),
                str(question["question"]),
                ImageRef("vqa", subtype, int(question["image_id"])),
                answers[int(question["question_id"])],
            )
            for question in question_file["questions"]
        ]
    except KeyError as error:
        raise UserError(f"{questions}, {annotations}: one of them has no {error}") from None
    vqa = VQA(read, images, subtype)
    for file in vqa.files():
        if not file.is_file():
            raise UserError(f"{questions}: no image {file}")
    return vqa


def _load(path: Path, field: str) -> Any:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: not JSON: {error}") from None
    if not isinstance(content, dict) or field not in content:
        raise UserError(f"{path}: has no field {field!r}")
    return content
