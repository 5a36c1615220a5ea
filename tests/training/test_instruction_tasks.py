from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ImageColor

from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.prompts import Prompt, Turn
from lcl_lab.training.instruction_rows import TASK_IMAGES
from lcl_lab.training.instruction_tasks import InstructionTasks, TokenLimit, held_out_rows, open_tasks
from tests.training.instruction_data import (
    COLOURS,
    llava,
    png,
    questions,
    save_to_disk,
    write_images,
    write_lines,
    write_list,
    write_parquet,
)


def drawn(tasks: InstructionTasks, count: int, seed: int = 0) -> list[Prompt]:
    rng = np.random.default_rng(seed)
    return [tasks.draw(rng) for _ in range(count)]


def stored(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows with the content of their images."""
    images = [{"bytes": png(row["image"].removesuffix(".png")), "path": None} for row in rows]
    return [{**row, "image": image} for row, image in zip(rows, images, strict=True)]


FORMATS: dict[str, Callable[[Path, list[dict[str, Any]]], Path]] = {
    "list": lambda folder, rows: write_list(folder / "rows.json", rows),
    "lines": lambda folder, rows: write_lines(folder / "rows.txt", rows),
    "parquet": lambda folder, rows: write_parquet(folder / "rows.parquet", rows),
    "parquet with images": lambda folder, rows: write_parquet(folder / "rows.bin", stored(rows)),
    "save_to_disk": lambda folder, rows: save_to_disk(folder / "rows", stored(rows)),
}


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_every_format_is_known_by_its_content_and_gives_the_same_prompts(
    tmp_path: Path, write: Callable[[Path, list[dict[str, Any]]], Path]
) -> None:
    write_images(tmp_path)
    tasks = open_tasks(write(tmp_path, questions(7)))
    prompts = drawn(tasks, 40) + tasks.held_out(64)
    numbers = [int(prompt.text.removeprefix("What is ").removesuffix("?")) for prompt in prompts]
    assert set(numbers) == set(range(7))
    for number, prompt in zip(numbers, prompts, strict=True):
        (image,), colour = prompt.images, COLOURS[number % 3]
        assert prompt == Prompt((Turn("user", (image, f"What is {number}?")),), (f"it is {colour}",))
        assert tasks.image(image).getpixel((0, 0)) == ImageColor.getrgb(colour)


def test_the_draw_depends_on_the_generator_only(tmp_path: Path) -> None:
    rows = [llava(f"{k}", "a", "q", "b", "r", "c") for k in range(50)]
    one = drawn(open_tasks(write_list(tmp_path / "rows.json", rows)), 200)
    assert one == drawn(open_tasks(write_lines(tmp_path / "rows.jsonl", rows)), 200)
    assert one != drawn(open_tasks(tmp_path / "rows.json"), 200, seed=1)
    assert {prompt.candidates for prompt in one} == {("a",), ("b",), ("c",)}  # a conversation ends at any answer
    assert {len(prompt.turns) for prompt in one} == {1, 3, 5}


@pytest.mark.parametrize(("rows", "expected"), [(2, 1), (150, 1), (250, 2)])
def test_one_row_in_a_hundred_is_held_out_and_never_drawn(tmp_path: Path, rows: int, expected: int) -> None:
    path = write_list(tmp_path / "rows.json", [llava(f"{k}", "a", "last", "b") for k in range(rows)])
    tasks = open_tasks(path)
    held_out = tasks.held_out(64)
    assert len(held_out) == expected
    assert all(prompt.candidates == ("b",) for prompt in held_out)
    never = {prompt.turns[0] for prompt in held_out}
    every = {Turn("user", (f"{k}",)) for k in range(rows)}
    assert {prompt.turns[0] for prompt in drawn(tasks, 20 * rows)} == every - never


def test_held_out_rows_are_spread_and_the_same_everywhere() -> None:
    assert [held_out_rows(rows).tolist() for rows in (1, 2, 100, 300)] == [[0], [1], [48], [196, 295, 186]]
    many = held_out_rows(665_298)
    assert (len(set(many.tolist())), many.dtype) == (500, np.int64)
    assert np.histogram(many, 5, (0, 665_298))[0].min() > 70


def test_conversations_that_are_too_long_are_left_out_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [llava("q" * (k % 50 + 1), "a", "last", "b") for k in range(300)]
    everything = open_tasks(write_list(tmp_path / "rows.json", rows))
    short = everything.within(TokenLimit(20, lambda prompt: len(str(prompt.turns[0].parts[0]))))
    lengths = {len(str(prompt.turns[0].parts[0])) for prompt in drawn(short, 500)}
    assert lengths == set(range(1, 21))
    held_out = [prompt for prompt in everything.held_out(64) if len(str(prompt.turns[0].parts[0])) <= 20]
    assert short.held_out(64) == held_out
    (line,) = caplog.messages
    found = re.search(
        r"rows.json: row (\d+): a conversation of (\d+) tokens is left out, as all are that have more", line
    )
    assert found is not None
    assert (int(found[1]) - 1) % 50 + 1 == int(found[2]) > 20


def test_a_file_of_nothing_but_long_conversations_is_reported(tmp_path: Path) -> None:
    tasks = open_tasks(write_list(tmp_path / "rows.json", [llava("question", "a")] * 3))
    with pytest.raises(
        UserError, match=r"1,000 conversations that were drawn have more than 7 tokens; shorten them, or"
    ):
        tasks.within(TokenLimit(7, lambda prompt: 8)).draw(np.random.default_rng(0))


def test_images_may_be_in_another_folder(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    path = write_list(tmp_path / "rows.json", questions(3))
    with pytest.raises(UserError) as error:
        open_tasks(path)
    reason = f"row 1: no image {tmp_path}/red.png; expected a path within {tmp_path}, or give task_images"
    assert str(error.value) == f"tasks {path}: {reason}"
    tasks = open_tasks(path, tmp_path / "images")
    assert tasks.image(ImageRef(TASK_IMAGES, "green.png", 0)).getpixel((0, 0)) == (0, 128, 0)
    with pytest.raises(UserError, match=r"task_images .*none: no such folder"):
        open_tasks(path, tmp_path / "none")


def test_an_image_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(b"no image")
    tasks = open_tasks(write_list(tmp_path / "rows.json", [llava("<image>", "a", image="red.png")] * 2))
    with pytest.raises(UserError, match=r"tasks .*rows.json: .*red.png cannot be read as an image"):
        tasks.image(tasks.held_out(1)[0].images[0])
    damaged = [{**llava("<image>", "a"), "image": {"bytes": b"no image", "path": None}}] * 2
    tasks = open_tasks(write_parquet(tmp_path / "rows.parquet", damaged))
    with pytest.raises(UserError, match=r"tasks .*rows.parquet: row 2: image 1 cannot be read: not an image"):
        tasks.image(tasks.held_out(1)[0].images[0])


def test_bad_rows_are_reported_in_one_line_before_training(tmp_path: Path) -> None:
    rows = [llava("q", "a"), llava("q"), llava("<image>", "a")]
    path = write_list(tmp_path / "rows.json", rows)
    with pytest.raises(UserError) as error:
        open_tasks(path)
    reason = "expected a turn of gpt or assistant with text, after one of human or user (2 rows are wrong in all)"
    assert str(error.value) == f"tasks {path}: row 2: has no answer; {reason}"
    lines = write_lines(tmp_path / "rows.jsonl", [llava("q", "a"), 3])
    with pytest.raises(UserError, match=r"rows.jsonl: line 2: is a number; expected an object with conversations or"):
        open_tasks(lines)
    lines.write_text("{\n}\n")
    with pytest.raises(UserError, match=r"line 1: is not JSON: .*; expected one JSON value \(2 rows are wrong"):
        open_tasks(lines)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no rows; expected at least 2, of which one is held out"),
        (json.dumps([llava("q", "a")]), "has 1 row; expected at least 2"),
    ],
)
def test_a_file_of_too_few_rows_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "rows.json").write_text(content)
    with pytest.raises(UserError, match=f"rows.json: {message}"):
        open_tasks(tmp_path / "rows.json")


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tasks .*none.json: no such file or folder"):
        open_tasks(tmp_path / "none.json")


def test_a_file_that_changes_during_training_is_reported(tmp_path: Path) -> None:
    path = write_list(tmp_path / "rows.json", [llava("q", "a")] * 3)
    tasks = open_tasks(path)
    path.write_text("[]")
    with pytest.raises(UserError, match=r"row \d: cannot be read any more"):
        drawn(tasks, 1)


def test_an_index_is_used_again_until_the_file_changes(tmp_path: Path) -> None:
    path = write_list(tmp_path / "rows.json", [llava("q", "a")] * 3)
    tasks = open_tasks(path)
    assert open_tasks(path) is tasks
    before = tasks.fingerprint
    write_list(path, [llava("q", "a")] * 4)
    assert open_tasks(path) is not tasks
    assert open_tasks(path).fingerprint != before


def test_instruction_data_has_no_known_objects_to_name(tmp_path: Path) -> None:
    tasks = open_tasks(write_list(tmp_path / "rows.json", [llava("q", "a")] * 3))
    with pytest.raises(UserError, match="has no objects with usual names, which the strategy draws"):
        tasks.name_many(np.random.default_rng(0), 4)
