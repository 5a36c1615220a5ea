"""Heads are found in models in which it is known where they are, and in which there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lcl_lab as lcl
from lcl_lab.benchmarks.architectures import build
from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint
from lcl_lab.models.interventions import Head
from lcl_lab.studies.circuit_columns import ATTENTION, PATCHED, RANDOM, RESIDUAL, TOP, UNPATCHED, margins
from lcl_lab.studies.circuit_design import CircuitDesign

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> lcl.StudyResult:
    folder = tmp_path_factory.mktemp("circuits")
    return lcl.run_study("circuits", model=("mini/2-way", "mini/base"), queries=60, draws=2, results=folder)


def sentences(result: lcl.StudyResult, model: str) -> str:
    return " ".join(
        statement.text
        for section in result.findings.sections
        for statement in section.statements
        if statement.model == model
    )


def test_few_heads_carry_the_link_on_other_pairs_and_as_many_random_ones_do_not(result: lcl.StudyResult) -> None:
    of_model = result.records[result.records["model"] == "mini/2-way"]
    accuracy = of_model.groupby(["part", "k"])["correct_candidate"].mean()
    needed = min(k for k in range(1, 13) if accuracy[TOP, k] <= 0.55)
    assert needed <= 4
    assert accuracy[TOP, 0] > 0.9
    assert abs(accuracy[TOP, needed] - 0.5) <= 0.05
    assert accuracy[RANDOM, needed] > 0.85
    assert f"without its top {needed} heads (0.2, " in sentences(result, "mini/2-way")


def test_discovery_and_confirmation_share_no_pair(result: lcl.StudyResult) -> None:
    confirmed = result.records[result.records["part"] == TOP]
    pairs = list(lcl.load_dataset("world-100").pairs)
    assert {list(map(str, pairs)).index(pair) % 2 for pair in confirmed["pair"]} == {1}


def test_random_heads_are_none_of_the_top_ones_and_of_the_same_layers() -> None:
    """As the design draws them; the records name only how many they are."""
    world = lcl.load_dataset("world-100")
    checkpoint = find_checkpoint("mini/2-way")
    design = CircuitDesign(
        "mini/2-way", checkpoint, world, lambda query: lcl.draw_episode(world, 0, query, 2), 8, 1, 0, True, 3
    )
    ranked = [
        Head(0, 2),
        Head(1, 2),
        Head(1, 0),
        *(head for head in design.heads if head not in {Head(0, 2), Head(1, 2), Head(1, 0)}),
    ]
    for draw in range(3):
        drawn = design._random_heads(ranked, 3, draw)
        assert len(set(drawn)) == 3
        assert not set(drawn) & set(ranked[:3])
        assert sorted(head.layer for head in drawn) == [0, 1, 1]
        assert len(set(design._random_heads(ranked, 6, draw))) == 6


def test_the_base_model_has_no_circuit(result: lcl.StudyResult) -> None:
    said = sentences(result, "mini/base")
    assert "is not above chance with all its heads" in said
    assert "nothing that a patch could regain" in said
    assert "carry" not in said.replace("carries a link", "")


def test_a_patch_regains_what_is_written_down_in_the_report(result: lcl.StudyResult) -> None:
    """The shares are computed again from the records, by means alone."""
    records = result.records[result.records["model"] == "mini/2-way"].assign(margin=margins(result.records))
    means = records.groupby(["part", "layer", "place"], dropna=False)["margin"].mean()
    false = means[UNPATCHED].iloc[0]
    source = records.loc[records["part"] == "first token", "margin"].mean()
    (section,) = [one for one in result.findings.sections if one.name == "patching"]
    table = section.tables[0].frame.set_index(["model", "site", "place"])["estimate"]
    for layer in (0, 1, 2):
        for place in ("images", "labels", "query"):
            share = (means[RESIDUAL, layer, place] - false) / (source - false)
            assert table["mini/2-way", f"after layer {layer}", place] == pytest.approx(share)
    assert table["mini/2-way", "after layer 0", "labels"] == pytest.approx(1, abs=0.05)
    assert table["mini/2-way", "after layer 2", "query"] == pytest.approx(1, abs=0.001)
    heads = records[records["part"] == PATCHED].groupby("head")["margin"].mean()
    assert ((heads - false) / (source - false)).idxmax() == "1.2"


def test_the_attention_of_one_episode_is_drawn_over_its_support(result: lcl.StudyResult) -> None:
    shown = result.records[(result.records["part"] == ATTENTION) & (result.records["model"] == "mini/2-way")]
    assert shown["position"].tolist() == [1, 2, 3, 4]
    assert shown["head"].nunique() == 1
    support = shown.iloc[0]["support"]
    own = np.array([example["true_label"] == shown.iloc[0]["true_name"] for example in support])
    attention = shown["measurement"].to_numpy(dtype=float)
    assert (attention > 0).all()
    assert attention.sum() <= 1
    assert attention[own].mean() > attention[~own].mean()
    for name in ("heads", "induction", "attention", "removal", "patching"):
        assert (result.path / f"{name}.png").stat().st_size > 10_000


@pytest.mark.parametrize("architecture", ["qwen2_5_vl", "gemma3", "internvl"])
def test_it_runs_with_any_decoder_that_has_output_projections(architecture: str, tmp_path: Path) -> None:
    folder = build(architecture, tmp_path / architecture)
    found = lcl.run_study("circuits", model=f"tiny={folder}", queries=8, shots=2, draws=1, results=tmp_path)
    assert set(found.records["model"]) == {"tiny"}
    assert found.records.loc[found.records["part"] == "one head removed", "measurement"].notna().all()


def test_snapshots_of_a_training_show_when_heads_appear(tmp_path: Path) -> None:
    trained = lcl.train_model(strategy="2-way", out=tmp_path / "out", steps=4, snapshot_every=2, preset="tiny")
    assert sorted(path.name for path in (trained.path / "snapshots").iterdir()) == ["step-000002", "step-000004"]
    found = lcl.run_study(
        "circuits", model="mini/2-way", training=trained.path, queries=8, draws=1, shots=2, results=tmp_path / "results"
    )
    (section,) = [one for one in found.findings.sections if one.name == "emergence"]
    assert set(section.tables[0].frame["steps"]) == {2, 4}
    assert section.statements[0].text == "Accuracy is above chance in no snapshot."
    heads = next(one for one in found.findings.sections if one.name == "heads")
    assert set(heads.tables[0].frame["model"]) == {"mini/2-way"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "heuristic/last"}, "has no attention heads to change"),
        ({"model": "openai:some", "base_url": "http://127.0.0.1:9/v1"}, "base_url"),
        ({"training": "nowhere"}, "has no snapshots; train with --snapshot-every"),
        ({"data": "isekai-mini", "queries": 3}, "queries"),
        ({"shots": 3}, "even number"),
    ],
)
def test_a_mistake_is_one_line(options: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        lcl.run_study("circuits", results=tmp_path, **options)
    assert not list(tmp_path.iterdir())
