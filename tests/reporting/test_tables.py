from __future__ import annotations

import pandas as pd

from lcl_lab.reporting import Table, caption_text, markdown_rows, table_text


def test_one_row_per_model_and_metric_and_empty_cells_where_nothing_was_evaluated() -> None:
    rows = [("a", "candidate", 2, 0.5), ("a", "candidate", 0, 0.4), ("b", "candidate", 2, 0.6)]
    frame = pd.DataFrame(rows, columns=["model", "metric", "shots", "estimate"]).assign(low=0.1, high=0.9)
    text = table_text(Table("Accuracy", frame, across="shots"))
    assert list(text.columns) == ["model", "metric", "0", "2"]
    assert text.to_numpy().tolist() == [
        ["a", "candidate", "0.40 [0.10, 0.90]", "0.50 [0.10, 0.90]"],
        ["b", "candidate", "", "0.60 [0.10, 0.90]"],
    ]


def test_models_that_were_evaluated_under_few_conditions_come_last() -> None:
    rows = [("a", "candidate", 2), ("z", "open-ended", 2), *(("z", "candidate", shots) for shots in (0, 2, 4))]
    frame = pd.DataFrame(rows, columns=["model", "metric", "shots"]).assign(estimate=0.5, low=0.1, high=0.9)
    text = table_text(Table("Accuracy", frame, across="shots"))
    assert text[["model", "metric"]].to_numpy().tolist() == [
        ["z", "candidate"], ["z", "open-ended"], ["a", "candidate"],
    ]  # fmt: skip


def test_a_caption_says_what_columns_of_numbers_are() -> None:
    frame = pd.DataFrame({"model": "m", "false_ratio": [0.0, 0.25], "estimate": 0.5, "low": 0.4, "high": 0.6})
    table = Table("Accuracy", frame, across="false_ratio", rows=("model",))
    assert list(table_text(table).columns) == ["model", "0", "0.25"]
    assert caption_text(table) == "Accuracy; one column per ratio of false labels"
    assert caption_text(Table("Accuracy", frame.rename(columns={"false_ratio": "new_k"}), across="new_k")) == (
        "Accuracy; one column per new k"
    )
    assert caption_text(Table("Accuracy", frame.assign(words="real"), across="words")) == "Accuracy"
    assert caption_text(Table("Accuracy", frame)) == "Accuracy"


def test_the_order_of_the_frame_can_be_kept() -> None:
    frame = pd.DataFrame({"model": ["z", "a"], "words": ["real", "invented"], "estimate": 0.5, "low": 0.4, "high": 0.6})
    text = table_text(Table("c", frame, across="words", rows=("model",), in_order=True))
    assert list(text.columns) == ["model", "real", "invented"]
    assert text["model"].tolist() == ["z", "a"]


def test_rows_show_value_and_interval_in_one_column_and_label_p_values() -> None:
    rows = [{"comparison": "b − a", "estimate": 0.1, "low": -0.05, "high": 0.25, "n": 9, "p_value": 0.03, "holm": 0.06}]
    table = Table.from_rows("c", rows, estimand="difference", decimals=3, signed=True)
    text = table_text(table)
    assert list(text.columns) == ["comparison", "difference", "n", "p", "Holm"]
    assert text.iloc[0].tolist() == ["b − a", "+0.100 [-0.050, +0.250]", 9, "p = 0.030", "p = 0.060"]


def test_markdown_escapes_the_cell_separator() -> None:
    lines = markdown_rows(pd.DataFrame({"a|b": ["x|y"]}))
    assert lines == ["| a\\|b |", "| --- |", "| x\\|y |"]
