"""Which training strategy is better, at how many shots, and is the difference real?

Question   How does each strategy perform across shots, and which differences would a replication find again?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Table 2.
Design     All models get the same queries and supports. Every pair of models is compared at every number of shots on
           the same queries; for each metric the tests are one family (Holm; Benjamini and Hochberg). Where several
           checkpoints of one strategy differ in their training seed, variance is also split into seeds and queries.
Command    python -m lcl_lab.studies.strategies
Time       under two minutes on two cores
Expect     all link strategies are close to each other and far above the base model from two shots on.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from lcl_lab import analysis, concepts, episodes, evaluation, figures, models, reporting
from lcl_lab.config import no_repeats
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Claim, Findings, Section, Statement

__all__ = ["STUDY", "Strategies"]


class Strategies(EpisodeConfig):
    """The models to compare, and the numbers of shots."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "shots": (0, 2, 4), "model": ("mini/base", "mini/2-way", "mini/mix")},
        "paper": {"queries": 5000, "shots": tuple(range(0, 17, 2))},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/2-way", "mini/2-way-random", "mini/2-way-weight", "mini/mix"),
        min_length=1,
        max_length=8,
        description="models, named as in every study",
    )
    shots: Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(no_repeats)] = Field(
        (0, 2, 6, 16), description="support images in total, half of each concept"
    )


def _design(config: Strategies) -> Design:
    dataset = concepts.load_dataset(config.data)
    for shots in config.shots:
        episodes.check_shots(dataset, shots, config.queries_per_support)

    def draw(shots: int, query: int) -> Episode:
        return episodes.draw_episode(dataset, config.seed, query, shots, config.queries_per_support)

    return evaluation.episode_design(
        dataset,
        config.queries,
        [({"shots": shots}, partial(draw, shots)) for shots in config.shots],
        config.queries_per_support,
        shots=config.shots,
    )


def _analyse(config: Strategies, records: pd.DataFrame) -> Findings:
    estimates = analysis.accuracy(records, ["model", "shots"], config.seed)
    title = f"Strategies over shots on {config.data}"
    caption = "Accuracy, with 95 % intervals over concept pairs"
    sections = [
        reporting.Section(
            "Accuracy over shots",
            list(_best_shots(config, records)),
            _figure(config, estimates, title),
            tables=[comparisons.accuracy_table(estimates, "shots", caption)],
        ),
        _pairwise(config, records),
        reporting.Section("Between training seeds, and between queries", list(_seeds(config, records))),
    ]
    filled = [section for section in sections if section.statements]
    return reporting.Findings(title, filled, list(_claims(config, records)))


def _figure(config: Strategies, estimates: pd.DataFrame, title: str) -> figures.Figure:
    """Accuracy over shots, with the paper's Table 2 in a separate panel."""
    shown = estimates[(estimates["metric"] != "candidate-raw") & estimates["model"].isin(config.model)]
    published = analysis.published(table="Table 2").rename(columns={"value": "accuracy"})
    trained_or_base = published["method"].str.startswith("LCL") | (published["method"] == "Vanilla-Shikra")
    return figures.line_figure(
        shown, "shots", "Shots (images in the support)", title, published[trained_or_base], "Table 2"
    )


def _best_shots(config: Strategies, records: pd.DataFrame) -> Iterator[Statement]:
    """The number of shots at which each model is best, and the change from there to the most shots."""
    last = config.shots[-1]
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        by_shots = rows.groupby("shots")[analysis.METRICS[metric]].mean()
        best = by_shots.idxmax()
        template = "{model}, {metric}: best at {best} shots ({accuracy:.3f})"
        values = {"best": best, "accuracy": float(by_shots.max())}
        if best != last:
            template += "; change from there to {last} shots {change}"
            values["last"] = last
            values["change"] = comparisons.change(rows, metric, {"shots": best}, {"shots": last}, config.seed, model)
        yield reporting.Statement(f"{template}.", values, metric, model)


def _pairwise(config: Strategies, records: pd.DataFrame) -> Section:
    """Every pair of models at every number of shots above zero, one family of tests per metric."""
    conditions = [{"shots": shots} for shots in config.shots if shots]
    tables, statements = [], []
    for metric in reporting.MAIN_METRICS:
        compared = [
            model
            for model, rows in comparisons.per_model(records, config.model)
            if metric in comparisons.metrics_in(rows)
        ]
        if len(compared) > 1 and conditions:
            table, statement = comparisons.pairwise_comparisons(records, compared, conditions, metric, config.seed)
            tables.append(table)
            statements.append(statement)
    return reporting.Section("Every pair of models", statements, tables=tables)


def _seeds(config: Strategies, records: pd.DataFrame) -> Iterator[Statement]:
    """Variance between checkpoints that differ only in their training seed, according to their cards."""
    template = (
        "`{strategy}` over {seeds} seeds at {shots} shots, {metric}: mean {mean}, an interval for new seeds and new "
        "concept pairs; between seeds sd {between_seeds:.3f}, between concept pairs sd {between_pairs:.3f}."
    )
    for strategy, checkpoints in _by_strategy(config, records).items():
        rows = records[records["model"].isin(checkpoints)]
        for shots in config.shots if len(checkpoints) > 1 else ():
            for metric in comparisons.metrics_in(rows):
                answers = rows[rows["shots"] == shots]
                correct = answers.assign(correct=answers[analysis.METRICS[metric]].astype(float))
                accuracies = correct.pivot_table(index="model", columns="pair", values="correct")
                effect = analysis.seeds(accuracies.to_numpy())
                mean = analysis.Estimate(
                    value=effect.mean,
                    low=effect.low,
                    high=effect.high,
                    n=len(answers),
                    clusters=effect.clusters,
                    estimand="mean accuracy over seeds",
                    metric=metric,
                    condition={"strategy": strategy, "shots": shots},
                    method="crossed random effects of seeds and concept pairs",
                )
                values = {
                    "strategy": strategy,
                    "seeds": effect.n,
                    "shots": shots,
                    "mean": mean,
                    "between_seeds": effect.between_seeds,
                    "between_pairs": effect.between_queries,
                }
                yield reporting.Statement(template, values, metric)


def _by_strategy(config: Strategies, records: pd.DataFrame) -> dict[str, list[str]]:
    """The evaluated models that have a card, by the strategy of their training."""
    grouped: dict[str, list[str]] = {}
    for model in comparisons.evaluated_models(records, config.model):
        strategy = models.strategy_of(model)
        if strategy:
            grouped.setdefault(strategy, []).append(model)
    return grouped


def _claims(config: Strategies, records: pd.DataFrame) -> Iterator[Claim]:
    present, shots = set(records["model"]), set(config.shots)
    if {"mini/2-way", "mini/2-way-random"} <= present and 2 in shots:
        yield reporting.assess(
            "Table 2",
            "sampled shots help where shots are few: [2-way-random] 0.77 against [2-way] 0.51 at 2 shots",
            "difference at 2 shots",
            comparisons.change(
                records,
                "candidate",
                {"model": "mini/2-way", "shots": 2},
                {"model": "mini/2-way-random", "shots": 2},
                config.seed,
            ),
            above=0,
        )
    for model, fewer, claim, bounds in (
        ("mini/2-way", 2, "[2-way] rises with shots, 0.51 at 2 to 0.79 at 16", {"above": 0.0}),
        ("mini/mix", 6, "[mix] peaks at 6 shots (0.83) and decays (0.57 at 16)", {"below": 0.0}),
    ):
        if model in present and {fewer, 16} <= shots:
            change = comparisons.change(
                records,
                "candidate",
                {"model": model, "shots": fewer},
                {"model": model, "shots": 16},
                config.seed,
                model,
            )
            yield reporting.assess("Table 2", claim, f"{model}, {fewer} to 16", change, **bounds)


STUDY = Study("strategies", _design, _analyse, Strategies, __doc__ or "")

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
