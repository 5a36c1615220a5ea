"""The number of looks at a question: the log of analyses in the folder of a study's runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from lcl_lab.atomic import canonical_json, parse_strict_json, reporting_os_errors

__all__ = ["LOOKS", "count_look"]

LOOKS = "looks.jsonl"
_SAMPLE = ("queries", "content", "seed")  # what differs between two samples for the same question


def count_look(folder: Path, identity: Mapping[str, object], run: str) -> int:
    """Log that the records of a run are analysed, and count the samples that were analysed for the same question.

    The question is the design with its models and data. Another number of queries, or another seed, is another look at
    it; the same run analysed again is not.

    Args:
        folder: the folder of the study's runs.
        identity: the configuration of the run, as JSON values.
        run: the name of the run's directory.

    Returns:
        The number of this look, from 1.

    Raises:
        UserError: the log cannot be read or written.
    """
    asked = {name: value for name, value in identity.items() if name not in _SAMPLE}
    question = hashlib.sha256(canonical_json(asked).encode()).hexdigest()[:16]
    path = folder / LOOKS
    with reporting_os_errors("write", path):
        runs = _runs(path, question)
        if run not in runs:
            line = json.dumps({"time": datetime.now(UTC).isoformat(), "question": question, "run": run})
            with path.open("a", encoding="utf-8") as file:
                file.write(f"\n{line}\n")  # on a line of its own, even after one that a kill left incomplete
            runs.append(run)
    return runs.index(run) + 1


def _runs(path: Path, question: str) -> list[str]:
    """The runs that were analysed for a question, oldest first; lines that a kill left incomplete are skipped."""
    if not path.exists():
        return []
    if not path.is_file():
        raise OSError("not a file")  # a FIFO would wait for a writer
    runs: dict[str, None] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            look = parse_strict_json(line.encode())
        except ValueError:
            continue
        if isinstance(look, dict) and look.get("question") == question:
            runs[str(look.get("run"))] = None
    return list(runs)
