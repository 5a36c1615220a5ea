"""A run is identified by the content of everything that its records depend on."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import lcl_lab as lcl

MODEL = """
from lcl_lab.models import Answer, Loglik
from helper import WORD

class Parrot:
    name, fingerprint, device = "parrot", {fingerprint!r}, "cpu"
    def answer(self, prompts, image):
        for prompt in prompts:
            yield Answer(WORD, tuple(Loglik(-1.0, 1) for _ in prompt.candidates), 0.0)

def load():
    return Parrot()
"""
DATASET = """
from PIL import Image
from lcl_lab.concepts import Concept, Pair

class Colours:
    name, fingerprint = "colours", "always the same"
    concepts = {{c: Concept(c, n, "", images=40) for c, n in (("teal", "wug"), ("tan", {name!r}))}}
    pairs = [Pair("teal", "tan")]
    def image(self, ref):
        return Image.new("RGB", (64, 64), ref.concept)

def load():
    return Colours()
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "helper.py").write_text("WORD = 'wug'\n")
    (tmp_path / "parrot.py").write_text(MODEL.format(fingerprint="1"))
    (tmp_path / "colours.py").write_text(DATASET.format(name="dax"))
    return tmp_path


def run(files: Path) -> lcl.StudyResult:
    return lcl.run_study(
        "false_ratio", preset="tiny", queries=4, model=str(files / "parrot.py"), data=str(files / "colours.py"),
        results=files / "results",
    )  # fmt: skip


CHANGES: dict[str, Callable[[Path], object]] = {
    "the model's fingerprint": lambda files: (files / "parrot.py").write_text(MODEL.format(fingerprint="2")),
    "a module that the model imports": lambda files: (files / "helper.py").write_text("WORD = 'dax'\n"),
    "the dataset under the same fingerprint": lambda files: (files / "colours.py").write_text(
        DATASET.format(name="zud")
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_starts_a_new_run_and_its_return_finds_the_old_one(change: str, files: Path) -> None:
    before = {name: (files / name).read_text() for name in ("helper.py", "parrot.py", "colours.py")}
    first = run(files)
    assert run(files).path == first.path
    CHANGES[change](files)
    second = run(files)
    assert second.path != first.path
    for name, text in before.items():
        (files / name).write_text(text)
        os.utime(files / name)
    assert run(files).path == first.path


def test_the_new_run_has_the_answers_of_the_new_code(files: Path) -> None:
    answers = run(files).records
    assert set(answers[answers["model"].str.contains("parrot")]["answer"]) == {"wug"}
    CHANGES["a module that the model imports"](files)
    answers = run(files).records
    assert set(answers[answers["model"].str.contains("parrot")]["answer"]) == {"dax"}


def inline_study(*positions: int, shift: int = 0) -> lcl.Study[lcl.EpisodeConfig]:
    """One false label at some positions; `shift` moves it, which no option and no condition shows."""
    world = lcl.load_dataset("world-100")

    def design(config: lcl.EpisodeConfig) -> lcl.Design:
        def draw(position: int, query: int) -> lcl.Episode:
            return lcl.falsify_at(lcl.draw_episode(world, config.seed, query, shots=4), position + shift)

        return lcl.episode_design(
            world, config.queries, [({"position": position}, partial(draw, position)) for position in positions]
        )

    return lcl.Study("inline", design, reference=False)


def test_an_edited_study_is_another_run(tmp_path: Path) -> None:
    def run(study: lcl.Study[lcl.EpisodeConfig]) -> lcl.StudyResult:
        return lcl.run_study(study, model="mini/prototype", queries=4, results=tmp_path)

    first = run(inline_study(1, 2))
    assert run(inline_study(1, 2)).path == first.path
    others = run(inline_study(3, 4))
    assert set(others.records["position"]) == {3, 4}
    moved = run(inline_study(1, 2, shift=1))
    assert len({first.path, others.path, moved.path}) == 3
    false = [[shown["false"] for shown in support].index(True) + 1 for support in moved.records["support"]]
    assert false == (moved.records["position"] + 1).tolist()


def test_another_prompt_format_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> Path:
        return lcl.run_study("false_ratio", preset="tiny", queries=2, model="mini/prototype", results=tmp_path).path

    first = run()
    monkeypatch.setattr("lcl_lab.prompts.conversation.QUESTION", "What is this?")
    assert run() != first


def test_an_image_of_the_same_size_with_other_content_is_another_dataset(tmp_path: Path) -> None:
    for concept, shade in (("red_thing", 200), ("blue_thing", 100)):
        (tmp_path / "images" / concept).mkdir(parents=True)
        for number in range(6):
            (tmp_path / "images" / concept / f"{number}.bmp").write_bytes(_bitmap(shade + number))
    first = lcl.load_dataset(f"folder:{tmp_path / 'images'}").fingerprint
    image = tmp_path / "images" / "red_thing" / "0.bmp"
    size = image.stat().st_size
    image.write_bytes(_bitmap(7))
    assert image.stat().st_size == size
    assert lcl.load_dataset(f"folder:{tmp_path / 'images'}").fingerprint != first


def _bitmap(shade: int) -> bytes:
    import io

    from PIL import Image

    content = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(content, "BMP")
    return content.getvalue()
