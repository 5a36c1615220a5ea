from __future__ import annotations

from pathlib import Path

from lcl_lab.store import read_run
from tests.dashboard.factories import copy_shipped, newest_run, open_page, page_text


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
    app.selectbox("beside").set_value("mini/base").run()
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
    shown = [message for message in app.chat_message if message.name == "assistant"]
    assert len(shown) == len(row["support"]) + 1
    assert page_text(app).count("it is ") == sum(shot["false"] for shot in row["support"])
    assert f"mini/2-way: {row['answer']}" in page_text(app)
    assert "mini/base: " in page_text(app)
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
