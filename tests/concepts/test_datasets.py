from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lcl_lab.concepts import (
    DATASETS,
    Concept,
    ImageRef,
    Pair,
    dataset_identity,
    dataset_name,
    load_dataset,
    register_dataset,
)
from lcl_lab.concepts.datasets import _registered
from lcl_lab.concepts.world import World
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.studies import configure, find_study
from lcl_lab.training import TrainConfig

DATASET_FILE = """
from PIL import Image
from lcl_lab.concepts import Concept, Pair
from colours import COLOUR

class Mine:
    name = "mine"
    concepts = {id: Concept(id, name, "", 9) for id, name in (("a", "wug"), ("b", "dax"))}
    pairs = [Pair("a", "b")]
    fingerprint = "always the same"
    extra = 5

    def image(self, ref):
        return Image.new("RGB", (8, 8), COLOUR)

def load():
    return Mine()
"""


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registrations of a test end with it."""
    monkeypatch.setattr("lcl_lab.concepts.datasets._registered", dict(_registered))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A user's Python file that imports a module next to it."""
    (tmp_path / "colours.py").write_text("COLOUR = 'red'\n")
    (tmp_path / "mine.py").write_text(DATASET_FILE)
    return tmp_path / "mine.py"


class Mine:
    name = "mine"
    concepts = {"a": Concept("a", "wug", "", 9), "b": Concept("b", "dax", "", 9)}  # noqa: RUF012
    pairs = (Pair("a", "b"),)
    fingerprint = "1"

    def image(self, ref: ImageRef) -> object: ...


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_is_found_by_its_name(name: str) -> None:
    assert load_dataset(name).name == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("photos", "is a folder; did you mean 'folder:photos'"),
        ("ISEKAI-10.json", "is a file; did you mean 'isekai:ISEKAI-10.json'"),
        ("test100_pairs.jsonl", "is a file; did you mean 'imagenet:test100_pairs.jsonl'"),
    ],
)
def test_a_path_without_its_prefix_is_reported(
    name: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "." in name:
        Path(name).touch()
    else:
        Path(name).mkdir()
    with pytest.raises(UserError, match=f"^data {name}: {hint}"):
        load_dataset(name)


def test_an_unknown_name_is_reported_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"^data world100: unknown dataset; did you mean 'world-100'"):
        load_dataset("world100")
    with pytest.raises(UserError, match="did you mean 'folder:PATH'"):
        load_dataset("folders:x")


def test_a_dataset_object_is_returned_as_it_is() -> None:
    world = load_dataset("world-100")
    assert load_dataset(world) is world
    with pytest.raises(UserError, match=r"^dataset: an object of type int has no attribute 'name'"):
        load_dataset(5)  # type: ignore[arg-type]


def test_a_registered_dataset_is_found_by_its_name() -> None:
    mine: object = Mine()
    assert register_dataset(mine) is mine  # type: ignore[arg-type, comparison-overlap]
    assert load_dataset("mine") is mine  # type: ignore[comparison-overlap]
    register_dataset(mine, "other name")  # type: ignore[arg-type]
    assert load_dataset("other name") is mine  # type: ignore[comparison-overlap]
    assert draw_episode("mine", shots=4).data == "mine"
    with pytest.raises(UserError, match="did you mean 'mine'"):
        load_dataset("min")


@pytest.mark.parametrize("name", ["world-100", "isekai-10", "my.py", "folder:x", ""])
def test_a_name_that_would_be_ambiguous_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"^name( {name})?: "):
        register_dataset(Mine(), name)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", DATASETS)
def test_a_built_in_dataset_may_be_given_as_an_object(name: str) -> None:
    assert dataset_name(load_dataset(name)) == dataset_name(name) == name
    assert configure(find_study("false_ratio"), data=load_dataset(name)).data == name
    assert TrainConfig.create(strategy="2-way", out="x", data=load_dataset(name)).data == name


def test_an_object_that_is_no_dataset_is_not_registered() -> None:
    with pytest.raises(UserError, match="has no attribute 'fingerprint'"):
        register_dataset(type("Half", (), {"name": "half", "concepts": {}, "pairs": []})())


def test_a_python_file_makes_a_dataset(file: Path) -> None:
    dataset = load_dataset(str(file))
    assert (dataset.name, len(dataset.concepts), dataset.pairs[0]) == ("mine", 2, Pair("a", "b"))
    assert dataset.image(ImageRef("mine", "a", 0)).getpixel((0, 0)) == (255, 0, 0)
    assert dataset.extra == 5  # type: ignore[attr-defined]
    assert draw_episode(dataset, 0, 0, 4).data == "mine"


def test_a_python_file_may_return_a_built_in_dataset(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from lcl_lab.concepts import load_dataset\ndef load(): return load_dataset('isekai-mini')\n")
    assert load_dataset(str(file)).name == "isekai-mini"


@pytest.mark.parametrize("changed", ["mine.py", "colours.py"])
def test_another_code_is_another_identity(file: Path, changed: str) -> None:
    before = dataset_identity(load_dataset(str(file)))
    assert dataset_identity(load_dataset(str(file))) == before
    other = file.with_name(changed)
    other.write_text(other.read_text().replace("red", "blue") + "# changed\n")
    after = dataset_identity(load_dataset(str(file)))
    assert after["name"] == before["name"]
    assert after["fingerprint"] != before["fingerprint"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        ("x = 1\n", "load"),
        ("import nothing_like_it\n", "ModuleNotFoundError"),
        ("def load(): return 5\n", "type int has no attribute 'name'"),
    ],
)
def test_a_file_that_makes_no_dataset_is_reported(tmp_path: Path, content: str | None, reason: str) -> None:
    file = tmp_path / "mine.py"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=rf"^data {file}: .*{reason}"):
        load_dataset(str(file))


def test_listing_datasets_imports_no_image_library() -> None:
    heavy = "{'torch', 'pandas', 'pyarrow', 'duckdb', 'PIL', 'numpy'}"
    code = f"import sys; from lcl_lab.concepts import DATASETS, Concept; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_embedded_datasets_are_worlds() -> None:
    assert isinstance(load_dataset("world-dev"), World)
