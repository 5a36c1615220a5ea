from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.concepts import ImageRef, load_dataset, rename_concepts
from lcl_lab.concepts.renamed_dataset import name_without_renaming
from lcl_lab.errors import UserError

WORLD = load_dataset("world-100")


def names(dataset: object) -> list[str]:
    return [concept.name for concept in dataset.concepts.values()]  # type: ignore[attr-defined]


def test_usual_names_change_nothing() -> None:
    assert rename_concepts(WORLD, "usual") is WORLD


def test_invented_names_are_new_distinct_and_depend_on_the_seed() -> None:
    first, same, other = (rename_concepts(WORLD, "invented", seed) for seed in (0, 0, 1))
    assert names(first) == names(same) != names(other)
    assert len(set(names(first))) == 100
    assert not set(names(first)) & set(names(WORLD))
    assert first.fingerprint == same.fingerprint
    assert len({WORLD.fingerprint, first.fingerprint, other.fingerprint}) == 3


def test_images_and_pairs_are_those_of_the_dataset() -> None:
    renamed = rename_concepts(WORLD, "invented")
    id = next(iter(WORLD.concepts))
    assert renamed.pairs == WORLD.pairs
    shown = renamed.image(ImageRef(renamed.name, id, 3))
    assert shown.tobytes() == WORLD.image(ImageRef(WORLD.name, id, 3)).tobytes()


@pytest.mark.parametrize("letters", ["abcdefghijklmnopqrstuvwxyz", "AB"])
def test_short_names_do_not_exclude_all_others(letters: str, tmp_path: Path) -> None:
    from tests.concepts.factories import picture

    for shade, letter in enumerate(letters):
        picture(tmp_path / letter / "0.png", shade)
    (tmp_path / "pairs.csv").write_text(f"positive,negative\n{letters[0]},{letters[1]}\n")
    assert len(set(names(rename_concepts(load_dataset(f"folder:{tmp_path}"), "invented")))) == len(letters)


def test_names_from_a_file(tmp_path: Path) -> None:
    id, concept = next(iter(WORLD.concepts.items()))
    table = tmp_path / "words.csv"
    table.write_text(f"concept,name\n{concept.name},wug\n")
    renamed = rename_concepts(WORLD, table)
    assert renamed.concepts[id].name == "wug"
    assert names(renamed)[1:] == names(WORLD)[1:]
    assert renamed.name == "world-100 (names of words.csv)"


@pytest.mark.parametrize("given", ["world-100", "folder:a (b)", "isekai:x.json"])
def test_the_dataset_of_the_images_is_found_by_name(given: str, tmp_path: Path) -> None:
    assert name_without_renaming(given) == given
    assert name_without_renaming(f"{given} (invented names)") == given
    assert name_without_renaming(f"{given} (names of n (1).csv)") == given


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'invented'"):
        rename_concepts(WORLD, "inventd")
