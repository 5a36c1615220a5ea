from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lcl_lab.reporting import METHODS, Findings, methods_used, table_text
from lcl_lab.studies import model_section, strategy_section


def records(
    chances: Mapping[str, float], data: Sequence[str] = ("world",), seeds: Sequence[int] = (0,)
) -> pd.DataFrame:
    """200 answers of each model about 50 pairs under each of three conditions, with a chance to be right."""
    rng, pairs, frames = np.random.default_rng(0), np.arange(200) % 50, []
    for model, chance in chances.items():
        for dataset in data:
            for seed in seeds:
                for shots in (0, 2, 16):
                    right = rng.random(200) < chance
                    logliks = {"loglik_true": right.astype(float), "loglik_other": 0.5, "other_name": "dax"}
                    tokens = {"tokens_true": 1, "tokens_other": 1, "loglik_others": None, "tokens_others": None}
                    correct = {"correct_open": right, "correct_candidate": right, "correct_candidate_raw": right}
                    cell = {"model": model, "data": dataset, "seed": seed, "shots": shots, "query_id": range(200)}
                    frames.append(pd.DataFrame({**cell, "pair": pairs.astype(str), "status": "ok", **correct}))
                    frames[-1] = frames[-1].assign(**logliks, **tokens)
    return pd.concat(frames, ignore_index=True)


def test_strategies_with_several_trainings_have_means_over_them_and_verdicts() -> None:
    strategies = {name: [f"{name}-{seed}" for seed in range(3)] for name in "abc"}
    chances = {model: 0.3 if name == "a" else 0.9 for name, among in strategies.items() for model in among}
    section = strategy_section("shots", records(chances), strategies, 0, "accuracy-1")
    means, *compared = section.tables
    text = table_text(means)
    assert list(text.columns) == ["model", "metric", "shots 0", "shots 2", "shots 16"]
    assert set(text["model"]) == {"a (3 trainings)", "b (3 trainings)", "c (3 trainings)"}
    assert [len(table.frame) for table in compared] == [9, 9]  # pairs of strategies by conditions
    verdicts = compared[0].frame.groupby("comparison")["verdict"].unique().map(list).to_dict()
    assert verdicts == {"b − a": ["b is better"], "c − a": ["c is better"], "c − b": ["inconclusive"]}
    assert "6 of 9 differences between strategies remain" in section.statements[0].text
    assert section.figure is not None
    assert set(methods_used(Findings("Sweep", [section]))) <= set(METHODS)


def test_between_strategies_with_one_training_each_there_is_no_verdict() -> None:
    section = strategy_section("shots", records({"a-0": 0.5, "b-0": 0.9}), {"a": ["a-0"], "b": ["b-0"]}, 0, "one")
    (table,) = section.tables
    assert set(table_text(table)["model"]) == {"a-0", "b-0"}
    assert section.statements[0].verdict == "inconclusive (one training each)"


def test_models_have_one_row_per_dataset_over_all_seeds() -> None:
    frame = records({"x": 0.5, "y": 0.9, "mini/prototype": 1.0}, data=["one", "two"], seeds=[0, 1])
    section = model_section("shots", frame, ["x", "y"], 0, "accuracy-1")
    (table,) = section.tables
    assert table_text(table)[["model", "data", "metric"]].drop_duplicates().to_numpy().tolist() == [
        [model, data, metric] for model in "xy" for data in ("one", "two") for metric in ("candidate", "open-ended")
    ]
    assert set(table.frame["n"]) == {400}
    assert set(table.frame["clusters"]) == {50}
    assert section.figure is not None


def test_more_models_than_colours_have_a_table_and_no_figure() -> None:
    names = [f"model {number}" for number in range(12)]
    section = model_section("shots", records(dict.fromkeys(names, 0.5)), names, 0, "accuracy-1")
    assert section.figure is None
    assert set(table_text(section.tables[0])["model"]) == set(names)
