"""What differs between the runs of several sides: models, configuration, options, code and machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lcl_lab import reporting, studies
from lcl_lab.dashboard.run_index import Source
from lcl_lab.dashboard.sides import Side, labels_of
from lcl_lab.reporting import Findings, Section, Statement, Table

__all__ = ["run_difference_findings"]

_NOT_A_DIFFERENCE = ("model", "results", "fresh", "models", "strategy_of")
"""Options that say which models were evaluated and where, which the sides are named after."""
_NONE = "–"


def run_difference_findings(sides: Sequence[Side]) -> Findings:
    """The sides with their runs, and a table of what differs between these.

    Args:
        sides: the reference and the others.
    """
    labels = labels_of(sides)
    described = [dict(_facts(side)) for side in sides]
    names = dict.fromkeys(name for facts in described for name in facts)
    values = {name: [facts.get(name, _NONE) for facts in described] for name in names}
    rows = [
        {"what": name, **dict(zip(labels.values(), of_sides, strict=True))}
        for name, of_sides in values.items()
        if len(set(of_sides)) > 1
    ]
    equal = len(names) - len(rows)
    template = "{different} of {all} values differ; the others are the same on all sides."
    statements = [Statement(template, {"different": len(rows), "all": len(names)})] if equal else []
    runs = Table.from_rows("Sides and their runs", list(map(_side_row, labels.values(), sides)))
    differences = [Table.from_rows("What differs", rows)] if rows else []
    sections = [
        Section("Sides", tables=[runs]),
        Section("Differences between the runs", statements, tables=differences),
    ]
    return Findings("What is compared", sections)


def _side_row(label: str, side: Side) -> dict[str, Any]:
    runs = dict.fromkeys(source.run.run for source in side.sources)
    unfinished = [source.run.run for source in side.sources if not source.run.finished]
    return {
        "side": label,
        "trainings": len(side.trainings),
        "study seeds": ", ".join(map(str, side.seeds)),
        "models": ", ".join(side.trainings),
        "runs": ", ".join(runs),
        "not finished": ", ".join(dict.fromkeys(unfinished)) or _NONE,
    }


def _facts(side: Side) -> Iterator[tuple[str, str]]:
    """Each value of a side by its name; several where its runs differ."""
    values: dict[str, dict[str, None]] = {}
    for source in side.sources:
        for name, value in _source_facts(source):
            values.setdefault(name, {})[value] = None
    yield from ((name, ", ".join(several)) for name, several in values.items())


def _source_facts(source: Source) -> Iterator[tuple[str, str]]:
    config = source.run.config
    model: Mapping[str, Any] = next((one for one in config["models"] if one.get("name") == source.model), {})
    yield from _flat("model", {key: value for key, value in model.items() if key != "name"})
    yield from _flat("config", {key: value for key, value in config.items() if key != "models"})
    options = studies.stored_options(source.run)
    yield from _flat("option", {key: value for key, value in options.items() if key not in _NOT_A_DIFFERENCE})
    provenance = source.run.provenance
    if provenance:
        yield "commit", f"{provenance.commit or 'unknown'}{' with uncommitted changes' if provenance.dirty else ''}"
        yield "device", provenance.device
        yield "machine", f"{provenance.platform}, {provenance.cpu_count} cores"
        yield "seconds of the run", reporting.render("{seconds:.1f}", {"seconds": provenance.seconds})
        yield from _flat("version", provenance.versions)


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """The values in nested mappings by their path, as text."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{prefix}: {key}" if ":" not in prefix else f"{prefix}.{key}", inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield prefix, ", ".join(map(reporting.format_value, value)) or _NONE
    else:
        yield prefix, reporting.format_value(value)
