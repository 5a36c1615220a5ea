from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.benchmarks.architectures import build
from lcl_lab.concepts import load_dataset
from lcl_lab.models import ModelSettings, check_names, find_checkpoint

SPELLED = ("dax", "Wug", "octopusses", "a")
MANY_LETTERS = "pneumonoultramicroscopicsilicovolcanoconiosis"


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a tokenizer of bytes, which can write any text."""
    return build("qwen2_vl", tmp_path_factory.mktemp("models") / "qwen")


def problems(model: str, *names: str, limit: int | None = None) -> dict[str, list[str]]:
    """The names that a model cannot generate, by the reason."""
    checkpoint = find_checkpoint(model, settings=ModelSettings(max_new_tokens=limit))
    return {reason: list(some) for reason, some in check_names(checkpoint, names).problems.items()}


def test_mini_models_generate_the_names_of_their_world() -> None:
    names = [concept.name for concept in load_dataset("world-900").concepts.values()]
    assert problems("mini/2-way", *names, *SPELLED) == {}


@pytest.mark.parametrize("name", ["t-shirt", "caf\u00e9", "\u7ea2", "\U0001f600", "wug's"])
def test_characters_outside_a_vocabulary_are_found(name: str) -> None:
    assert list(problems("mini/2-way", name, "dax").values()) == [[name]]
    assert "characters" in next(iter(problems("mini/2-way", name)))


@pytest.mark.parametrize("name", ["sea lion", "abcdefghijk", "wug2", "blue", "islmer"])
def test_mini_models_cannot_generate_what_they_have_not_learned_to_spell(name: str) -> None:
    """Measured: with such names, open-ended accuracy is near 0 where candidate accuracy is above .9."""
    (reason,) = problems("mini/2-way", name)
    assert "one invented word of up to 10 letters" in reason


@pytest.mark.parametrize("name", ["t-shirt", "caf\u00e9", "\u7ea2\u718a\u732b", "\U0001f600", "sea lion", MANY_LETTERS])
def test_a_tokenizer_of_bytes_writes_every_name(name: str, qwen: Path) -> None:
    assert problems(str(qwen), name) == {}


def test_names_with_more_tokens_than_an_answer_may_have_are_found(qwen: Path) -> None:
    assert problems(str(qwen), MANY_LETTERS, "a", limit=2) == {"with more than 2 tokens": [MANY_LETTERS]}


def test_names_are_counted_once() -> None:
    check = check_names(find_checkpoint("mini/2-way"), ["t-shirt", "sea lion", "t-shirt", "dax"])
    assert (check.names, check.unsayable) == (3, 2)
    assert str(check).startswith("mini/2-way cannot generate 2 of 3 names: 1 with characters")
