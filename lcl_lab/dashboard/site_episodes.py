"""Episodes of an exported site: the support as a contact sheet, the query, and every model's answer in a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from lcl_lab import reporting
from lcl_lab.dashboard.images import find_image
from lcl_lab.dashboard.record_loading import connect_runs
from lcl_lab.dashboard.run_index import Source
from lcl_lab.dashboard.site_html import SiteImages, escaped
from lcl_lab.store import FIXED, quoted_names

__all__ = ["episodes_html"]

_NO_CONDITIONS = (*FIXED, "run", "filename")
_MARKS = {True: "✓", False: "✗", None: "–"}
_RIGHT = {"correct_open": "open-ended", "correct_candidate": "candidate"}


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
        f"({shown}). Below each model's answer are whether it is right by each metric, and the log-likelihood per "
        "token of the true name and of the other one. False labels are orange."
    )
    parts = [f"<h1>{escaped(title)}</h1>", f"<p>{escaped(rule)}</p>"]
    for _, rows in groupby(records, lambda record: record["query_id"]):
        parts += _episode(list(rows), data, images)
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


def _episode(rows: Sequence[Mapping[str, Any]], data: tuple[str, ...], images: SiteImages) -> Iterator[str]:
    record = rows[0]
    others = _other_names(record)
    names = f"{record['true_name']}, not {' or '.join(others)}" if others else str(record["true_name"])
    yield f'<section id="query-{record["query_id"]}"><h2>Query {record["query_id"]}: {escaped(names)}</h2>'
    if record["support"]:
        examples = "".join(_example(example, data, images) for example in record["support"])
        yield f'<h3>Support</h3><div class="sheet">{examples}</div>'
    yield f'<h3>Query</h3><div class="query">{_picture(record["query_image"], data, images)}</div>'
    yield f"<p>{escaped(record['question'])}</p>"
    head = "".join(f"<th>{name}</th>" for name in ("model", "answer", *_RIGHT.values(), "true name", "other name"))
    body = "".join(_answer(row) for row in rows)
    yield f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></section>"


def _example(example: Mapping[str, Any], data: tuple[str, ...], images: SiteImages) -> str:
    note = f'<div class="note">false: it is {escaped(example["true_label"])}</div>' if example["false"] else ""
    kind = ' class="false"' if example["false"] else ""
    label = f'<figcaption><div class="label">{escaped(example["label"])}</div>{note}</figcaption>'
    return f"<figure{kind}>{_picture(example['image'], data, images)}{label}</figure>"


def _picture(name: str, data: tuple[str, ...], images: SiteImages) -> str:
    """An image, or its name where it is in no dataset that may be shown."""
    image = find_image(data, name)
    if image is None:
        return f'<div class="missing">{escaped(name)}</div>'
    return f'<img src="{images.write(image)}" alt="{escaped(name)}" loading="lazy">'


def _answer(record: Mapping[str, Any]) -> str:
    """One model's row of the table of answers."""
    logliks = [record["loglik_true"], *(record["loglik_others"] or [record["loglik_other"]])]
    tokens = [record["tokens_true"], *(record["tokens_others"] or [record["tokens_other"]])]
    per_token = [
        total / count if total is not None and count else None for total, count in zip(logliks, tokens, strict=False)
    ]
    true, *rest = per_token
    known = [value for value in rest if value is not None]
    cells = [
        record["model"],
        record["answer"] or "(nothing)",
        *(_MARKS[record[column]] for column in _RIGHT),
        *(
            "–" if value is None else reporting.format_number(value, ".2f")
            for value in (true, max(known, default=None))
        ),
    ]
    return f"<tr>{''.join(f'<td>{escaped(cell)}</td>' for cell in cells)}</tr>"


def _other_names(record: Mapping[str, Any]) -> Sequence[str]:
    """The wrong candidates; of two, the other one; none where answers are open."""
    return record["other_names"] or ([record["other_name"]] if record["other_name"] else [])
