from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoProcessor

from lcl_lab.errors import UserError
from lcl_lab.training.instruction_tasks import open_tasks
from lcl_lab.training.task_template import check_template
from tests.training.instruction_data import llava, write_images, write_list

QUESTIONS = [llava("q", "a")] * 2
TURNS = [*QUESTIONS, llava("q", "a", "r", "b")]
IMAGE_TURNS = [*QUESTIONS, llava("<image>q", "a", "<image>r", "b", image=["red.png", "blue.png"])]
SYSTEM = [*QUESTIONS, llava("q", "a", system="s")]
WITHOUT_SYSTEM = "{% for m in messages if m.role != 'system' %}" + (
    "{{ m.role }}{% for p in m.content %}{{ '<image>' if p.type == 'image' else p.text }}{% endfor %}{% endfor %}"
)
FIRST_QUESTION = (
    "{% for m in messages %}{% set whole = loop.first or m.role == 'assistant' %}{{ m.role }}"
    "{% for p in m.content %}{{ '<image>' if p.type == 'image' else p.text if whole }}{% endfor %}{% endfor %}"
)
REFUSING = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + WITHOUT_SYSTEM
SHIKRA = (files("lcl_lab") / "data" / "shikra.jinja").read_text().replace("<im_start><im_patch><im_end>", "<image>")


def check(folder: Path, stock: Path, rows: list[dict[str, Any]], template: str | None) -> None:
    write_images(folder)
    processor = AutoProcessor.from_pretrained(stock)
    processor.chat_template = template or processor.chat_template
    check_template(open_tasks(write_list(folder / "rows.json", rows)), processor)


@pytest.mark.parametrize(
    ("rows", "template"),
    [
        *((rows, None) for rows in (TURNS, IMAGE_TURNS, SYSTEM)),
        *((rows, SHIKRA) for rows in (TURNS, SYSTEM)),
        (TURNS, WITHOUT_SYSTEM),
        (TURNS, REFUSING),
    ],
)
def test_a_template_that_writes_every_text_is_accepted(
    stock: Path, tmp_path: Path, rows: list[dict[str, Any]], template: str | None
) -> None:
    check(tmp_path, stock, rows, template)


@pytest.mark.parametrize(
    ("rows", "template", "message"),
    [
        (SYSTEM, WITHOUT_SYSTEM, "does not write every text of conversations with a system message; leave such rows"),
        (SYSTEM, REFUSING, "the model cannot be trained on it: its chat template fails: .*no system"),
        (TURNS, FIRST_QUESTION, "every text of conversations of several turns; leave such rows out"),
        (IMAGE_TURNS, SHIKRA, "every text of conversations with an image in every turn; leave such rows out"),
    ],
)
def test_a_template_that_does_not_is_refused(
    stock: Path, tmp_path: Path, rows: list[dict[str, Any]], template: str, message: str
) -> None:
    with pytest.raises(UserError, match=rf"tasks .*rows\.json: .*{message}"):
        check(tmp_path, stock, rows, template)
