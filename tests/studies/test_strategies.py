from __future__ import annotations

import json
import shutil
from pathlib import Path

from lcl_lab.models.checkpoint import CARD, shipped_folder
from lcl_lab.studies.strategies import STUDY


def test_checkpoints_of_one_strategy_are_told_apart_by_seed(tmp_path: Path) -> None:
    """Two models whose cards say that they are one strategy's: their seeds' variance is told beside the queries'."""
    models = []
    for seed, name in enumerate(("2-way", "2-way-random")):
        folder = Path(shutil.copytree(shipped_folder() / name, tmp_path / f"seed-{seed}"))
        card = json.loads((folder / CARD).read_text())
        (folder / CARD).write_text(json.dumps({**card, "strategy": "2-way", "seed": seed}))
        models.append(str(folder))
    result = STUDY.run(preset="tiny", shots=4, queries=60, model=[*models, "mini/base"], results=tmp_path / "results")
    (section,) = (s for s in result.findings.sections if s.heading.startswith("Between training seeds"))
    assert [statement.metric for statement in section.statements] == ["candidate", "open-ended"]
    for statement in section.statements:
        assert statement.text.startswith("`2-way` over 2 seeds at 4 shots, ")
        assert statement.estimates[0].estimand
