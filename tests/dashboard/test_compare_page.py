from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboard.factories import (
    TRIALS,
    begin_run,
    chart_rows,
    chart_specs,
    charted_metrics,
    copy_shipped,
    newest_run,
    open_page,
    page_text,
    repeat_run,
    rewrite_records,
    statements,
    tables,
    write_sweep,
)


def test_several_sides_are_compared_with_a_reference_on_the_same_queries(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    app = open_page("compare", a="mini/base", b=["mini/2-way", "mini/mix"])
    assert not app.exception
    text = page_text(app)
    assert "<strong>A</strong> mini/base (reference) · <strong>B</strong> mini/2-way · <strong>C</strong>" in text
    assert {row["side"] for row in chart_rows(app) if "side" in row} == {"A: mini/base", "B: mini/2-way", "C: mini/mix"}
    table = tables(app)[0]
    assert set(table["side"]) == {"B: mini/2-way", "C: mini/mix"}
    assert set(table["gains"] + table["losses"]) != {0}
    assert table["n"].eq(200).all()
    for metric in ("candidate", "open-ended"):
        app.selectbox("by").set_value(metric).run()
        assert not app.exception
        assert set(tables(app)[0]["metric"]) == {metric}
        assert {metric for metric, _ in statements(app)} == {metric}
        assert charted_metrics(app) == {metric}


def test_a_metric_that_a_side_lacks_is_not_offered(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    # As of a server, which gives no log-likelihoods.
    rewrite_records(results, "CASE WHEN model = 'mini/base' THEN NULL ELSE correct_candidate END AS correct_candidate")
    app = open_page("compare", a="mini/base", b="mini/2-way")
    assert app.selectbox("by").options == ["open-ended"]
    app = open_page("episodes", run=newest_run(results, "false_ratio"), model="mini/2-way")
    assert app.selectbox("metric").options == ["candidate", "open-ended"]
    app.multiselect("beside").set_value(["mini/base"]).run()
    assert app.selectbox("metric").options == ["open-ended"]


def test_answers_that_a_metric_lacks_are_counted(results: Path) -> None:
    copy_shipped(results, "zero_shot")
    app = open_page("compare", b="mini/mix")
    assert app.selectbox("by").options == ["open-ended", "candidate"]  # only naming has candidates
    assert len(tables(app)[0]) == 9
    assert not any("not compared" in text for _, text in statements(app))
    app.selectbox("by").set_value("candidate").run()
    (left_out,) = [text for _, text in statements(app) if "not compared" in text]
    assert "800 of 800 answers of each of A: mini/base, B: mini/mix are not compared" in left_out
    assert "800 have no log-likelihoods" in left_out


def test_without_a_significant_difference_it_says_what_would_have_been_detected(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    app = open_page("compare", a="mini/2-way", b="mini/2-way-weight", by="candidate")
    (text,) = [text for _, text in statements(app) if "no difference" in text]
    assert "no difference of B: mini/2-way-weight remains significant" in text
    assert "is inconclusive; detectable: 0." in text


def test_the_page_opens_on_what_can_be_compared(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    begin_run(results, "model = 'mini/mix'", models=[{"name": "alone", "fingerprint": "1"}], queries=7)
    app = open_page("compare")
    assert not app.exception
    assert chart_specs(app)
    assert app.selectbox("of_queries").value == "200"
    app.selectbox("of_queries").set_value("7").run()
    assert "Nothing else has answered the queries of A" in page_text(app)


def test_trainings_of_a_strategy_are_averaged(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    write_sweep(results, TRIALS)
    app = open_page("compare", a="2-way (2 trainings)", b=["mix (2 trainings)", "mix-seed-0"])
    assert not app.exception
    assert not app.warning
    table = tables(app)[0].set_index(["side", "condition"])
    assert table.loc[("B: mix (2 trainings)", "false_ratio 0"), "verdict"] == "A is better"
    over, single = (table.loc[(side, "false_ratio 0"), "method"] for side in ("B: mix (2 trainings)", "C: mix-seed-0"))
    assert "trainings" in over and "trainings" not in single
    assert any("C: mix-seed-0: one of the two compared sides has a single" in text for _, text in statements(app))
    assert set(open_page("compare", a="2-way (2 trainings)").multiselect("b").value).isdisjoint(TRIALS)


def test_an_unfinished_run_is_compared_where_it_is_complete(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    begin_run(results, "model = 'mini/mix' AND query_id < 30", models=[{"name": "new", "fingerprint": "1"}])
    app = open_page("compare", a="mini/2-way", b=["new", "mini/mix"])
    assert not app.exception
    table = tables(app)[0].set_index("side")
    assert table.loc["B: new", "n"].eq(30).all() and table.loc["C: mini/mix", "n"].eq(200).all()
    assert "Not finished" in app.warning[0].value


@pytest.mark.parametrize(
    ("view", "heading"),
    [
        ("Concept pairs", "pair"),
        pytest.param("Margins", "median", marks=pytest.mark.slow),
        pytest.param("Calibration", "Brier score", marks=pytest.mark.slow),
        ("Names", "confusion"),
    ],
)
def test_every_view_has_a_figure_and_a_table_under_one_condition(view: str, heading: str, results: Path) -> None:
    copy_shipped(results, "false_ratio")
    app = open_page("compare", view=view, at="false_ratio 1")
    assert not app.exception
    assert chart_specs(app)
    assert heading in tables(app)[0]
    assert app.selectbox("at").value == "false_ratio 1"
    assert not app.warning


def test_the_answers_at_a_point_are_listed_and_forgotten_with_the_condition(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    app = open_page("compare", view="Names", by="open-ended", at="false_ratio 1")
    confusions = tables(app)[0]
    row = confusions[confusions["side"] == "D: mini/base"].iloc[0]
    app = open_page("compare", view="Names", by="open-ended", at="false_ratio 1", side="D", point=row["confusion"])
    assert f"Answers of D: mini/base at {row['confusion']}" in [
        heading.value.replace("\\", "") for heading in app.subheader
    ]
    listed = tables(app)[1]
    assert len(listed) == row["n"]
    assert set(listed["true name"]) == {row["true_name"] if "true_name" in row else row["true name"]}
    app.selectbox("at").set_value("false_ratio 0").run()
    assert "point" not in app.query_params and "side" not in app.query_params
    assert len(tables(app)) == 1


def test_what_differs_between_runs_is_listed(results: Path) -> None:
    copy_shipped(results, "shots")
    repeat_run(results, dtype="float16", content="changed")
    older = next(run for run in sorted((results / "shots").iterdir()) if not run.name.startswith("2030"))
    app = open_page("compare", view="Configuration", a="mini/base", b=f"mini/base, seed 0, {older.name}")
    assert not app.exception
    assert not app.warning
    sides, different = tables(app)
    assert sides["side"].tolist() == ["A: mini/base", f"B: mini/base, seed 0, {older.name}"]
    assert different.set_index("what").loc["config: dtype"].tolist() == ["float16", "auto"]
    assert set(different["what"]) == {"config: dtype", "config: content"}
