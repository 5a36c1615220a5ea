"""What a record says in a few words: condition, names, answer, log-likelihoods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lcl_lab import reporting

__all__ = [
    "candidate_texts",
    "condition_text",
    "latency_text",
    "margin_text",
    "name_text",
    "other_names",
    "shortened",
]


def condition_text(record: Mapping[str, Any], conditions: Sequence[str]) -> str:
    """The values of the condition columns that are not null."""
    return reporting.format_condition({name: record[name] for name in conditions if record[name] is not None})


def name_text(record: Mapping[str, Any]) -> str:
    """The true name and the wrong candidates."""
    if not record["other_name"]:
        return str(record["true_name"])
    return f"{record['true_name']}, not {' or '.join(other_names(record))}"


def other_names(record: Mapping[str, Any]) -> list[str]:
    """The wrong candidates; of two, the other one."""
    return list([record["other_name"]] if record["other_names"] is None else record["other_names"])


def shortened(text: str, most: int) -> str:
    """At most so many characters of a text, on one line; "(nothing)" for an empty one."""
    line = " ".join(text[: 2 * most].split())
    if len(line) <= most and len(text) <= 2 * most:
        return line or "(nothing)"
    return f"{line[:most].rstrip()} …"


def candidate_texts(record: Mapping[str, Any]) -> dict[str, str]:
    """The log-likelihood of each candidate, in total and per token: of the true name, then of the others by it."""
    if record.get("loglik_true") is None or not record["tokens_true"]:
        return {}
    totals = record["loglik_others"] or [record["loglik_other"]]
    tokens = record["tokens_others"] or [record["tokens_other"]]
    others = [
        (name, total, count)
        for name, total, count in zip(other_names(record), totals, tokens, strict=False)
        if total is not None and count
    ]
    others.sort(key=lambda other: -other[1] / other[2])
    return {
        name: reporting.render("{total:.2f}, {per_token:.2f}", {"total": total, "per_token": total / count})
        for name, total, count in [(record["true_name"], record["loglik_true"], record["tokens_true"]), *others]
    }


def margin_text(record: Mapping[str, Any]) -> str | None:
    """The log-likelihood per token of the true name minus that of the best other one; None without log-likelihoods."""
    total, other = record["loglik_true"], record["loglik_other"]
    if total is None or other is None or not record["tokens_true"] or not record["tokens_other"]:
        return None
    margin = total / record["tokens_true"] - other / record["tokens_other"]
    return reporting.render("{margin:+.2f}", {"margin": margin})


def latency_text(record: Mapping[str, Any]) -> str:
    """How long the model took for a record."""
    return reporting.format_latency(record["seconds"])
