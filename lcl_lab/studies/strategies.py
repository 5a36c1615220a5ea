"""Which training strategy is better, at how many shots, and is the difference real?

Question   How does each strategy perform across shots, and which differences would a replication find again?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Table 2.
Design     All models get the same queries and supports. Every pair of models is compared at every number of shots on
           the same queries; for each metric the tests are one family (Holm; Benjamini and Hochberg). Models are grouped
           by the strategy of their training, according to their cards. Strategies with several trainings are compared
           over training seeds and concept pairs; with one training each, the verdict on them is inconclusive.
Command    python -m lcl_lab.studies.strategies
Time       under two minutes on two cores
Expect     all link strategies are close to each other and far above the base model from two shots on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, combinations
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from lcl_lab import analysis, episodes, evaluation, figures, reporting
from lcl_lab.config import no_repeats
from lcl_lab.studies import comparisons, trainings
from lcl_lab.studies.ceiling_section import ceiling_section
from lcl_lab.studies.study import Study
from lcl_lab.studies.trainings import TrainingsConfig
from lcl_lab.studies.variance_section import OutcomeVariance, outcome_variance, variance_section

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Estimate, Seeds
    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Claim, Findings, Section, Statement, Table

__all__ = ["STUDY", "Strategies"]

_OVER_SEEDS = "crossed random effects of seeds and concept pairs"


class Strategies(TrainingsConfig):
    """The models to compare, and the numbers of shots."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "shots": (0, 2, 4), "model": ("mini/base", "mini/2-way", "mini/mix")},
        "paper": {"queries": 5000, "shots": tuple(range(0, 17, 2))},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/2-way", "mini/2-way-random", "mini/2-way-weight", "mini/mix"),
        min_length=1,
        max_length=24,
        description="models, named as in every study; several trainings of a strategy are shown as one series",
    )
    shots: Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(no_repeats)] = Field(
        (0, 2, 6, 16), description="support images in total, half of each concept"
    )


def _design(config: Strategies) -> Design:
    dataset = config.load_dataset()
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
    grouped = trainings.by_strategy(config, records, config.model)
    title = f"Strategies over shots on {config.data}"
    estimates = analysis.accuracy(records, ["model", "shots"], config.seed)
    caption = "Accuracy, with 95 % intervals over concept pairs"
    tables = [comparisons.accuracy_table(estimates, "shots", caption)]
    repeated = [model for models in grouped.values() if len(models) > 1 for model in models]
    single = [model for model in config.model if model not in repeated]
    series = estimates[(estimates["metric"].isin(analysis.MAIN_METRICS)) & estimates["model"].isin(single)]
    if repeated:
        tables.append(_means_over_trainings(config, records, grouped))
        series = analysis.concat_estimates([series, tables[-1].frame])
    sections = [
        reporting.Section(
            "Accuracy over shots",
            list(_best_shots(config, records)),
            _figure(series, title),
            tables=tables,
        ),
        _pairs_of_models(config, records),
        _pairs_of_strategies(config, records, grouped),
        reporting.Section(
            "Between training seeds, and between concept pairs", list(_variation(config, records, grouped))
        ),
    ]
    filled = [section for section in sections if section.statements]
    added = [
        ceiling_section(records, config.model, "shots"),
        variance_section(list(_variances(config, records, grouped))),
    ]
    return reporting.Findings(title, [*filled, *filter(None, added)], list(_claims(config, records)))


def _variances(
    config: Strategies, records: pd.DataFrame, grouped: Mapping[str, Sequence[str]]
) -> Iterator[OutcomeVariance | None]:
    """The sources of variance of accuracy at the most shots, of strategies with several trainings."""
    most = max(config.shots)
    for strategy, models in grouped.items():
        rows = records[records["model"].isin(models) & (records["shots"] == most)]
        for metric in comparisons.metrics_in(rows) if len(models) > 1 else ():
            outcome = f"accuracy at {most} shots"
            yield outcome_variance(rows, analysis.METRICS[metric], strategy, metric, outcome, training="model")


def _means_over_trainings(config: Strategies, records: pd.DataFrame, grouped: Mapping[str, Sequence[str]]) -> Table:
    """The accuracy of each strategy with several trainings, which is one series of the figure."""
    rows = [
        {
            "model": f"{strategy} ({len(models)} trainings)",
            "metric": metric,
            "shots": shots,
            "estimate": over_seeds.mean,
            "low": over_seeds.low,
            "high": over_seeds.high,
            "n": n,
            "clusters": over_seeds.clusters,
        }
        for strategy, models in grouped.items()
        if len(models) > 1
        for shots, metric, n, over_seeds in _over_seeds(config, records, models)
    ]
    caption = "Accuracy of strategies, with 95 % intervals for new seeds and new concept pairs"
    return reporting.Table.from_rows(caption, rows, across="shots", method=_OVER_SEEDS)


def _figure(series: pd.DataFrame, title: str) -> figures.Figure:
    """Accuracy over shots, with the paper's Table 2 in a separate panel."""
    published = analysis.published(table="Table 2").rename(columns={"value": "accuracy"})
    trained_or_base = published["method"].str.startswith("LCL") | (published["method"] == "Vanilla-Shikra")
    return figures.line_figure(
        series, "shots", "Shots (images in the support)", title, published[trained_or_base], "Table 2"
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
            values["change"] = comparisons.change(rows, metric, {"shots": best}, {"shots": last}, model)
        yield reporting.Statement(f"{template}.", values, metric, model)


def _pairs_of_models(config: Strategies, records: pd.DataFrame) -> Section:
    """Every pair of models at every number of shots above zero, one family of tests per metric."""
    conditions = [{"shots": shots} for shots in config.shots if shots]
    tables, statements = [], []
    for metric in analysis.MAIN_METRICS:
        compared = [
            model
            for model, rows in comparisons.per_model(records, config.model)
            if metric in comparisons.metrics_in(rows)
        ]
        if len(compared) > 1 and conditions:
            table, statement = comparisons.pairwise_comparisons(records, compared, conditions, metric)
            tables.append(table)
            statements.append(statement)
    return reporting.Section("Every pair of models", statements, tables=tables)


def _pairs_of_strategies(config: Strategies, records: pd.DataFrame, grouped: Mapping[str, Sequence[str]]) -> Section:
    """Every pair of strategies with several trainings, one family of tests per metric, and a verdict on the others."""
    repeated = {strategy: models for strategy, models in grouped.items() if len(models) > 1}
    single = [strategy for strategy in grouped if strategy not in repeated]
    tables, statements = [], []
    if len(repeated) > 1 and any(config.shots):
        for metric in comparisons.metrics_in(records[records["model"].isin(chain(*repeated.values()))]):
            table, statement = _strategy_tests(config, records, repeated, metric)
            tables.append(table)
            statements.append(statement)
    if single and len(grouped) > 1:
        others = " or between these and strategies with several" if repeated else ""
        verdict = reporting.ONE_TRAINING if repeated else reporting.ONE_TRAINING_EACH
        template = (
            "Differences between the checkpoints of {strategies}{others} may be due to their training seeds; on these "
            "strategies the verdict is: {verdict}."
        )
        values = {"strategies": ", ".join(f"`{name}`" for name in single), "others": others, "verdict": verdict}
        undecided = analysis.SEVERAL_TRAININGS
        statements.append(reporting.Statement(template, values, verdict=verdict, undecided=undecided))
    return reporting.Section("Every pair of strategies", statements, tables=tables)


def _strategy_tests(
    config: Strategies, records: pd.DataFrame, repeated: Mapping[str, Sequence[str]], metric: str
) -> tuple[Table, Statement]:
    tested, rows = [], []
    for shots in filter(None, config.shots):
        for (a, models_a), (b, models_b) in combinations(repeated.items(), 2):
            tested.append(trainings.strategy_comparison(records, metric, (a, b), (models_a, models_b), shots=shots))
            counts = f"{len(models_b)} and {len(models_a)}"
            rows.append({"comparison": f"{b} − {a}", "shots": shots, "trainings": counts})
    caption = f"Differences between strategies, {metric}: 95 % intervals and t test over trainings and concept pairs"
    return comparisons.family_of_tests(tested, rows, metric, "differences between strategies", caption)


def _variation(config: Strategies, records: pd.DataFrame, grouped: Mapping[str, Sequence[str]]) -> Iterator[Statement]:
    """Variance between checkpoints that differ only in their training seed, according to their cards."""
    template = (
        "`{strategy}` over {seeds} seeds at {shots} shots, {metric}: mean {mean}, an interval for new seeds and new "
        "concept pairs; standard deviation between seeds {between_seeds}, between concept pairs {between_pairs}."
    )
    for strategy, models in grouped.items():
        for shots, metric, n, over_seeds in _over_seeds(config, records, models) if len(models) > 1 else ():
            condition = {"strategy": strategy, "shots": shots}
            mean, between_seeds, between_pairs = _estimates(over_seeds, n, metric, condition)
            values = {
                "strategy": strategy,
                "seeds": over_seeds.n,
                "shots": shots,
                "mean": mean,
                "between_seeds": between_seeds,
                "between_pairs": between_pairs,
            }
            yield reporting.Statement(template, values, metric)


def _over_seeds(
    config: Strategies, records: pd.DataFrame, models: Sequence[str]
) -> Iterator[tuple[int, str, int, Seeds]]:
    """The mean over trainings of a strategy at each number of shots by each metric, and the number of answers."""
    rows = records[records["model"].isin(models)]
    for shots in config.shots:
        for metric in comparisons.metrics_in(rows):
            answers = rows[rows["shots"] == shots]
            correct = answers.assign(correct=answers[analysis.METRICS[metric]].astype(float))
            accuracies = correct.pivot_table(index="model", columns="pair", values="correct").dropna(axis="columns")
            yield shots, metric, len(answers), analysis.seeds(accuracies.to_numpy())


def _estimates(over_seeds: Seeds, n: int, metric: str, condition: Mapping[str, object]) -> Iterator[Estimate]:
    """Mean and standard deviations with their intervals, as typed estimates."""
    for estimand, name, low, high in (
        ("mean accuracy over seeds", "mean", "low", "high"),
        ("standard deviation between seeds", "between_seeds", "between_seeds_low", "between_seeds_high"),
        ("standard deviation between pairs", "between_queries", "between_queries_low", "between_queries_high"),
    ):
        yield analysis.Estimate(
            value=getattr(over_seeds, name),
            low=getattr(over_seeds, low),
            high=getattr(over_seeds, high),
            n=n,
            clusters=over_seeds.clusters,
            estimand=estimand,
            metric=metric,
            condition=condition,
            method=_OVER_SEEDS,
        )


def _claims(config: Strategies, records: pd.DataFrame) -> Iterator[Claim]:
    shots = set(config.shots)
    claims = []
    if 2 in shots:
        claims.append(
            trainings.assess_difference(
                config,
                records,
                "Table 2",
                "sampled shots help where shots are few: [2-way-random] 0.77 against [2-way] 0.51 at 2 shots",
                ("2-way", "2-way-random"),
                above=0,
                shots=2,
            )
        )
    for strategy, fewer, claim, above, below in (
        ("2-way", 2, "[2-way] rises with shots, 0.51 at 2 to 0.79 at 16", 0.0, None),
        ("mix", 6, "[mix] peaks at 6 shots (0.83) and decays (0.57 at 16)", None, 0.0),
    ):
        if {fewer, 16} <= shots:
            conditions = {"shots": fewer}, {"shots": 16}
            claims.append(
                trainings.assess_change(config, records, "Table 2", claim, strategy, conditions, above, below)
            )
    yield from filter(None, claims)


STUDY = Study("strategies", _design, _analyse, Strategies, __doc__ or "")

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
