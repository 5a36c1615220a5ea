"""What the records of a study of attention heads say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from lcl_lab import analysis, figures, reporting
from lcl_lab.models.interventions.attention_head import Head
from lcl_lab.studies import comparisons
from lcl_lab.studies.circuit_columns import PATCHED, RANDOM, TOP, margins, step_of
from lcl_lab.studies.circuit_effects import MEANS, METRIC, SHARES, HeadEffects
from lcl_lab.studies.circuit_emergence import emergence_section
from lcl_lab.studies.circuit_example import attention_example

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from lcl_lab.analysis import SimultaneousMeans
    from lcl_lab.figures import Figure
    from lcl_lab.reporting import Findings, Section, Statement
    from lcl_lab.studies.study_config import EpisodeConfig

__all__ = ["analyse"]


def analyse(config: EpisodeConfig, records: pd.DataFrame) -> Findings:
    """Heads, their removal, patches, and what models have in common."""
    records = records.assign(margin=margins(records))
    studied = [HeadEffects(config, name, rows) for name, rows in comparisons.per_model(records, config.models)]
    compared = [model for model in studied if step_of(model.name) is None]
    sections = [
        _heads_section(compared),
        _attention_section(compared),
        *attention_example(config, compared),
        _removal_section(compared),
        _patching_section(compared),
        *_common_section(compared),
        *emergence_section([model for model in studied if model not in compared]),
    ]
    return reporting.Findings("Circuits", sections)


def _heads_section(studied: Sequence[HeadEffects]) -> Section:
    table = reporting.Table.from_rows(
        "What each head is worth: the margin that is lost without it, in nats per token, and accuracy without it",
        [row for model in studied for row in _head_rows(model, model.lost)],
        estimand="margin lost without a head",
        method=MEANS,
        signed=True,
        metric=METRIC,
    )
    figure = _by_layer(table.frame, "What each head is worth", "Margin lost without it, nats per token")
    statements = [statement for model in studied for statement in _head_statements(model)]
    return reporting.Section("Heads that carry the link", statements, figure, "heads", [table])


def _attention_section(studied: Sequence[HeadEffects]) -> Section:
    table = reporting.Table.from_rows(
        "Induction scores: attention to labels of the query's concept minus that to the other labels",
        [row for model in studied for row in _head_rows(model, model.induction)],
        estimand="induction score",
        method=MEANS,
        signed=True,
        metric=METRIC,
    )
    figure = _by_layer(table.frame, "Where heads attend at the end of the prompt", "Induction score")
    statements = [statement for model in studied for statement in _attention_statements(model)]
    return reporting.Section("Heads that attend to the right labels", statements, figure, "induction", [table])


def _by_layer(rows: pd.DataFrame, title: str, value_title: str) -> Figure:
    heads = rows["head"].map(Head.parse)
    placed = rows.assign(layer=[head.layer for head in heads], number=[head.number for head in heads])
    return figures.heat_map_figure(
        placed, "number", "layer", title, value_title=value_title, x_title="Head", y_title="Layer", metric=METRIC
    )


def _head_rows(model: HeadEffects, means: SimultaneousMeans) -> Iterator[dict[str, Any]]:
    for number, head in enumerate(model.heads):
        yield {
            "model": model.name,
            "head": str(head),
            "estimate": means.estimate[number],
            "low": means.low[number],
            "high": means.high[number],
            "accuracy": float(model.accuracies.iloc[number]["estimate"]),
            "n": means.n,
            "clusters": means.clusters,
        }


def _head_statements(model: HeadEffects) -> Iterator[Statement]:
    if model.follows_nothing:
        template = "{model} is not above chance with all its heads ({accuracy:2}), so none of them carries a link."
        yield reporting.Statement(template, {"accuracy": model.accuracy(TOP, 0)}, METRIC, model.name)
        return
    head, lost = model.largest(model.lost, "margin lost without a head")
    template = (
        "{model}: head {head} is worth most: without it the margin between the two names changes by {lost:2} nats per "
        "token."
    )
    loss = replace(lost, value=-lost.value, low=-lost.high, high=-lost.low)
    yield reporting.Statement(template, {"head": head, "lost": loss}, METRIC, model.name)


def _attention_statements(model: HeadEffects) -> Iterator[Statement]:
    if model.follows_nothing:
        return
    head, score = model.largest(model.induction, "induction score")
    template = (
        "{model}: at the end of the prompt, head {head} attends by {score:2} more to labels of the query's concept "
        "than to the other labels, the most of all heads."
    )
    yield reporting.Statement(template, {"head": head, "score": score}, METRIC, model.name)


def _removal_section(studied: Sequence[HeadEffects]) -> Section:
    path = analysis.concat_estimates([model.path for model in studied])
    table = reporting.Table(
        "Accuracy on the other pairs without k heads",
        path,
        across="k",
        rows=("model", "part"),
        metric=METRIC,
        estimand="accuracy",
        method=comparisons.BOOTSTRAP,
    )
    figure = figures.removal_figure(path, "Accuracy on other pairs, without the top heads and without as many others")
    statements = [statement for model in studied for statement in _removal_statements(model)]
    return reporting.Section("Heads removed together, on other pairs", statements, figure, "removal", [table])


def _removal_statements(model: HeadEffects) -> Iterator[Statement]:
    if model.follows_nothing:
        return
    values: dict[str, Any] = {"before": model.accuracy(TOP, 0)}
    if model.needed is None:
        template = (
            "{model}: no number of top heads is enough to bring accuracy near chance: at most it falls from {before:2} "
            "to {after:2}."
        )
        values["after"] = model.accuracy(TOP, model.most_harmful)
        yield reporting.Statement(template, values, METRIC, model.name)
        return
    random = model.accuracy(RANDOM, model.needed)
    values |= {
        "heads": f"top {model.needed} heads" if model.needed > 1 else "top head",
        "names": ", ".join(model.top[: model.needed]),
        "after": model.accuracy(TOP, model.needed),
        **({"random": random} if random else {}),
    }
    compared = "; without as many random ones it is {random:2}" if random else ""
    template = (
        f"{{model}}: without its {{heads}} ({{names}}) accuracy falls from {{before:2}} to {{after:2}}{compared}."
    )
    yield reporting.Statement(template, values, METRIC, model.name)


def _patching_section(studied: Sequence[HeadEffects]) -> Section:
    statements, rows = [], []
    for model in studied:
        if model.regained is None:
            template = "{model}: false labels do not lower the margin, so there is nothing that a patch could regain."
            statements.append(reporting.Statement(template, {}, METRIC, model.name))
            continue
        statements.append(_patching_statement(model))
        rows += list(_patching_rows(model))
    if not rows:
        return reporting.Section("Where the mapping is built and read", statements)
    table = reporting.Table.from_rows(
        "Share of the intact prompt's margin that a patch regains when all labels are false",
        rows,
        estimand="share regained by a patch",
        method=SHARES,
        signed=True,
        metric=METRIC,
    )
    tokens = table.frame[table.frame["place"] != "last token"]
    figure = figures.heat_map_figure(
        tokens,
        "place",
        "site",
        "Where the mapping is built and read",
        value_title="Share regained by patching",
        x_title="Patched tokens",
        metric=METRIC,
    )
    return reporting.Section("Where the mapping is built and read", statements, figure, "patching", [table])


def _patching_rows(model: HeadEffects) -> Iterator[dict[str, Any]]:
    assert model.regained is not None
    for number, site in enumerate(model.sites):
        yield {
            "model": model.name,
            "site": _site_name(site),
            "place": site.get("place", "last token"),
            "estimate": model.regained.estimate[number],
            "low": model.regained.low[number],
            "high": model.regained.high[number],
            "n": model.regained.n,
            "clusters": model.regained.clusters,
        }


def _patching_statement(model: HeadEffects) -> Statement:
    assert model.regained is not None
    shares = model.regained.estimate
    best = {
        place: max(
            (number for number, site in enumerate(model.sites) if site.get("place", "head") == place),
            key=lambda number: shares[number],
        )
        for place in ("labels", "query", "head")
    }
    values: dict[str, Any] = {
        name: model.estimate(
            model.regained,
            number,
            estimand="share regained by a patch",
            condition={"site": _site_name(model.sites[number])},
            method=SHARES,
            signed=True,
        )
        for name, number in best.items()
    }
    values |= {f"{name}_at": _site_name(model.sites[number]) for name, number in best.items()}
    template = (
        "{model}: with all labels false, the residual stream of the intact prompt regains most at the labels "
        "{labels_at} ({labels:2} of the margin) and at the query {query_at} ({query:2}); of single heads, {head_at} "
        "regains most ({head:2})."
    )
    return reporting.Statement(template, values, METRIC, model.name)


def _site_name(site: Mapping[str, Any]) -> str:
    return f"head {site['head']}" if site["part"] == PATCHED else f"after layer {int(site['layer'])}"


def _common_section(studied: Sequence[HeadEffects]) -> Iterator[Section]:
    """Whether models of one shape need the same heads."""
    rows = []
    for first, second in combinations([model for model in studied if not model.follows_nothing], 2):
        if first.heads != second.heads:
            continue
        count = max(first.needed or 1, second.needed or 1)
        rows.append(
            {
                "models": f"{first.name}, {second.name}",
                "rank correlation": _rank_correlation(first.lost.estimate, second.lost.estimate),
                "heads compared": count,
                "in both": len({*first.top[:count]} & {*second.top[:count]}),
                "expected by chance": count**2 / len(first.heads),
            }
        )
    if rows:
        table = reporting.Table.from_rows("Heads that two models need: effects of all heads, and the top ones", rows)
        yield reporting.Section("Heads in common", tables=[table], name="common")


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Spearman's, of values that differ."""
    ranks = [values.argsort().argsort() for values in (first, second)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
