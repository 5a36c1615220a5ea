"""Studies of strategies with one and with several trainings of each, whose cards or options say the strategy."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import CARD, shipped_folder
from lcl_lab.reporting import METHODS, Findings, Section, methods_used
from lcl_lab.studies import find_study
from lcl_lab.studies.strategies import STUDY, Strategies
from lcl_lab.studies.trainings import assess_difference

SHIPPED = ("mini/base", "mini/2-way", "mini/2-way-random")


def training(folder: Path, strategy: str, seed: int, source: str) -> str:
    """A copy of a shipped model, as NAME=PATH, whose card says that it is a training of a strategy."""
    path = Path(shutil.copytree(shipped_folder() / source, folder / f"checkpoint-{strategy}-{seed}"))
    card = json.loads((path / CARD).read_text())
    (path / CARD).write_text(json.dumps({**card, "strategy": strategy, "seed": seed}))
    return f"{strategy}-seed-{seed}={path}"


def records(
    rng: np.random.Generator, models: Sequence[str], shots: Sequence[int], deviation: float = 0.04
) -> pd.DataFrame:
    """200 answers of each model about 50 pairs; models differ by chance only."""
    pairs = np.arange(200) % 50
    difficulty = rng.normal(0, 0.1, 50)[pairs]
    frames = []
    for model in models:
        chance = 0.7 + rng.normal(0, deviation) + difficulty
        for number in shots:
            right = {
                column: rng.random(200) < chance
                for column in ("correct_open", "correct_candidate", "correct_candidate_raw")
            }
            cell = {"model": model, "shots": number, "query_id": range(200), "pair": pairs.astype(str), **right}
            frames.append(pd.DataFrame(cell))
    return pd.concat(frames, ignore_index=True)


def strategies_of(counts: Mapping[str, int]) -> dict[str, str]:
    return {f"{strategy}-seed-{seed}": strategy for strategy, count in counts.items() for seed in range(count)}


def findings_of(study: str, names: Mapping[str, str], shots: Sequence[int], **options: object) -> Findings:
    """What a study finds in the records of models whose strategies are options."""
    chosen = find_study(study)
    config = chosen.config.create("tiny", model=list(names), strategy_of=dict(names), shots=shots, **options)
    assert chosen.analyse is not None
    return chosen.analyse(config, records(np.random.default_rng(0), config.models, shots))


def section(findings: Findings, heading: str) -> Section:
    return next(one for one in findings.sections if one.heading.startswith(heading))


def test_renamed_checkpoints_are_grouped_by_their_cards(tmp_path: Path) -> None:
    """A study of the models of a sweep, which have names of their own; the stored options have their strategies."""
    models = [training(tmp_path, "2-way", seed, source) for seed, source in enumerate(("2-way", "2-way-weight"))]
    models += [training(tmp_path, "mix", seed, source) for seed, source in enumerate(("2-way-random", "mix"))]
    result = STUDY.run(preset="tiny", shots=2, queries=12, model=models, results=tmp_path / "results")
    assert result.config.strategy_of == strategies_of({"2-way": 2, "mix": 2})
    assert set(section(result.findings, "Every pair of strategies").tables[0].frame["comparison"]) == {"mix − 2-way"}
    statements = section(result.findings, "Between training seeds").statements
    assert [statement.metric for statement in statements] == ["candidate", "open-ended"] * 2
    assert statements[0].text.startswith("`2-way` over 2 seeds at 2 shots, candidate: mean ")


def test_seeds_of_a_strategy_have_a_deviation_with_an_interval() -> None:
    findings = findings_of("strategies", strategies_of({"2-way": 3, "mix": 1}), (2, 4))
    statements = section(findings, "Between training seeds").statements
    assert len(statements) == 4  # shots by metrics
    for statement in statements:
        mean, between_seeds, between_pairs = statement.estimates
        assert mean.low <= mean.value <= mean.high
        assert between_seeds.low <= between_seeds.value < between_seeds.high
        assert between_pairs.low <= between_pairs.value < between_pairs.high


def test_strategies_with_several_trainings_are_compared_over_them() -> None:
    names = strategies_of({"2-way": 2, "2-way-random": 3, "base": 1})
    findings = findings_of("strategies", names, (2, 6, 16))
    pairs = section(findings, "Every pair of strategies")
    assert [len(table.frame) for table in pairs.tables] == [3, 3]
    for table in pairs.tables:
        assert set(table.frame["comparison"]) == {"2-way-random − 2-way"}
        assert set(table.frame["trainings"]) == {"3 and 2"}
    assert "of 3 differences between strategies remain" in pairs.statements[0].text
    assert pairs.statements[-1].verdict == "inconclusive (one training)"
    assert "`base`" in pairs.statements[-1].text
    assert {claim.subject: claim.verdict for claim in findings.claims} == {
        "2-way-random − 2-way, shots 2, 3 and 2 trainings": "inconclusive",
        "2-way, shots 2 to 16, 2 trainings": "inconclusive",
    }
    for claim in findings.claims:
        assert re.search(r"about [\d,]+ trainings per strategy and [\d,]+ clusters would decide it$", claim.measured)
    assert set(methods_used(findings)) <= set(METHODS)


def test_the_figure_has_one_series_per_strategy() -> None:
    """More models than a figure has colours."""
    findings = findings_of("strategies", strategies_of({"2-way": 5, "mix": 5, "base": 1}), (2, 4))
    figure = section(findings, "Accuracy over shots").figure
    text = json.dumps([panel.chart.to_dict() for panel in figure.panels])
    assert "2-way (5 trainings)" in text
    assert "base-seed-0" in text
    assert "2-way-seed-0" not in text


def test_with_one_training_each_no_strategy_is_called_better() -> None:
    config = Strategies.create("tiny", model=SHIPPED, shots=(2, 16))
    apart = records(np.random.default_rng(0), SHIPPED, config.shots)
    better = (apart["model"] == "mini/2-way-random") | (apart["shots"] == 16)
    apart.loc[better, "correct_candidate"] = True
    assert STUDY.analyse is not None
    findings = STUDY.analyse(config, apart)
    (statement,) = section(findings, "Every pair of strategies").statements
    assert statement.text.endswith(
        "on these strategies the verdict is: inconclusive (one training each); no difference is detectable; at least 2 "
        "trainings per strategy are needed."
    )
    assert {claim.subject: claim.verdict for claim in findings.claims} == {
        "mini/2-way-random − mini/2-way, shots 2": "inconclusive (one training each)",
        "mini/2-way, shots 2 to 16": "inconclusive (one training)",
    }
    assert all(claim.estimate is not None and claim.estimate.low > 0 for claim in findings.claims)
    assert not [one for one in findings.sections if one.heading.startswith("Between training seeds")]


def test_shots_compares_strategies_and_not_checkpoints_if_it_can() -> None:
    sampled, fixed = strategies_of({"2-way-random": 2}), strategies_of({"2-way": 3})
    study = find_study("shots")
    options = {"model": list(sampled), "fixed": [f"16={name}" for name in fixed], "shots": (0, 2, 8, 16)}
    config = study.config.create("tiny", strategy_of={**sampled, **fixed}, **options)
    assert study.analyse is not None
    findings = study.analyse(config, records(np.random.default_rng(1), config.models, (0, 2, 8, 16)))
    statements = section(findings, "One training over sampled").statements[-2:]
    assert [statement.metric for statement in statements] == ["candidate", "open-ended"]
    for statement in statements:
        assert statement.text.startswith("At 16 shots the strategy `2-way-random` has ")
        assert "over 2 trainings and `2-way`, trained for 16, " in statement.text
    assert [claim.subject for claim in findings.claims] == [
        "2-way-random, shots 0 to 2, 2 trainings",
        "2-way-random, shots 8 to 16, 2 trainings",
    ]
    assert set(methods_used(findings)) <= set(METHODS)


def test_shots_calls_no_strategy_better_with_one_training_each() -> None:
    findings = findings_of("shots", {"mini/2-way-random": "2-way-random"}, (0, 2, 8, 16), fixed=("16=mini/2-way",))
    statement = section(findings, "One training over sampled").statements[-1]
    assert statement.verdict == "inconclusive (one training each)"
    assert [claim.verdict for claim in findings.claims] == ["inconclusive (one training)"] * 2


@pytest.mark.slow
def test_equal_strategies_are_called_different_by_a_claim_in_at_most_6_percent() -> None:
    rng = np.random.default_rng(2)
    names = strategies_of({"2-way": 3, "2-way-random": 3})
    config = Strategies.create("tiny", model=list(names), shots=(2,), strategy_of=names)
    verdicts = []
    for _ in range(200):
        simulated = records(rng, config.model, config.shots)
        claim = assess_difference(config, simulated, "", "", ("2-way", "2-way-random"), above=0, shots=2)
        assert claim is not None
        verdicts.append(claim.verdict)
    assert sum(verdict != "inconclusive" for verdict in verdicts) <= 0.06 * 200 + 2 * (200 * 0.06 * 0.94) ** 0.5


def test_records_of_one_concept_pair_say_nothing_of_strategies() -> None:
    names = strategies_of({"2-way": 2, "2-way-random": 2})
    config = Strategies.create("tiny", model=list(names), shots=(2, 16), strategy_of=names)
    one_pair = records(np.random.default_rng(3), config.model, config.shots).assign(pair="dog|cat")
    assert STUDY.analyse is not None
    findings = STUDY.analyse(config, one_pair)
    assert [one.heading for one in findings.sections] == ["Accuracy over shots", "Every pair of models"]
    assert not findings.claims


def test_a_strategy_of_an_unknown_model_is_rejected() -> None:
    with pytest.raises(UserError, match="no such model"):
        Strategies.create("tiny", strategy_of={"mini/none": "2-way"})
