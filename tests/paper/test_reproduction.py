"""Tables of the paper, with tiny checkpoints in the layouts of the releases, and with the embedded stand-ins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lcl_lab.analysis import published
from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.models import convert
from lcl_lab.models.convert import ConvertConfig
from lcl_lab.paper import ITEMS, PaperConfig, compare_with_paper
from lcl_lab.paper.reproduction import _verdict
from lcl_lab.store import read_records
from tests.models.convert.factories import write_released
from tests.models.flamingo.factories import write_openflamingo, write_otter

IMAGES = 5  # of each class: two for supports, three for queries


def write_imagenet(folder: Path) -> None:
    """20 images of two pairs of classes in the layout of the release."""
    world, lines = load_dataset("isekai-mini"), []
    for number, id in enumerate(id for pair in world.pairs[:2] for id in pair):
        files = [f"{'train' if n < 2 else 'val'}/n{number}_{n}.JPEG" for n in range(IMAGES)]
        for image, file in enumerate(files):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            world.image(ImageRef(world.name, id, image)).save(folder / file)
        name = world.concepts[id].name.title()
        lines.append(
            {"class_id": f"n{number}", "class_name": name, "context_samples": files[:2], "test_samples": files[2:]}
        )
    (folder / "test100_pairs.jsonl").write_text("\n".join(map(json.dumps, lines)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four systems in the layouts of their releases, converted, and ImageNet."""
    released, folder = tmp_path_factory.mktemp("released"), tmp_path_factory.mktemp("paper")
    write_imagenet(folder / "imagenet")
    (released / "shikra").mkdir()
    shards, tower = write_released(released / "shikra")
    for name in ("shikra", "lcl-mix"):
        convert.convert_release(ConvertConfig(source=shards, target=folder / name, vision_tower=str(tower)))
    for name, write, family in (("openflamingo-9b", write_openflamingo, "mpt"), ("otter-9b", write_otter, "llama")):
        (released / name).mkdir()
        release = write(released / name, family)
        options = {"language_model": str(release.language_model)} if name == "openflamingo-9b" else {}
        convert.convert_release(
            ConvertConfig(source=release.source, target=folder / name, vision_tower=str(release.tower), **options)
        )
    return folder


@pytest.mark.slow
def test_table_2_runs_with_systems_and_data_in_their_real_layouts(folder: Path, tmp_path: Path) -> None:
    config = PaperConfig(item="table2", folder=folder, preset="tiny", results=tmp_path / "results")
    report = compare_with_paper(config)
    printed = published(table="Table 2").set_index(["method", "shots"])["value"]
    systems = {"OpenFlamingo", "Otter", "Vanilla-Shikra", "LCL [mix]"}
    shown = {(one.protocol, one.method, one.condition) for one in report.comparisons}
    assert shown == {(p, method, shots) for p in ("release", "lcl") for method in systems for shots in (0, 2, 4)}
    for one in report.comparisons:
        assert one.published == printed[one.method, one.condition]
        assert one.verdict == ("same" if one.low - 0.005 <= one.published <= one.high + 0.005 else "differs")
    records = read_records(tmp_path / "results")
    released = records[(records["correct_open"] == records["correct_release"]) & (records["shots"] == 4)]
    assert set(released["query_id"]) == set(range(4 * 3))
    assert [note.partition(" is")[0] for note in report.notes] == [
        "LCL [2-way]",
        "LCL [2-way-random]",
        "LCL [2-way-weight]",
    ]


@pytest.mark.parametrize("item", ["table3", pytest.param("figure7", marks=pytest.mark.slow)])
def test_embedded_models_stand_in_and_are_not_compared(item: str, tmp_path: Path) -> None:
    config = PaperConfig(item=item, folder=tmp_path, preset="tiny", queries=8, results=tmp_path / "results")
    report = compare_with_paper(config)
    assert {one.verdict for one in report.comparisons} == {"cannot compare"}
    assert {one.model for one in report.comparisons} >= {"mini/in-context", "mini/mix"}
    notes = "\n".join(report.notes)
    assert "embedded models on world-100 stand in" in notes
    assert "ImageNet-100 is missing" in notes
    assert "lcl convert LCL-Mix" in notes
    if item == "table3":
        assert "VQAv2-dev (published: Flamingo-80B 0.563, Flamingo-9B 0.518, BLIP2 0.650" in notes
    else:
        ours = [one for one in report.comparisons if one.method == "LCL [mix]"]
        assert {one.condition: one.published for one in ours} == {0.0: 0.78, 0.5: None, 1.0: 0.0}


@pytest.mark.parametrize(
    ("number", "low", "high", "verdict"),
    [
        (0.5, 0.4, 0.6, "same"),
        (0.398, 0.4, 0.6, "same"),
        (0.39, 0.4, 0.6, "differs"),
        (None, 0.4, 0.6, "cannot compare"),
    ],
)
def test_a_published_number_in_the_interval_is_the_same(
    number: float | None, low: float, high: float, verdict: str
) -> None:
    assert _verdict(number, low, high) == verdict


@pytest.mark.parametrize("item", ITEMS)
def test_every_system_and_dataset_of_an_item_is_known(item: str) -> None:
    described = ITEMS[item]
    rows = described.published()
    assert set(rows["dataset"]) <= {data.name for data in described.datasets}
    assert {"dataset", "method", "value", described.column} <= set(rows.columns)
