from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.models import Answer, find_checkpoint, load_model, needs_preflight, register_model

PARROT = """
from helper_of_parrot import TEXT
from lcl_lab.models import Answer

class Parrot:
    name, fingerprint, device = "parrot", "1", "cpu"
    def answer(self, prompts, image):
        for prompt in prompts:
            yield Answer(TEXT, (), 0.0)

def load():
    with open(__file__ + ".loads", "a") as file:
        file.write("x")
    return Parrot()
"""


class Silent:
    name, fingerprint, device = "silent", "1", "cpu"

    def answer(self, prompts, image):
        return (Answer("", (), 0.0) for _ in prompts)


@pytest.fixture
def parrot(tmp_path: Path) -> Path:
    """A user's model file with a module next to it."""
    (tmp_path / "helper_of_parrot.py").write_text("TEXT = 'hello'\n")
    file = tmp_path / "parrot.py"
    file.write_text(PARROT)
    return file


def test_a_file_is_loaded_once_and_answers(parrot: Path) -> None:
    checkpoint = find_checkpoint(str(parrot))
    model = load_model(checkpoint)
    assert [answer.text for answer in model.answer([None], None)] == ["hello"]
    assert Path(f"{parrot}.loads").read_text() == "x"
    assert not needs_preflight(checkpoint)
    assert checkpoint.identity()["generation"] == {}


def test_the_fingerprint_covers_the_file_its_modules_and_the_model(parrot: Path) -> None:
    def change(file: Path, old: str, new: str) -> str:
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
        return find_checkpoint(str(parrot)).fingerprint

    fingerprints = [find_checkpoint(str(parrot)).fingerprint]
    assert find_checkpoint(str(parrot)).fingerprint == fingerprints[0]
    fingerprints.append(change(parrot, '"1", "cpu"', '"2", "cpu"'))
    fingerprints.append(change(parrot, "0.0", "1.0"))
    fingerprints.append(change(parrot.parent / "helper_of_parrot.py", "hello", "bye"))
    assert len(set(fingerprints)) == 4
    assert [answer.text for answer in load_model(str(parrot)).answer([None], None)] == ["bye"]


def test_the_fingerprint_of_the_model_counts_even_if_the_code_is_the_same(parrot: Path) -> None:
    weights = parrot.with_name("weights")
    parrot.write_text(
        PARROT.replace("class Parrot:", f"WEIGHTS = open({str(weights)!r}).read()\n\nclass Parrot:").replace(
            '"1", "cpu"', 'WEIGHTS, "cpu"'
        )
    )
    weights.write_text("1")
    before = find_checkpoint(str(parrot)).fingerprint
    weights.write_text("2")
    assert find_checkpoint(str(parrot)).fingerprint != before


def test_an_object_without_the_members_of_a_model_is_an_error(parrot: Path) -> None:
    parrot.write_text("class Parrot:\n    name = 'parrot'\n    answer = print\n\ndef load():\n    return Parrot()\n")
    with pytest.raises(UserError, match=r"^model .*parrot\.py: .* has no fingerprint, device; a model needs name, "):
        find_checkpoint(str(parrot))
    with pytest.raises(UserError, match=r"^model int: the object has no name, fingerprint, device, answer"):
        register_model(3)


def test_an_exception_in_load_is_an_error(parrot: Path) -> None:
    parrot.write_text("def load():\n    return 1 / 0\n")
    with pytest.raises(UserError, match=r"^model .*parrot\.py: load\(\) failed: ZeroDivisionError"):
        find_checkpoint(str(parrot))


def test_a_registered_model_is_found_and_loaded_by_name() -> None:
    register_model(Silent())
    model = Silent()
    register_model(model, "quiet")
    assert find_checkpoint("silent").fingerprint == "1"
    assert find_checkpoint("quiet").name == "quiet"
    assert load_model("quiet") is model
    assert load_model(find_checkpoint("alias=quiet")) is model


@pytest.mark.parametrize("name", ["", "mini/base", "openai:it", "it.py", "a=b"])
def test_names_with_another_meaning_cannot_be_registered(name: str) -> None:
    with pytest.raises(UserError, match=r"^name"):
        register_model(Silent(), name)
