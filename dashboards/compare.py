"""Compare: two models, or one in two runs, on the same queries: difference, test, flips."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboards import choose, episodes, show
from dashboards.answers import text_of
from dashboards.results import Source, State, lab, records_of, study_names
from dashboards.text import plain
from lcl_lab.analysis import METRICS, adjust, cell_rng, paired_difference
from lcl_lab.errors import UserError
from lcl_lab.figures import dot_figure
from lcl_lab.store import FIXED
from lcl_lab.studies import Findings, Section, Table, interval

__all__ = ["page"]


def page() -> None:
    """Whose answers, and what differs under each condition."""
    here = lab()
    if not here.designs:
        st.info("There are no records yet.")
        return
    places = st.columns(2)
    with places[0]:
        study = choose.bound("Study", study_names(here), "study")
    with places[1]:
        metric = choose.metric()
    design = choose.design(here.of(study))
    names = {f"{s.model}, seed {s.seed}, {s.run.run.rpartition('/')[2]}": s for s in design.every}
    places = st.columns(2)
    with places[0]:
        a = names[choose.bound("A", list(names), "a")]
    same = [name for name, source in names.items() if source != a and source.seed == a.seed]
    if not same:
        st.info("Nobody else was asked the same queries: there is nothing to compare.")
        return
    with places[1]:
        b = names[choose.bound("B", same, "b")]
    if not choose.willing([a, b]):
        return
    try:
        found, conditions = _found((a.state, b.state), metric, a, b)
    except UserError as error:
        st.info(plain(f"They cannot be paired: {error}"))
        return
    picked = show.findings(found, "compare", [*conditions, "condition"])
    show.export(found, "compare")
    flips = episodes.link(a, {}, beside=episodes.name_of(b, a.run.run), answers="flipped", metric=metric)
    st.page_link(episodes.this_page(), label="The queries that flip", query_params=flips)
    if picked:
        where = {key: value for key, value in picked.items() if key != "condition"}
        st.switch_page(episodes.this_page(), query_params=flips | episodes.link(a, where))


@st.cache_resource(max_entries=64, show_spinner="Reading the records …")
def _found(state: State, metric: str, _a: Source, _b: Source) -> tuple[Findings, list[str]]:
    both = pd.concat([_side(_a, "a"), _side(_b, "b")], ignore_index=True)
    conditions = [column for column in both.columns if column not in (*FIXED, "side")]
    told = [column for column in conditions if both[column].nunique(dropna=False) > 1]
    rows = _differences(both, told, METRICS[metric])
    if rows.empty:
        raise UserError(f"there is no condition under which both have {metric} answers")
    title = f"B − A, {metric}: {_b.model} against {_a.model}"
    figure = dot_figure(
        rows.assign(comparison="B − A"),
        "condition",
        title,
        y_title="Difference in accuracy",
        group="comparison",
        group_title="Paired difference, with 95 % interval",
        domain=None,
        guide=0.0,
        width=max(420, 60 * len(rows)),
    )
    numbers = rows[["estimate", "low", "high"]].to_numpy().tolist()
    told_differences = [interval(estimate, low, high, sign=True) for estimate, low, high in numbers]
    columns = ["condition", "A", "B", "difference", "gains", "losses", "queries", "pairs", "p", "Holm"]
    chances = {name: rows[name].map("{:.2g}".format) for name in ("p", "Holm")}
    table = rows.assign(difference=told_differences, **chances)[columns]
    caption = "Wrong under A and right under B are gains; McNemar's exact test over concept pairs, adjusted by Holm"
    return Findings(title, [Section(title, _sentences(rows), figure, "compare", [Table(caption, table)])]), told


def _side(source: Source, side: str) -> pd.DataFrame:
    return records_of([source]).assign(side=side)


def _differences(both: pd.DataFrame, told: Sequence[str], column: str) -> pd.DataFrame:
    """A row a condition: the paired difference, its interval and its test."""
    rows = []
    cells = both.groupby(list(told), dropna=False, sort=True) if told else [((), both)]
    for key, cell in cells:
        if cell[column].isna().any() or cell["side"].nunique() < 2:
            continue
        found = paired_difference(cell, column, {"side": "a"}, {"side": "b"}, cell_rng(0, ("compare", *key)))
        values = dict(zip(told, key, strict=True))
        rows.append(
            {
                "condition": ", ".join(f"{name} {text_of(value)}" for name, value in values.items()) or "all",
                **values,
                "estimate": found.estimate,
                "low": found.low,
                "high": found.high,
                "A": found.accuracy_a,
                "B": found.accuracy_b,
                "gains": found.gains,
                "losses": found.losses,
                "queries": found.n,
                "pairs": found.clusters,
                "p": found.p_value,
            }
        )
    frame = pd.DataFrame(rows)
    return frame.assign(Holm=adjust(frame["p"].tolist())["holm"].to_numpy()) if len(frame) else frame


def _sentences(rows: pd.DataFrame) -> list[str]:
    better = rows[(rows["Holm"] < 0.05) & (rows["estimate"] > 0)]["condition"].tolist()
    worse = rows[(rows["Holm"] < 0.05) & (rows["estimate"] < 0)]["condition"].tolist()
    said = [f"**B is better** under {', '.join(better)}."] if better else []
    said += [f"**A is better** under {', '.join(worse)}."] if worse else []
    flips = int(rows["gains"].sum() + rows["losses"].sum())
    said = said or ["No difference stands the test after Holm's correction."]
    return [*said, f"{flips} of {rows['queries'].sum()} answers flip."]
