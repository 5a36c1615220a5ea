"""How many shots does a model need, and does it benefit from more? The shot ablation.

Question   How does accuracy rise with the number of shots, and where does it level off? Is one training over sampled
           numbers of shots as good as a separate training for each?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Tables 1 and 2, Figure 6.
Design     The first k shots of a support are its k-shot support, so every query is evaluated with more and more shots.
           Models given as --fixed K=NAME were trained for K shots only: they are evaluated at K shots and drawn as grey
           bars.
Command    python -m lcl_lab.studies.shots
Time       under a minute on two cores
Expect     the link-trained models jump at two shots and are flat after about eight; the base model cannot say a name
           that it has not seen, and its choices stay at chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, Field

from lcl_lab import analysis, episodes, evaluation, figures, models, reporting
from lcl_lab.config import no_repeats
from lcl_lab.errors import UserError
from lcl_lab.studies import comparisons, trainings
from lcl_lab.studies.calibration_section import calibration_section
from lcl_lab.studies.ceiling_section import ceiling_section
from lcl_lab.studies.study import Study
from lcl_lab.studies.trainings import TrainingsConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Estimate
    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Claim, Findings, Statement

__all__ = ["STUDY", "Shots"]

_NOT_SAMPLED = ("base", "in-context")  # strategies that do not sample numbers of shots
_PUBLISHED = ("OpenFlamingo", "LCL [2-way]", "LCL [2-way-random]", "Vanilla-Shikra")


def _shots_and_name(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        shots, _, name = value.partition("=")
        if not shots.isdigit() or not name:
            raise ValueError("must be SHOTS=NAME, such as 16=mini/2-way")
    return values


class Shots(TrainingsConfig):
    """Numbers of shots, and models that were trained for one of them."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "shots": (0, 2, 4), "fixed": ("4=mini/2-way",)},
        "paper": {"queries": 5000},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/2-way-random"),
        min_length=1,
        max_length=8,
        description="models to evaluate at every number of shots, named as in every study",
    )
    shots: Annotated[tuple[int, ...], Field(min_length=2), AfterValidator(no_repeats)] = Field(
        tuple(range(0, 17, 2)), description="support images in total, half of each concept"
    )
    fixed: Annotated[tuple[str, ...], AfterValidator(_shots_and_name)] = Field(
        ("16=mini/2-way",), description="SHOTS=NAME, a model trained for one number of shots"
    )
    margin: float = Field(0.05, gt=0, lt=1, description="change in accuracy that counts as flat")
    most_margin: float = Field(0.5, gt=0, lt=1, description="rise in accuracy above which a model names most concepts")
    floor_margin: float = Field(0.1, gt=0, lt=1, description="accuracy below which a model names nothing")

    @property
    def trained_for(self) -> dict[str, int]:
        """The number of shots that each fixed-shot model was trained for."""
        return {name: int(shots) for shots, _, name in (value.partition("=") for value in self.fixed)}

    @property
    def models(self) -> tuple[str, ...]:
        """The models of `model`, then those of `fixed`."""
        return tuple(dict.fromkeys((*self.model, *self.trained_for)))

    def renamed(self, names: Mapping[str, str]) -> Self:
        """A copy with each model, fixed-shot models included, under the name that its records have."""
        fixed = tuple(f"{shots}={names[name]}" for name, shots in self.trained_for.items())
        return super().renamed(names).model_copy(update={"fixed": fixed})


def _design(config: Shots) -> Design:
    dataset = config.load_dataset()
    for shots in config.shots:
        episodes.check_shots(dataset, shots, config.queries_per_support)
    for name, shots in config.trained_for.items():
        if shots not in config.shots:
            available = ", ".join(map(str, config.shots))
            raise UserError(f"{shots} is not one of the shots {available}", option="fixed", value=f"{shots}={name}")

    def draw(shots: int, query: int) -> Episode:
        return episodes.draw_episode(dataset, config.seed, query, shots, config.queries_per_support)

    def evaluated_at(shots: int) -> tuple[str, ...]:
        fixed = [name for name, trained_for in config.trained_for.items() if trained_for == shots]
        return (*config.model, models.PROTOTYPE, *fixed)

    return evaluation.episode_design(
        dataset,
        config.queries,
        [({"shots": shots}, partial(draw, shots)) for shots in config.shots],
        config.queries_per_support,
        models=[evaluated_at(shots) for shots in config.shots],
        shots=config.shots,
        fixed=config.fixed,
    )


def _analyse(config: Shots, records: pd.DataFrame) -> Findings:
    estimates = analysis.accuracy(records, ["model", "shots"], config.seed)
    caption = "Accuracy, with 95 % intervals over concept pairs"
    sections = [
        reporting.Section(
            "Accuracy over shots",
            list(_gains(config, records)),
            _figure(config, estimates),
            tables=[comparisons.accuracy_table(estimates, "shots", caption)],
        )
    ]
    if config.fixed:
        statements = [*_against_fixed(config, records), *_strategies_against_fixed(config, records)]
        sections.append(reporting.Section("One training over sampled shots against fixed-shot trainings", statements))
    most = max(config.shots)
    added = [
        ceiling_section(records, config.model, "shots"),
        calibration_section(records, config.model, config.seed, f"at {most} shots", shots=most),
    ]
    return reporting.Findings(_title(config), [*sections, *filter(None, added)], list(_claims(config, records)))


def _title(config: Shots) -> str:
    return f"Shots on {config.data}"


def _figure(config: Shots, estimates: pd.DataFrame) -> figures.Figure:
    """Accuracy over shots, with fixed-shot models as bars and the paper's Table 2 in a separate panel."""
    shown = estimates[estimates["metric"].isin(analysis.MAIN_METRICS)]
    published = analysis.published(table="Table 2").rename(columns={"value": "accuracy"})
    return figures.line_figure(
        shown[shown["model"].isin(config.model)],
        "shots",
        "Shots (images in the support)",
        _title(config),
        published[published["method"].isin(_PUBLISHED)],
        "Table 2",
        shown[shown["model"].isin(config.trained_for)],
    )


def _gains(config: Shots, records: pd.DataFrame) -> Iterator[Statement]:
    """The change from the fewest to the most shots, and the effect of a doubling of shots."""
    first, last = config.shots[0], config.shots[-1]
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        change = comparisons.change(rows, metric, {"shots": first}, {"shots": last}, model)
        template = (
            "{model}, {metric}: {change.value_a:.3f} at {first} shots, {change.value_b:.3f} at {last}; change "
            "{change}, odds ratio {odds:g}"
        )
        odds = comparisons.odds_ratio(rows, metric, {"shots": first}, {"shots": last}, model)
        values: dict[str, object] = {"change": change, "odds": odds, "first": first, "last": last}
        with suppress(UserError):  # all or nearly all answers are correct, or none: there is no curve to fit
            values["doubling"] = _odds_ratio_of_doubling(rows, model, metric)
            template += "; a doubling of shots multiplies the odds by {doubling:2}, {doubling:p}"
        yield reporting.Statement(f"{template}.", values, metric, model)


def _odds_ratio_of_doubling(rows: pd.DataFrame, model: str, metric: str) -> Estimate:
    """The factor by which a doubling of shots multiplies the odds of a correct answer.

    Raises:
        UserError: there is no curve to fit.
    """
    with_shots = rows[rows["shots"] > 0]
    doublings = with_shots.assign(doublings=with_shots["shots"].map(math.log2))
    curve = analysis.dose_response(doublings, "doublings", analysis.METRICS[metric])
    value, low, high = (math.exp(slope) for slope in (curve.slope, curve.slope_low, curve.slope_high))
    return analysis.Estimate(
        value=value,
        low=low,
        high=high,
        n=curve.n,
        clusters=curve.clusters,
        estimand="odds ratio of a doubling of shots",
        metric=metric,
        model=model,
        method="logistic curve, generalised estimating equations over concept pairs",
        p_value=curve.p_value,
    )


def _against_fixed(config: Shots, records: pd.DataFrame) -> Iterator[Statement]:
    """Each model that was trained over sampled shots against each fixed-shot model, at the shots of the latter."""
    template = (
        "At {shots} shots {model_sampled} has {change.value_b:.3f} and {model_fixed}, trained for {shots}, "
        "{change.value_a:.3f} ({metric}): {change}, {change:p}."
    )
    evaluated = comparisons.evaluated_models(records, config.model)
    sampled = [model for model in evaluated if config.strategy(model) not in _NOT_SAMPLED]
    for fixed in comparisons.evaluated_models(records, list(config.trained_for)):
        shots = config.trained_for[fixed]
        for model in sampled:
            if model == fixed:
                continue
            rows = records[records["model"].isin([fixed, model]) & (records["shots"] == shots)]
            for metric in comparisons.metrics_in(rows):
                change = comparisons.change(rows, metric, {"model": fixed}, {"model": model}, shots=shots)
                values = {"shots": shots, "model_sampled": model, "model_fixed": fixed, "change": change}
                yield reporting.Statement(template, values, metric)


def _strategies_against_fixed(config: Shots, records: pd.DataFrame) -> Iterator[Statement]:
    """Each strategy of sampled shots against each fixed-shot strategy, if both have several trainings; else why not."""
    template = (
        "At {shots} shots the strategy `{sampled}` has {difference.value_b:.3f} over {trainings_sampled} trainings and "
        "`{fixed}`, trained for {shots}, {difference.value_a:.3f} over {trainings_fixed} ({metric}): {difference}, "
        "{difference:p}."
    )
    inconclusive = "At {shots} shots, on the strategies `{sampled}` and `{fixed}` the verdict is: {verdict}."
    for shots, fixed, sampled, compared in _sampled_and_fixed(config, records):
        values: dict[str, object] = {"shots": shots, "sampled": sampled, "fixed": fixed}
        verdict = trainings.verdict_without_trainings(*compared)
        if verdict:
            yield reporting.Statement(
                inconclusive, {**values, "verdict": verdict}, verdict=verdict, undecided=analysis.SEVERAL_TRAININGS
            )
            continue
        values |= {"trainings_fixed": len(compared[0]), "trainings_sampled": len(compared[1])}
        rows = records[records["model"].isin(chain(*compared)) & (records["shots"] == shots)]
        for metric in comparisons.metrics_in(rows):
            difference = trainings.strategy_comparison(rows, metric, (fixed, sampled), compared, shots=shots)
            yield reporting.Statement(template, {**values, "difference": difference}, metric)


def _sampled_and_fixed(
    config: Shots, records: pd.DataFrame
) -> Iterator[tuple[int, str, str, tuple[list[str], list[str]]]]:
    """Shots, a strategy that was trained for them, one that samples its shots, and the trainings of each."""
    sampled = trainings.by_strategy(config, records, config.model)
    for shots in sorted(set(config.trained_for.values())):
        trained = [name for name, trained_for in config.trained_for.items() if trained_for == shots]
        for fixed, fixed_models in trainings.by_strategy(config, records, trained).items():
            for strategy, sampled_models in sampled.items():
                if strategy not in (*_NOT_SAMPLED, fixed):
                    yield shots, fixed, strategy, (fixed_models, sampled_models)


def _claims(config: Shots, records: pd.DataFrame) -> Iterator[Claim]:
    sampled, shots = "2-way-random", set(config.shots)
    claims = []
    if {0, 2} <= shots:
        claims.append(
            trainings.assess_change(
                config,
                records,
                "Table 2",
                "LCL [2-way-random] cannot name unseen concepts without shots (0.00) and names most with two (0.77; "
                f"here: rises by more than {config.most_margin:g})",
                sampled,
                ({"shots": 0}, {"shots": 2}),
                above=config.most_margin,
                metric="open-ended",
            )
        )
    if {8, 16} <= shots:
        claims.append(
            trainings.assess_change(
                config,
                records,
                "Figure 6",
                f"accuracy is flat after about 8 shots (0.79 at 8, 0.75 at 16; here: within ±{config.margin:g})",
                sampled,
                ({"shots": 8}, {"shots": 16}),
                above=-config.margin,
                below=config.margin,
            )
        )
    yield from filter(None, claims)
    last = config.shots[-1]
    base = records[(records["model"] == "mini/base") & (records["shots"] == last)]
    if len(base):
        yield reporting.assess(
            "Tables 1, 2",
            "an untrained model (Vanilla-Shikra) names nothing, whatever support it receives (0.00; "
            f"here: below {config.floor_margin:g})",
            f"mini/base, {last} shots",
            comparisons.accuracy_estimate(base, "open-ended", config.seed, "mini/base", shots=last),
            below=config.floor_margin,
        )


STUDY = Study("shots", _design, _analyse, Shots, __doc__ or "")

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
