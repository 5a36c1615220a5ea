from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoProcessor

from lcl_lab.errors import UserError
from lcl_lab.training.instruction_tasks import open_tasks
from lcl_lab.training.task_template import check_template
from tests.training.instruction_data import llava, write_list

QUESTIONS = [llava("q", "a")] * 2
TURNS = [*QUESTIONS, llava("q", "a", "r", "b")]
SYSTEM = [*QUESTIONS, llava("q", "a", system="s")]
WITHOUT_SYSTEM = "{% for m in messages if m.role != 'system' %}" + (
    "{{ m.role }}{% for p in m.content %}{{ '<image>' if p.type == 'image' else p.text }}{% endfor %}{% endfor %}"
)
ONE_TURN = "{% for p in messages[0].content %}{{ '<image>' if p.type == 'image' else p.text }}{% endfor %}"
REFUSING = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + WITHOUT_SYSTEM


def check(folder: Path, stock: Path, rows: list[dict[str, Any]], template: str | None) -> None:
    processor = AutoProcessor.from_pretrained(stock)
    processor.chat_template = template or processor.chat_template
    check_template(open_tasks(write_list(folder / "rows.json", rows)), processor)


@pytest.mark.parametrize(
    ("rows", "template"), [(TURNS, None), (SYSTEM, None), (TURNS, WITHOUT_SYSTEM), (TURNS, REFUSING)]
)
def test_a_template_that_writes_every_text_is_accepted(
    stock: Path, tmp_path: Path, rows: list[dict[str, Any]], template: str | None
) -> None:
    check(tmp_path, stock, rows, template)


@pytest.mark.parametrize(
    ("rows", "template", "message"),
    [
        (SYSTEM, WITHOUT_SYSTEM, "does not write every text of conversations with system messages; leave such rows"),
        (SYSTEM, REFUSING, "the model cannot be trained on it: its chat template fails: .*no system"),
        ([*TURNS, *SYSTEM], WITHOUT_SYSTEM, "every text of conversations of several turns with system messages; leave"),
    ],
)
def test_a_template_that_does_not_is_refused(
    stock: Path, tmp_path: Path, rows: list[dict[str, Any]], template: str, message: str
) -> None:
    with pytest.raises(UserError, match=rf"tasks .*rows\.json: .*{message}"):
        check(tmp_path, stock, rows, template)
