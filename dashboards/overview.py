"""Overview: every model at a glance, beside what the paper printed of others on other data."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboards import choose, episodes, show
from dashboards.results import Design, Lab, Source, State, lab, records_of
from dashboards.text import plain
from lcl_lab.analysis import METRICS, accuracy, cell_rng, link_score, paired_difference, published
from lcl_lab.errors import UserError
from lcl_lab.figures import overview_figure
from lcl_lab.studies import Findings, Section, Table, interval

__all__ = ["page"]

_TRUE, _LINK, _FALSE, _CHANGE = "accuracy", "link score", "all labels false", "zero-shot change"
_MEANT = {
    _TRUE: "at the most shots, all labels true",
    _LINK: "accuracy with true labels minus that with false ones; 0: it ignores them, 1: it follows all",
    _FALSE: "accuracy with every label false; a model that follows the link is near 0",
    _CHANGE: "of the answers without a support, against the model that the study was given first",
}


def page() -> None:
    """The newest answers of each model in the false-label study and in the zero-shot study."""
    here = lab()
    if here.shipped:
        st.info("These results come with LCL Lab. Your own appear here as soon as a study has run.")
    for broken in here.broken:
        st.warning(f"{plain(f'{broken.path.parent.name}/{broken.path.name}')}: {plain(broken.reason)}")
    designs = here.of("false_ratio")
    if not designs:
        st.info("There is no run of the false-label study yet. This makes one:")
        st.code("python -m lcl_lab.studies.false_ratio", language="sh")
        return
    design = choose.design(designs)
    left, right = st.columns([3, 1])
    with left:
        models = choose.models(design)
    with right:
        metric = choose.metric()
    if not models:
        st.info("Choose a model.")
        return
    harm = _harm(here, models)
    sources = _finished(design, models)
    if not sources:
        st.info("No run of this design is finished yet.")
        return
    if not choose.willing([*sources, *harm]):
        return
    found = _found(tuple(source.state for source in (*sources, *harm)), metric, sources, harm)
    picked = show.findings(found, "overview", ["model", "measure"])
    show.export(found, "overview")
    _others(here)
    if picked:
        asked = harm if picked["measure"] == _CHANGE else sources
        source = next(source for source in asked if source.model == picked["model"])
        address = {"false_ratio": "1" if picked["measure"] == _FALSE else "0"} if asked is sources else {}
        st.switch_page(episodes.this_page(), query_params=episodes.link(source, address, metric=metric))


def _others(here: Lab) -> None:
    """What else there is."""
    st.subheader("Runs")
    rows = [
        {
            "run": run.run,
            "models": ", ".join(str(model["name"]) for model in run.config.get("models", [])),
            "state": "finished" if run.finished else "not finished",
            "begun": run.created,
        }
        for run in here.runs
    ]
    st.dataframe(rows, hide_index=True)


def _harm(here: Lab, models: Sequence[str]) -> list[Source]:
    """The zero-shot answers of these models, and of the one they are measured against."""
    designs: list[Design] = here.of("zero_shot")
    if not designs:
        return []
    design = designs[0]
    return _finished(design, [design.models[0], *models])


def _finished(design: Design, models: Sequence[str]) -> list[Source]:
    """The answers of finished runs to the queries of one seed, the newest."""
    sources = [source for source in design.chosen(models, design.seeds) if source.run.finished]
    return [source for source in sources if source.seed == sources[0].seed]


@st.cache_resource(max_entries=64, show_spinner="Reading the records …")
def _found(state: State, metric: str, _sources: Sequence[Source], _harm: Sequence[Source]) -> Findings:
    rows = pd.DataFrame([*_links(_sources, metric), *_changes(_harm)])
    if rows.empty:
        return Findings("Overview", [Section("Overview", [f"No answers with {metric} yet."])])
    title = f"All models at a glance, {metric}"
    wide = rows.assign(
        told=[interval(e, lo, hi) for e, lo, hi in rows[["estimate", "low", "high"]].to_numpy().tolist()]
    )
    table = wide.pivot(index="model", columns="measure", values="told")
    measures = [measure for measure in _MEANT if measure in table.columns]
    ours = table.loc[rows["model"].drop_duplicates().tolist(), measures].fillna("").reset_index()
    theirs = _published()
    said = [f"**{measure}**: {_MEANT[measure]}." for measure in measures]
    tables = [
        Table("Ours, with 95 % intervals over concept pairs", ours),
        Table("Published, other data (Tai et al., CVPR 2024): open-ended", theirs),
    ]
    return Findings(title, [Section("Overview", said, overview_figure(rows, theirs, title), "overview", tables)])


def _links(sources: Sequence[Source], metric: str) -> list[dict[str, object]]:
    records = records_of(sources)
    column = METRICS[metric]
    found: list[dict[str, object]] = []
    for source in sources:
        own = records[(records["model"] == source.model) & records[column].notna()]
        for measure, ratio in ((_TRUE, 0.0), (_FALSE, 1.0)):
            for _, row in accuracy(own[own["false_ratio"] == ratio], [], source.seed, {metric: column}).iterrows():
                found.append(_row(source.model, measure, row["estimate"], row["low"], row["high"]))
        try:
            score = link_score(own, cell_rng(source.seed, (source.model, "link")), column)
        except UserError:  # not asked with all labels true, or with all false
            continue
        found.append(_row(source.model, _LINK, score.estimate, score.low, score.high))
    return sorted(found, key=lambda row: list(_MEANT).index(str(row["measure"])))


def _changes(sources: Sequence[Source]) -> list[dict[str, object]]:
    if len({source.model for source in sources}) < 2:
        return []
    records = records_of(sources)
    first, *others = dict.fromkeys(source.model for source in sources)
    found = []
    for model in others:
        change = paired_difference(
            records,
            METRICS["open-ended"],
            {"model": first},
            {"model": model},
            cell_rng(0, ("overview", model)),
            on=("task", "kind", "query_id"),
        )
        found.append(_row(model, _CHANGE, change.estimate, change.low, change.high))
    return found


def _row(model: str, measure: str, estimate: float, low: float, high: float) -> dict[str, object]:
    return {"model": model, "measure": measure, "estimate": estimate, "low": low, "high": high}


def _published() -> pd.DataFrame:
    """The paper's numbers that are nearest to these measures: columns measure, method, data, value, source."""
    rows = []
    for table, data in (("Table 2", "ImageNet-100"), ("Table 1", "ISEKAI-pair")):
        printed = published(table=table, dataset=data)
        for _, row in printed[printed["shots"] == 16].iterrows():
            rows.append((_TRUE, row["method"], data, row["value"], table))
    ends = published(table="Figure 7")
    for _, row in ends[ends["metric"] == "accuracy@false_ratio=1"].iterrows():
        rows.append((_FALSE, row["method"], row["dataset"], row["value"], "Figure 7"))
        true = published(table="Table 2", dataset="ImageNet-100")
        # Figure 7 prints LCL's true end; OpenFlamingo's is that of Table 2, at the same shots.
        own = ends[(ends["method"] == row["method"]) & (ends["metric"] == "accuracy@false_ratio=0")]["value"]
        same = true[(true["method"] == row["method"]) & (true["shots"] == row["shots"])]["value"]
        start = own if len(own) else same
        if len(start):
            rows.append((_LINK, row["method"], row["dataset"], max(0.0, start.iloc[0] - row["value"]), "Figure 7"))
    zero = published(table="Table 3", dataset="VQAv2-dev").set_index("method")["value"]
    rows.append((_CHANGE, "LCL-7B [mix]", "VQAv2-dev", zero["LCL-7B [mix]"] - zero["Shikra-13B"], "Table 3"))
    return pd.DataFrame(rows, columns=["measure", "method", "data", "value", "source"])
