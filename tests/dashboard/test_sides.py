from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lcl_lab import store
from lcl_lab.dashboard import SweepTrial, find_sides, labels_of, side_records
from lcl_lab.dashboard.run_index import RunGroup, Source
from lcl_lab.dashboard.sides import CONDITION, LETTER, shared_sources
from tests.dashboard.factories import SHIPPED

(RUN,) = (run for run in store.runs(SHIPPED) if run.study == "false_ratio")
OLDER = replace(RUN, run="false_ratio/20200101-000000-00000000", path=Path("20200101-000000-00000000"))


def trial(name: str, sweep: str = "grid") -> SweepTrial:
    strategy = name.partition("-seed-")[0]
    return SweepTrial(name, sweep, strategy, strategy, {}, (RUN.run,), 1.0, "cpu", None, None)


def test_trainings_of_a_strategy_are_one_side_and_older_runs_are_others() -> None:
    models = ["mini/base", "mix-seed-0", "mix-seed-1", "2-way-seed-0"]
    sources = [Source(model, 0, RUN) for model in models]
    group = RunGroup("false_ratio", {}, (*sources, Source("mini/base", 1, RUN), Source("mini/base", 0, OLDER)))
    trainings = {(RUN.run, model): trial(model) for model in models[1:]}
    sides = find_sides(group, trainings)
    assert [side.name for side in sides] == [
        "mini/base",
        "mix (2 trainings)",
        "2-way-seed-0",
        "mix-seed-0",
        "mix-seed-1",
        "mini/base, seed 0, 20200101-000000-00000000",
    ]
    assert [len(side.trainings) for side in sides] == [1, 2, 1, 1, 1, 1]
    assert sides[0].seeds == [0, 1]
    assert labels_of(sides[:2]) == {"A": "A: mini/base", "B": "B: mix (2 trainings)"}
    assert [(a.model, b.model) for a, b in shared_sources(sides[0], sides[1])] == [("mini/base", "mix-seed-0")]


def test_strategies_of_two_sweeps_are_kept_apart() -> None:
    models = [f"mix-seed-{seed}" for seed in range(4)]
    group = RunGroup("false_ratio", {}, tuple(Source(model, 0, RUN) for model in models))
    trainings = {(RUN.run, model): trial(model, "one" if model < "mix-seed-2" else "two") for model in models}
    names = [side.name for side in find_sides(group, trainings)]
    assert names[:2] == ["mix of one (2 trainings)", "mix of two (2 trainings)"]


def test_records_have_the_letter_of_their_side_and_the_name_of_their_condition() -> None:
    sources = [Source(model, 0, RUN) for model in ("mini/base", "mini/mix")]
    sides = find_sides(RunGroup("false_ratio", {}, tuple(sources)), {})
    records, conditions = side_records(sides)
    assert records.groupby(LETTER)["model"].unique().map(list).to_dict() == {"A": ["mini/base"], "B": ["mini/mix"]}
    assert conditions["false_ratio 0.25"] == {"false_ratio": 0.25}
    assert records[CONDITION].cat.categories.tolist() == list(conditions)
    assert (records["false_ratio"] == records[CONDITION].map(lambda name: conditions[name]["false_ratio"])).all()
