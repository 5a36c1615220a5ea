from __future__ import annotations

from pathlib import Path

from tests.dashboard.factories import (
    chart_specs,
    charted_metrics,
    copy_shipped,
    newest_run,
    open_page,
    page_text,
    rewrite_records,
    statements,
    tables,
)


def test_two_models_are_compared_on_the_same_queries(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    app = open_page("compare", a=f"mini/base, seed 0, {newest_run(results, 'false_ratio').split('/')[1]}")
    assert not app.exception
    assert "answers flip" in page_text(app)
    assert chart_specs(app)
    table = tables(app)[0]
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
    run = newest_run(results, "false_ratio")
    name = run.split("/")[1]
    app = open_page("compare", a=f"mini/base, seed 0, {name}", b=f"mini/2-way, seed 0, {name}")
    assert app.selectbox("by").options == ["open-ended"]
    app = open_page("episodes", run=run, model="mini/2-way")
    assert app.selectbox("metric").options == ["candidate", "open-ended"]
    app.multiselect("beside").set_value(["mini/base"]).run()
    assert app.selectbox("metric").options == ["open-ended"]


def test_the_metric_with_the_most_conditions_comes_first(results: Path) -> None:
    copy_shipped(results, "zero_shot")
    app = open_page("compare")
    assert app.selectbox("by").options == ["open-ended", "candidate"]  # only naming has candidates
    assert len(tables(app)[0]) == 9


def test_without_a_significant_difference_it_says_what_would_have_been_detected(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    name = newest_run(results, "false_ratio").split("/")[1]
    app = open_page("compare", a=f"mini/2-way, seed 0, {name}", b=f"mini/2-way-weight, seed 0, {name}", by="candidate")
    (text,) = [text for _, text in statements(app) if "no difference remains" in text]
    assert "is inconclusive; detectable: 0." in text
