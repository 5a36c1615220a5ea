from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lcl_lab.concepts import Concept, Dataset, Pair, check_dataset, dataset_identity, load_dataset
from lcl_lab.concepts.dataset import comparable_name, unique_pairs
from lcl_lab.errors import UserError


def make(**changes: Any) -> Any:
    """A dataset object with some attributes changed, or left out where the value is None."""
    attributes = {
        "name": "mine",
        "concepts": {"a": Concept("a", "wug", "", 9), "b": Concept("b", "dax", "", 9)},
        "pairs": [Pair("a", "b")],
        "fingerprint": "1",
        "image": lambda ref: None,
        **changes,
    }
    return SimpleNamespace(**{name: value for name, value in attributes.items() if value is not None})


def test_a_usable_dataset_passes() -> None:
    check_dataset(make())
    check_dataset(load_dataset("world-100"))


@pytest.mark.parametrize("attribute", ["name", "concepts", "pairs", "fingerprint", "image"])
def test_a_missing_attribute_is_named(attribute: str) -> None:
    with pytest.raises(UserError, match=rf"^data my.py: .*no attribute '{attribute}'"):
        check_dataset(make(**{attribute: None}), "data", "my.py")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": ""}, "name must be a non-empty string"),
        ({"image": "a.png"}, "'image' must be a method"),
        ({"concepts": {}}, "'concepts' must be a non-empty mapping"),
        ({"concepts": {"a": "wug", "b": "dax"}}, "concept 'a' must be a lcl_lab.concepts.Concept, not str"),
        ({"concepts": {"a": Concept("z", "wug", "", 9)}}, "concept 'a' has the id 'z'"),
        ({"concepts": {"a": Concept("a", "a <image>", "", 9)}}, "name of concept 'a' contains '<image>'"),
        ({"concepts": {"a": Concept("a", "[/INST]", "", 9)}}, r"name of concept 'a' contains '\[/INST\]'"),
        ({"concepts": {"a": Concept("a", " ", "", 9)}}, "name of concept 'a' must be a non-empty string"),
        ({"pairs": []}, "'pairs' must be a non-empty sequence"),
        ({"pairs": ["ab"]}, "pairs must be lcl_lab.concepts.Pair, not 'ab'"),
        ({"pairs": [Pair("a", "c")]}, "pair a~c refers to an unknown concept 'c'"),
        (
            {"concepts": {"a": Concept("a", "wug", "", 9), "b": Concept("b", "Wug", "", 9)}},
            "the concepts of pair a~b have the same name, 'wug'",
        ),
    ],
)
def test_an_unusable_dataset_is_reported(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        check_dataset(make(**changes))


def test_checking_does_not_compute_the_fingerprint() -> None:
    class Costly:
        name, concepts, pairs = "costly", make().concepts, make().pairs

        @property
        def fingerprint(self) -> str:
            raise AssertionError("computed")

        def image(self, ref: object) -> None: ...

    check_dataset(Costly())


def test_the_identity_is_name_and_fingerprint() -> None:
    dataset: Dataset = make()
    assert dataset_identity(dataset) == {"name": "mine", "fingerprint": "1"}


def test_names_are_compared_without_case_space_and_unicode_form() -> None:
    assert comparable_name(" Caf\u00e9  au lait") == comparable_name("cafe\u0301 au Lait")
    assert comparable_name("red thing") != comparable_name("redthing")


def test_pairs_are_unique_in_either_order() -> None:
    pairs = [Pair("a", "b"), Pair("c", "a"), Pair("b", "a"), Pair("a", "b")]
    assert unique_pairs(pairs) == [Pair("a", "b"), Pair("c", "a")]
