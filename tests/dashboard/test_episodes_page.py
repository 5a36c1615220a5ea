from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lcl_lab.store import read_run
from tests.dashboard.factories import (
    HOSTILE,
    chart_specs,
    copy_shipped,
    newest_run,
    open_page,
    page_text,
    rewrite_records,
    write_hostile_run,
    write_token_run,
)


def image_captions(app: AppTest) -> list[str]:
    """What is written below the images of a page, without escapes."""
    images = [image for element in app.get("image") for image in element.proto.imgs]
    return [re.sub(r"\\(.)", r"\1", image.caption) for image in images if image.caption]


def test_episodes_are_found_by_outcome_and_opened_by_their_address(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    run = newest_run(results, "false_ratio")
    records = read_run(results / run)
    rows = records[(records["model"] == "mini/2-way") & (records["false_ratio"] == 0.5)]
    app = open_page("episodes", run=run, model="mini/2-way", false_ratio="0.5")
    assert not app.exception
    assert f"{len(rows)} episodes" in page_text(app)
    app.selectbox("answers").set_value("wrong").run()
    wrong = rows[~rows["correct_candidate"].astype(bool)]
    assert f"{len(wrong)} episodes" in page_text(app)
    app.multiselect("beside").set_value(["mini/base"]).run()
    app.selectbox("answers").set_value("flipped").run()
    base = records[(records["model"] == "mini/base") & (records["false_ratio"] == 0.5)].set_index("query_id")
    flipped = (rows.set_index("query_id")["correct_candidate"] != base["correct_candidate"]).sum()
    assert f"{flipped} episodes" in page_text(app)
    app.selectbox("answers").set_value("all").run()
    pair = rows["pair"].iloc[0]
    app.selectbox("pair").set_value(pair).run()
    assert f"{(rows['pair'] == pair).sum()} episodes" in page_text(app)
    app.selectbox("pair").set_value("any").run()
    name = rows["true_name"].iloc[0]
    app.selectbox("true_name").set_value(name).run()
    assert f"{(rows['true_name'] == name).sum()} episodes" in page_text(app)

    app = open_page("episodes", run=run, model="mini/2-way", false_ratio="0.5", query="7", beside="mini/base")
    assert not app.exception
    row = rows[rows["query_id"] == 7].iloc[0]
    assert f"Query 7: {row['true_name']}, not {row['other_name']}" in page_text(app)
    labels = image_captions(app)
    assert all(shot["label"] in label for shot, label in zip(row["support"], labels, strict=True))
    assert ["orange" in label for label in labels] == [shot["false"] for shot in row["support"]]
    (table,) = (element.value for element in app.table)
    marks = {True: "✓", False: "✗"}
    assert [name.split("]")[0] for name in table.columns] == [r"[mini/2\-way", "[mini/base"]
    assert list(table.loc["candidate"]) == [marks[row["correct_candidate"]], marks[base.loc[7, "correct_candidate"]]]
    app = open_page("episodes", run=run, query="seven")
    assert "must be a number" in page_text(app)


def test_pages_of_episodes_follow_one_another(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    run = newest_run(results, "false_ratio")
    address = {"run": run, "model": "mini/2-way", "false_ratio": "0"}
    first, second = (open_page("episodes", **address, page=page) for page in ("1", "2"))
    assert "query 0:" in page_text(first)
    assert "query 10:" in page_text(second)
    assert "query 0:" not in page_text(second)


def test_search_and_order_are_in_the_address(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    run = newest_run(results, "false_ratio")
    app = open_page("episodes", run=run, model="mini/2-way")
    assert app.selectbox("sort").options == ["query", "lowest margin", "highest margin", "seconds"]
    app.text_input("find").set_value("no such words").run()
    assert "No episode matches." in page_text(app)
    records = read_run(results / run).query("model == 'mini/2-way'")
    name = records["true_name"].iloc[0]
    app.text_input("find").set_value(name).run()
    app.selectbox("sort").set_value("lowest margin").run()
    assert dict(app.query_params) == {"run": run, "model": "mini/2-way", "find": name, "sort": "lowest margin"}
    margins = [float(text) for text in re.findall(r"margin ([+-][\d.]+)", page_text(app))]
    assert len(margins) == 10
    assert margins == sorted(margins)
    again = open_page("episodes", run=run, model="mini/2-way", find=name, sort="lowest margin")
    assert page_text(again) == page_text(app)


def test_an_opened_episode_keeps_its_list(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    listed = open_page("episodes", model="mini/2-way", false_ratio="0.5", answers="wrong", sort="lowest margin")
    next(button for button in listed.button if button.label == "Open").click().run()
    assert {"query", "shots", "answers", "sort"} <= set(listed.query_params)
    first = listed.query_params["query"]
    assert "1 of " in page_text(listed)
    steps = {button.label: button for button in listed.button}
    assert steps["Previous"].disabled
    steps["Next"].click().run()
    assert listed.query_params["query"] != first
    assert "2 of " in page_text(listed)
    next(button for button in listed.button if button.label == "Previous").click().run()
    assert listed.query_params["query"] == first


@pytest.mark.parametrize("query", [{}, {"query": "0", "false_ratio": "0"}])
def test_long_and_hostile_answers_are_short_and_plain(results: Path, query: dict[str, str]) -> None:
    copy_shipped(results, "false_ratio")
    rewrite_records(results, f"repeat('{HOSTILE} ', 200) AS answer, '{HOSTILE}' AS true_name")
    app = open_page("episodes", **query)
    assert not app.exception
    shown = [element.value for element in app.text if HOSTILE in element.value]
    assert shown
    popovers = [text for text in shown if len(text) > 1000]
    assert len(popovers) == len(query and [1])
    tables = [str(value) for element in app.table for value in (*element.value.index, *element.value.to_numpy().flat)]
    markdown = [element.value for element in (*app.markdown, *app.caption, *app.subheader)]
    assert not any("![x]" in text for text in (*markdown, *tables))
    assert len(tables) > 2 or not query


def test_hostile_tokens_are_text(results: Path) -> None:
    write_hostile_run(results)
    app = open_page("episodes", query="0", false_ratio="0")
    assert not app.exception
    (strips,) = (str(one.proto.body) for one in app.get("html") if 'class="strips"' in str(one.proto.body))
    assert (
        strips.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 1 + 1 + 5
    )  # the model, its true name, and the tokens
    assert "<script" not in strips


def test_an_episode_shows_its_nearest_image_and_the_tokens_of_its_names(results: Path) -> None:
    """Both, whichever model of the run knows them."""
    write_token_run(results)
    app = open_page("episodes", model="speller", query="0")
    assert "image 2, outlined, is the most similar to the query by the features of comparer" in page_text(app)
    styles = " ".join(str(element.proto.body) for element in app.get("html"))
    assert ".st-key-support > :nth-child(2) img" in styles
    strips = re.findall(r"<dt>“(\w+)”</dt><dd>(.*?)</dd>", styles)
    shown = {name: re.findall(r"/ (\d+)%.*?<b>(\w+)</b>(-?[\d.]+)", strip) for name, strip in strips}
    assert shown == {
        "dax": [("0", "da", "0.00"), ("13", "x", "-0.25")],
        "blick": [("38", "bl", "-1.00"), ("24", "ic", "-0.50"), ("38", "k", "-1.00")],
    }
    assert "Log-likelihood of each token" not in page_text(open_page("episodes", model="comparer", query="0"))


def test_records_of_earlier_versions_have_neither_nearest_image_nor_tokens(results: Path) -> None:
    copy_shipped(results, "zero_shot")
    app = open_page("episodes", query="0")
    assert not app.exception
    assert "outlined" not in page_text(app) and "each token" not in page_text(app)


def test_attention_is_shown_where_a_run_measured_it(results: Path) -> None:
    copy_shipped(results, "circuits")
    run = newest_run(results, "circuits")
    records = read_run(results / run)
    measured = records[records["part"] == "attention to a label"].iloc[0]
    address = {"run": run, "model": "mini/2-way", "part": "intact"}
    app = open_page("episodes", **address, query=str(measured["query_id"]))
    panels = [spec for spec in chart_specs(app) if "Attention" in json.dumps(spec)]
    assert len(panels) == records["model"].nunique()
    assert not chart_specs(open_page("episodes", **address, query=str(measured["query_id"] + 1)))
