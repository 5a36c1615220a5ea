"""Episodes of an exported site: the support as a contact sheet, the query, and every model's answer in a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lcl_lab import reporting
from lcl_lab.analysis import MAIN_METRICS
from lcl_lab.dashboard.answer_texts import candidate_texts, name_text
from lcl_lab.dashboard.answer_verdicts import Verdict, open_rule, verdicts
from lcl_lab.dashboard.escape import escape_html
from lcl_lab.dashboard.images import find_image
from lcl_lab.dashboard.record_loading import connect_runs
from lcl_lab.dashboard.run_index import Source
from lcl_lab.dashboard.site_html import SiteImages
from lcl_lab.dashboard.support_sheet import Nearest, find_nearest, support_heading
from lcl_lab.dashboard.token_strips import STRIP_MEANING, token_strips
from lcl_lab.store import FIXED, quoted_names

if TYPE_CHECKING:
    from lcl_lab.episodes import OpenRule

__all__ = ["episodes_html"]

_NO_CONDITIONS = (*FIXED, "run", "filename")
_UNKNOWN = "–"
_CANDIDATES = 4  # whose tokens are shown


def episodes_html(title: str, sources: Sequence[Source], count: int, data: tuple[str, ...], images: SiteImages) -> str:
    """The first episodes of some sources under their middle condition, as the body of a page.

    Args:
        title: of the page.
        sources: the models and runs whose answers are shown; at least one, all of one study, design and seed.
        count: the number of episodes.
        data: datasets whose images may be shown in addition to the embedded ones.
        images: where their images are written.
    """
    condition, records = _first_records(sources, count)
    shown = reporting.format_condition(condition) or "the only condition"
    rule = (
        "The first queries by number, under the middle one of all conditions "
        f"({shown}). Next to each model's answer are whether it is right by each rule, and the log-likelihoods of the "
        "true name and of the best other one, in total and per token. False labels are orange."
    )
    rules = {(source.run.run, source.model): open_rule(source.state, source) for source in sources}
    parts = [f"<h1>{escape_html(title)}</h1>", f"<p>{escape_html(rule)}</p>"]
    for _, rows in groupby(records, lambda record: record["query_id"]):
        of_query = list(rows)
        nearest = find_nearest(sources[0].run, of_query[0])
        parts += _episode(of_query, nearest, rules, data, images)
    return "".join(parts)


def _first_records(sources: Sequence[Source], count: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The middle condition, and the records of its first queries by number, those of each query together."""
    wanted = [(source.run.run, source.model) for source in sources]
    with connect_runs(source.run for source in sources) as connection:
        columns = [str(row[0]) for row in connection.execute("DESCRIBE records").fetchall()]
        names = [name for name in columns if name not in _NO_CONDITIONS]
        listed = ", ".join(quoted_names([name]) for name in names) or "0"
        conditions = connection.execute(f"SELECT DISTINCT {listed} FROM records ORDER BY ALL").fetchall()
        values = conditions[len(conditions) // 2] if names and conditions else ()
        same = " AND ".join(f"{quoted_names([name])} IS NOT DISTINCT FROM ?" for name in names) or "TRUE"
        pairs = ", ".join("(?, ?)" for _ in wanted)
        arguments = [*values, *(value for pair in wanted for value in pair)]
        found = connection.execute(
            f"WITH shown AS (SELECT * FROM records WHERE {same} AND (run, model) IN ({pairs})) "
            "SELECT * FROM shown WHERE query_id IN "
            f"(SELECT DISTINCT query_id FROM shown ORDER BY query_id LIMIT {count}) ORDER BY query_id",
            arguments,
        )
        records = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
    order = [model for _, model in wanted]
    records.sort(key=lambda record: (record["query_id"], order.index(record["model"])))
    return {name: value for name, value in zip(names, values, strict=False) if value is not None}, records


def _episode(
    rows: Sequence[Mapping[str, Any]],
    nearest: Nearest | None,
    rules: Mapping[tuple[str, str], OpenRule | None],
    data: tuple[str, ...],
    images: SiteImages,
) -> Iterator[str]:
    record = rows[0]
    title = f"Query {record['query_id']}: {name_text(record)}"
    yield f'<section id="query-{record["query_id"]}"><h2>{escape_html(title)}</h2>'
    if record["support"]:
        near = nearest.number if nearest else None
        shown = enumerate(record["support"], start=1)
        examples = "".join(_example(number, example, number == near, data, images) for number, example in shown)
        heading = support_heading(record["support"], nearest)
        yield f'<h3>Support</h3><p>{escape_html(heading)}</p><div class="sheet">{examples}</div>'
    yield f'<h3>Query</h3><div class="query">{_picture(record["query_image"], data, images)}</div>'
    yield f"<p>{escape_html(record['question'])}</p>"
    judged = [verdicts(row, rules.get((row["run"], row["model"]))) for row in rows]
    head = "".join(f"<th>{name}</th>" for name in ("model", "answer", *MAIN_METRICS, "true name", "best other name"))
    body = "".join(_answer(row, one) for row, one in zip(rows, judged, strict=True))
    yield f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    named = dict(verdict.rule for one in judged for verdict in one.values())
    yield f"<p>{escape_html('; '.join(f'✓ {name}: {meaning}' for name, meaning in named.items()))}</p>"
    strips = token_strips({row["model"]: row for row in rows}, _CANDIDATES)
    yield f"<h3>Tokens</h3><p>{STRIP_MEANING}.</p>{strips}</section>" if strips else "</section>"


def _example(number: int, example: Mapping[str, Any], near: bool, data: tuple[str, ...], images: SiteImages) -> str:
    note = f'<div class="note">false: it is {escape_html(example["true_label"])}</div>' if example["false"] else ""
    kinds = " ".join([*(["false"] if example["false"] else []), *(["near"] if near else [])])
    kind = f' class="{kinds}"' if kinds else ""
    label = f'<figcaption><div class="label">{number} {escape_html(example["label"])}</div>{note}</figcaption>'
    return f"<figure{kind}>{_picture(example['image'], data, images)}{label}</figure>"


def _picture(name: str, data: tuple[str, ...], images: SiteImages) -> str:
    """An image, or its name where it is in no dataset that may be shown."""
    image = find_image(data, name)
    if image is None:
        return f'<div class="missing">{escape_html(name)}</div>'
    return f'<img src="{images.write(image)}" alt="{escape_html(name)}" loading="lazy">'


def _answer(record: Mapping[str, Any], judged: Mapping[str, Verdict]) -> str:
    """One model's row of the table of answers."""
    marks = [judged[metric].text if metric in judged else _UNKNOWN for metric in MAIN_METRICS]
    true, other, *_ = [*candidate_texts(record).items(), None, None]
    cells = [
        record["model"],
        record["answer"] or "(nothing)",
        *marks,
        true[1] if true else _UNKNOWN,
        f"{other[0]}: {other[1]}" if other else _UNKNOWN,
    ]
    return f"<tr>{''.join(f'<td>{escape_html(cell)}</td>' for cell in cells)}</tr>"
