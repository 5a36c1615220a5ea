"""A small `open_mi` in the format of VL-ICL Bench; what is expected is read from its JSON and images by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lcl_lab.concepts import Concept, Dataset, ImageRef, load_dataset
from lcl_lab.episodes import check_shots, draw_episode, open_set, redraw
from lcl_lab.errors import UserError
from lcl_lab.studies import EpisodeConfig

from .factories import picture, refused

NAMES = ("blicket", "dax", "shously", "perpo", "slation")


@pytest.fixture
def open_mi(tmp_path: Path) -> Path:
    """Three entries with five concepts of five images; every image has its own shade."""
    folder = tmp_path / "VL-ICL" / "open_mi"
    entries = []
    for number, answer in enumerate(("blicket", "slation", "shously"), start=1):
        stem = f"open_ended_mi_shots_5_ways_5_id_{number:04}"
        order = NAMES[number:] + NAMES[:number]
        support = {
            name: {
                "images": [f"open_mi/support/{stem}_image_{place + 5 * shot}.jpg" for shot in range(5)],
                "caption": f"This is a {name}",
            }
            for place, name in enumerate(order, start=1)
        }
        entries.append(
            {
                "id": f"open_mi_query_{number:04}",
                "image": [f"open_mi/query/{stem}_question.jpg"],
                "question": "This is a",
                "answer": answer,
                "classes": list(NAMES),
                "support": support,
            }
        )
        picture(folder / "query" / f"{stem}_question.jpg", 80 * number)
        for image in range(1, 26):
            picture(folder / "support" / f"{stem}_image_{image}.jpg", 80 * number - 3 * image)
    (folder / "query.json").write_text(json.dumps(entries, indent=4))
    return folder


def entries_of(open_mi: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((open_mi / "query.json").read_text())
    return entries


def change(open_mi: Path, edit: Callable[[list[Any]], object]) -> None:
    """Edit the list of entries."""
    entries = entries_of(open_mi)
    edit(entries)
    (open_mi / "query.json").write_text(json.dumps(entries))


def pixels(dataset: Dataset, ref: ImageRef) -> bytes:
    return dataset.image(ref).tobytes()


def shown(open_mi: Path, path: str) -> bytes:
    """The pixels of a file, whose path is relative to the benchmark's folder."""
    return Image.open(open_mi.parent / path).convert("RGB").tobytes()


def test_every_entry_has_its_own_concepts_and_images(open_mi: Path) -> None:
    dataset = load_dataset(f"vl-icl:{open_mi}")
    entries = entries_of(open_mi)
    assert len(dataset.concepts) == sum(len(entry["support"]) for entry in entries) == 15
    for entry in entries:
        for name, support in entry["support"].items():
            id = f"{entry['id']}/{name}"
            is_true = name == entry["answer"]
            files = support["images"] + (entry["image"] if is_true else [])
            assert dataset.concepts[id] == Concept(id, name, "", len(files), 5 if is_true else 0)
            found = [pixels(dataset, ImageRef(dataset.name, id, number)) for number in range(len(files))]
            assert found == [shown(open_mi, file) for file in files]


def test_the_true_concept_and_the_next_one_of_the_support_are_a_pair(open_mi: Path) -> None:
    expected = []
    for entry in entries_of(open_mi):
        names = list(entry["support"])
        following = names[(names.index(entry["answer"]) + 1) % len(names)]
        expected.append(f"{entry['id']}/{entry['answer']}~{entry['id']}/{following}")
    assert [str(pair) for pair in load_dataset(f"vl-icl:{open_mi}").pairs] == expected


@pytest.mark.parametrize(("ways", "shots"), [(2, 0), (2, 8), (3, 12), (5, 20)])
def test_the_first_queries_are_those_of_the_file_with_their_supports(open_mi: Path, ways: int, shots: int) -> None:
    dataset = load_dataset(f"vl-icl:{open_mi}")
    for number, entry in enumerate(entries_of(open_mi)):
        drawn = draw_episode(dataset, 7, number, shots, ways=ways)
        for episode in (drawn, redraw(drawn, 1)):
            assert pixels(dataset, episode.query) == shown(open_mi, entry["image"][0])
            assert episode.true_name == entry["answer"]
            assert len(set(episode.names)) == ways and set(episode.names) <= set(entry["support"])
            for example in episode.support:
                files = entry["support"][example.label]["images"]
                assert pixels(dataset, example.image) in [shown(open_mi, file) for file in files]


def test_further_queries_are_of_the_other_concept(open_mi: Path) -> None:
    dataset = load_dataset(f"vl-icl:{open_mi}")
    for number, pair in enumerate(dataset.pairs, start=len(dataset.pairs)):
        episode = draw_episode(dataset, 0, number, 8)
        assert episode.query.concept == pair.negative
        assert episode.query not in [example.image for example in episode.support]


def test_open_set_queries_are_of_the_same_entry(open_mi: Path) -> None:
    dataset = load_dataset(f"vl-icl:{open_mi}")
    for number, entry in enumerate(entries_of(open_mi)):
        id, _, name = open_set(draw_episode(dataset, 0, number, 8), 1.0).query.concept.rpartition("/")
        assert id == entry["id"]
        assert name in entry["support"]


def test_as_many_shots_as_the_support_has_images_besides_a_query(open_mi: Path) -> None:
    dataset = load_dataset(f"vl-icl:{open_mi}")
    check_shots(dataset, 8)
    with pytest.raises(UserError, match="has 5 images, enough for 8 shots and a query"):
        check_shots(dataset, 10)
    with pytest.raises(UserError, match=r"ways 6: .* has 5 concepts with different names"):
        check_shots(dataset, 6, ways=6)


def test_invented_names_differ_between_entries(open_mi: Path) -> None:
    dataset = EpisodeConfig(data=f"vl-icl:{open_mi}", names="invented").load_dataset()
    assert len({concept.name for concept in dataset.concepts.values()}) == 15


def test_the_folder_may_be_moved_and_renamed(open_mi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_dataset(f"vl-icl:{open_mi}").fingerprint
    moved = open_mi.rename(open_mi.parent / "mini")
    assert load_dataset(f"vl-icl:{moved}").fingerprint == before
    monkeypatch.chdir(moved)
    assert load_dataset("vl-icl:.").fingerprint == before
    change(moved, lambda entries: entries[0]["support"]["dax"]["images"].reverse())
    assert load_dataset("vl-icl:.").fingerprint != before


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda e: e.__setitem__(1, 3), "entry 2: must be an object with the fields id, image, answer, support"),
        (
            lambda e: e[1].pop("support"),
            r"entry 2: has no field 'support'; of VL-ICL Bench, the task open_mi can be read",
        ),
        (lambda e: e[1].update(id=7), "entry 2: id must be a non-empty string, not 7"),
        (lambda e: e[2].update(id=e[0]["id"]), "entry 3: has the id 'open_mi_query_0001' of entry 1"),
        (lambda e: e[0].update(image="x.jpg"), "entry 1: image must be a non-empty list of paths"),
        (lambda e: e[0].update(image=e[0]["image"] + e[1]["image"]), "image must be a list of one path, not of 2"),
        (lambda e: e[0].update(image=["query/1.jpg"]), r"image: 'query/1\.jpg' does not start with open_mi/"),
        (lambda e: e[0].update(support={"dax": {}}), "support must have the images of at least two names"),
        (lambda e: e[0].update(answer="wug"), "answer 'wug' is not a name in support: dax, shously, perpo,"),
        (lambda e: e[0].update(answer=["dax"]), r"answer \['dax'\] is not a name in support"),
        (lambda e: e[0]["support"].update(dax=[]), "support of 'dax' has no field 'images'"),
        (lambda e: e[0]["support"]["dax"].update(images=[]), "images in support of 'dax' must be a non-empty list"),
        (
            lambda e: e[0]["support"]["blicket"]["images"].extend(e[0]["image"]),
            "entry 1: image is also in support, whose label would give the answer away",
        ),
    ],
)
def test_an_invalid_entry_is_reported_with_its_number(
    open_mi: Path, edit: Callable[[list[Any]], object], reason: str
) -> None:
    change(open_mi, edit)
    refused(f"vl-icl:{open_mi}", rf"query\.json, .*{reason}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[", r"query\.json is not JSON"),
        ("[]", r"query\.json must be a non-empty list of queries"),
        ("{}", r"query\.json must be a non-empty list of queries"),
        ("\udcff", r"query\.json is not JSON: 'utf-8' codec can't decode"),
    ],
)
def test_a_damaged_file_is_reported(open_mi: Path, text: str, reason: str) -> None:
    (open_mi / "query.json").write_bytes(text.encode(errors="surrogateescape"))
    refused(f"vl-icl:{open_mi}", reason)


def test_the_wrong_folder_is_reported_with_the_right_one(open_mi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(f"vl-icl:{open_mi.parent}", rf"VL-ICL/query\.json does not exist; did you mean 'vl-icl:{open_mi}'\?")
    refused(f"vl-icl:{open_mi}/support", r"support/query\.json does not exist$")
    refused(f"vl-icl:{open_mi}/query.json", r"query\.json/query\.json: Not a directory")
    monkeypatch.chdir(open_mi.parent)
    refused("open_mi", r"is a folder; did you mean 'vl-icl:open_mi'\?")


def test_packed_images_are_reported_before_missing_ones(open_mi: Path) -> None:
    (open_mi / "query").rename(open_mi / "elsewhere")
    (open_mi / "query.zip").touch()
    refused(f"vl-icl:{open_mi}", r"open_mi/query\.zip is not unpacked; run VL-ICL's unzip\.sh")


def test_missing_and_damaged_images_are_reported_together(open_mi: Path) -> None:
    stem = "open_ended_mi_shots_5_ways_5_id_0002"
    (open_mi / "query" / f"{stem}_question.jpg").unlink()
    (open_mi / "support" / f"{stem}_image_1.jpg").write_bytes(b"damaged")
    problems = rf"query/{stem}_question\.jpg: no such file; support/{stem}_image_1\.jpg: not an image"
    refused(f"vl-icl:{open_mi}", f": 2 of 78 images in .* are missing or cannot be read: {problems}")


def test_names_that_break_prompts_and_equal_names_are_refused(open_mi: Path) -> None:
    text = (open_mi / "query.json").read_text()
    (open_mi / "query.json").write_text(text.replace('"dax"', '"<image>"'))
    refused(f"vl-icl:{open_mi}", "the name of concept 'open_mi_query_0001/<image>' contains '<image>'")
    (open_mi / "query.json").write_text(text.replace('"dax"', '"Blicket"'))
    refused(f"vl-icl:{open_mi}", "have the same name")


def test_the_protocol_of_the_papers_release_is_refused(open_mi: Path) -> None:
    with pytest.raises(UserError, match=r"data vl-icl:.*: is not evaluated by the release"):
        EpisodeConfig(data=f"vl-icl:{open_mi}", protocol="release")
