"""Which training strategy is better, at how many shots, and is the difference real?

Question   What does each strategy do across shots, and which differences would be there again?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Table 2.
Design     All models get the same queries and supports. Every pair of models is compared at every number of
           shots on the same queries; the tests are one family (Holm; Benjamini and Hochberg). Checkpoints of
           one strategy and several seeds are also told apart by seed: how far training itself varies.
Command    python -m lcl_lab.studies.strategies
Time       under two minutes on two cores
Expect     all link strategies are near each other and far above the base model from two shots on.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from lcl_lab.cli import run_program
from lcl_lab.studies._options import EpisodeConfig, no_repeats
from lcl_lab.studies._study import Presets, Study

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.studies._findings import Claim, Findings
    from lcl_lab.studies._plan import Plan

__all__ = ["STUDY", "Strategies"]


class Strategies(EpisodeConfig):
    """The models that are compared, and at how many shots."""

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/2-way", "mini/2-way-random", "mini/2-way-weight", "mini/mix"),
        min_length=1,
        max_length=8,
        description="names as in every study",
    )
    shots: Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(no_repeats)] = Field(
        (0, 2, 6, 16), description="support images in all, half of each concept"
    )


PRESETS: Presets = {
    "default": {},
    "tiny": {"queries": 12, "shots": (0, 2, 4), "model": ("mini/base", "mini/2-way", "mini/mix")},
    "paper": {"queries": 5000, "shots": tuple(range(0, 17, 2))},
}


def _plan(config: Strategies) -> Plan:
    from lcl_lab.concepts import load_dataset
    from lcl_lab.episodes import Episode, check_shots, draw_episode
    from lcl_lab.studies._plan import of_episodes

    concepts = load_dataset(config.data)
    for shots in config.shots:
        check_shots(concepts, shots, config.queries_per_support)

    def under(shots: int, query: int) -> Episode:
        return draw_episode(concepts, config.seed, query, shots, config.queries_per_support)

    conditions = [({"shots": shots}, partial(under, shots)) for shots in config.shots]
    return of_episodes(concepts, config.queries, conditions, config.queries_per_support, shots=config.shots)


def _find(config: Strategies, records: pd.DataFrame) -> Findings:
    from lcl_lab.analysis import accuracy, published
    from lcl_lab.figures import line_figure
    from lcl_lab.studies._compare import asked_models, compared
    from lcl_lab.studies._findings import Findings, Section, accuracy_table

    estimates = accuracy(records, ["model", "shots"], config.seed)
    shown = estimates[(estimates["metric"] != "candidate-raw") & (estimates["model"].isin(config.models))]
    title = f"Strategies over shots on {config.data}"
    printed = published(table="Table 2").rename(columns={"value": "accuracy"})
    ours = printed["method"].str.startswith("LCL") | (printed["method"] == "Vanilla-Shikra")
    chart = line_figure(shown, "shots", "Shots (images in the support)", title, printed[ours], "Table 2")
    caption = "Accuracy, and its 95 % interval over concept pairs"
    models = asked_models(records, config.model)
    with_shots = [{"shots": shots} for shots in config.shots if shots]
    metric = "candidate" if records["correct_candidate"].notna().all() else "open-ended"
    sections = [
        Section(
            "Accuracy over shots", _best(config, records), chart, tables=[accuracy_table(estimates, "shots", caption)]
        ),
    ]
    if len(models) > 1 and with_shots:
        table, numbers = compared(records, models, with_shots, metric, config.seed)
        sections.append(Section("Every pair of models", _differences(numbers), tables=[table]))
    seeds = _seeds(config, records)
    if seeds:
        sections.append(Section("Between seeds of training, and between queries", seeds))
    return Findings(title, sections, _claims(config, records))


def _best(config: Strategies, records: pd.DataFrame) -> list[str]:
    """Each model's best and last number of shots."""
    from lcl_lab.studies._compare import answers, change
    from lcl_lab.studies._findings import interval

    said = []
    for model, metric, own in answers(records, config.model):
        column = "correct_candidate" if metric == "candidate" else "correct_open"
        by_shots = own.groupby("shots")[column].mean()
        best, last = by_shots.idxmax(), config.shots[-1]
        told = f"**{model}**, {metric}: best at {best} shots ({by_shots.max():.3f})"
        if best != last:
            found = change(own, metric, {"shots": best}, {"shots": last}, config.seed)
            told += f"; at {last} {interval(found.estimate, found.low, found.high, sign=True)} of that"
        said.append(f"{told}.")
    return said


def _differences(numbers: pd.DataFrame) -> list[str]:
    real = numbers[numbers["holm"] < 0.05]
    return [
        f"{len(real)} of {len(numbers)} differences stand after Holm's correction, "
        f"{int((numbers['bh'] < 0.05).sum())} after Benjamini and Hochberg's, "
        f"{int((numbers['p'] < 0.05).sum())} would without any."
    ]


def _seeds(config: Strategies, records: pd.DataFrame) -> list[str]:
    """Checkpoints that differ in their seed alone, by the cards of their trainings."""
    from lcl_lab.analysis import METRICS, seeds
    from lcl_lab.models import strategy_of
    from lcl_lab.studies._compare import asked_models, told_metrics
    from lcl_lab.studies._findings import interval

    groups: dict[str, list[str]] = {}
    for model in asked_models(records, config.model):
        strategy = strategy_of(model)
        if strategy:
            groups.setdefault(strategy, []).append(model)
    said = []
    for strategy, models in groups.items():
        own = records[records["model"].isin(models)]
        for shots in config.shots if len(models) > 1 else ():
            for metric in told_metrics(own):
                asked = own[own["shots"] == shots]
                table = asked.assign(right=asked[METRICS[metric]].astype(float)).pivot_table(
                    index="model", columns="pair", values="right"
                )
                found = seeds(table.to_numpy())
                said.append(
                    f"`{strategy}` over {found.n} seeds at {shots} shots, {metric}: mean "
                    f"{interval(found.mean, found.low, found.high)} for seeds not tried and concept pairs not asked; "
                    f"between seeds sd {found.between_seeds:.3f}, between concept pairs sd {found.between_queries:.3f}."
                )
    return said


def _claims(config: Strategies, records: pd.DataFrame) -> list[Claim]:
    from lcl_lab.studies._compare import change
    from lcl_lab.studies._findings import claim

    models, shots = set(records["model"]), set(config.shots)
    claims = []

    def add(told: str, what: str, a: dict[str, object], b: dict[str, object], **bounds: float) -> None:
        found = change(records, "candidate", a, b, config.seed)
        claims.append(claim("Table 2", told, what, (found.estimate, found.low, found.high), sign=True, **bounds))

    if {"mini/2-way", "mini/2-way-random"} <= models and 2 in shots:
        add(
            "sampled shots help where shots are few: [2-way-random] 0.77 against [2-way] 0.51 at 2 shots",
            "difference at 2 shots",
            {"model": "mini/2-way", "shots": 2},
            {"model": "mini/2-way-random", "shots": 2},
            above=0,
        )
    if "mini/2-way" in models and {2, 16} <= shots:
        add(
            "[2-way] rises with shots, 0.51 at 2 to 0.79 at 16",
            "mini/2-way, 2 to 16",
            {"model": "mini/2-way", "shots": 2},
            {"model": "mini/2-way", "shots": 16},
            above=0,
        )
    if "mini/mix" in models and {6, 16} <= shots:
        add(
            "[mix] peaks at 6 shots (0.83) and decays (0.57 at 16)",
            "mini/mix, 6 to 16",
            {"model": "mini/mix", "shots": 6},
            {"model": "mini/mix", "shots": 16},
            below=0,
        )
    return claims


STUDY = Study("strategies", __doc__ or "", Strategies, PRESETS, _plan, _find)

if __name__ == "__main__":
    run_program(STUDY.main)
