"""Does a model follow the labels that it is shown? The false-label ablation.

Question   What happens to accuracy as more labels of the support are false?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Figure 7.
Design     The same queries and supports under every ratio; at each, exactly round(ratio · shots) labels
           are replaced by the other concept's name, and what is false at one ratio stays false at the next.
           Two metrics: open-ended and candidate likelihood; intervals resample concept pairs.
Command    python -m lcl_lab.studies.false_ratio
Time       under a minute and a half on two cores
Expect     the link-trained model falls from near 1 to near 0 and crosses 0.5 where about half the labels are false;
           the base model does not move.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from lcl_lab import analysis, episodes, evaluation, figures, models, reporting
from lcl_lab.config import no_repeats
from lcl_lab.errors import UserError
from lcl_lab.studies import comparisons
from lcl_lab.studies.calibration_section import calibration_section
from lcl_lab.studies.ceiling_section import ceiling_section
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig
from lcl_lab.studies.variance_section import OutcomeVariance, outcome_change, outcome_variance, variance_section

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Detectable, Estimate
    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Claim, Findings, Statement

__all__ = ["STUDY", "FalseRatio"]

_LINK_SCORE = "paired difference cut to 0 and 1, sign-flip interval over concept pairs"
_CROSSING = "isotonic regression, bootstrap over concept pairs"
_VERDICT = "verdict on the link by intervals and a margin"
_VERDICTS = {
    "follows": "it follows the shown labels",
    "reverses": "it answers against the shown labels",
    "reads labels only": "its answers change with the labels but are not right when they are true, so it reads the "
    "labels and does not link them to the images",
    "ignores": "it does not read the labels",
    "at floor": "at floor: it is not right with true labels either, so nothing can be said",
    "at chance": "at chance: it is not right with true labels either, so nothing can be said",
    "inconclusive": "inconclusive: it may or may not read the labels",
}


class FalseRatio(EpisodeConfig):
    """Ratios of false labels, and the size of the support."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "shots": 4, "ratios": (0.0, 0.5, 1.0)},
        "paper": {"queries": 5000},  # 100 classes, 50 test images each
    }

    shots: int = Field(16, ge=2, description="support images in total, half of each concept")
    ratios: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=1), AfterValidator(no_repeats)
    ] = Field((0.0, 0.25, 0.5, 0.75, 1.0), description="ratios of false labels, from 0 to 1")
    margin: float = Field(0.10, gt=0, lt=1, description="change in accuracy, or share of answers, that counts as none")

    @property
    def has_both_ends(self) -> bool:
        """Whether the ratios include all labels true and all labels false."""
        return {0.0, 1.0} <= set(self.ratios)


def _design(config: FalseRatio) -> Design:
    dataset = config.load_dataset()
    episodes.check_shots(dataset, config.shots, config.queries_per_support)

    def draw(ratio: float, query: int) -> Episode:
        episode = episodes.draw_episode(dataset, config.seed, query, config.shots, config.queries_per_support)
        return episodes.falsify(episode, ratio)

    return evaluation.episode_design(
        dataset,
        config.queries,
        [({"shots": config.shots, "false_ratio": ratio}, partial(draw, ratio)) for ratio in config.ratios],
        config.queries_per_support,
        shots=config.shots,
        ratios=config.ratios,
    )


def _analyse(config: FalseRatio, records: pd.DataFrame) -> Findings:
    estimates = analysis.accuracy(records, ["model", "false_ratio"], config.seed)
    flips = {
        (model, metric): _flip_rate(config, rows, metric, model)
        for model, metric, rows in comparisons.per_model_and_metric(records, config.model)
    }
    title = f"False labels at {config.shots} shots on {config.data}"
    tables = [
        comparisons.accuracy_table(estimates, "false_ratio", "Accuracy, with 95 % intervals over concept pairs"),
        comparisons.accuracy_table(
            estimates,
            "false_ratio",
            "The same with Wilson's intervals, which treat queries as independent",
            "wilson_low",
            "wilson_high",
        ),
    ]
    sections = [
        reporting.Section(
            "Accuracy as labels turn false",
            list(_changes(config, records, flips)),
            _figure(config, estimates),
            tables=tables,
        ),
        reporting.Section("How far each model follows the labels", list(_link_scores(config, records, flips))),
        ceiling_section(records, config.model, "false_ratio"),
        calibration_section(
            records,
            config.model,
            config.seed,
            f"at {min(config.ratios):.0%} false labels",
            false_ratio=min(config.ratios),
        ),
        variance_section(list(_variances(config, records))),
    ]
    return reporting.Findings(title, list(filter(None, sections)), list(_claims(config, records)))


def _variances(config: FalseRatio, records: pd.DataFrame) -> Iterator[OutcomeVariance | None]:
    """The sources of variance of the change from the first to the last ratio."""
    first, last = config.ratios[0], config.ratios[-1]
    if first == last:
        return
    outcome = f"change from {first:.0%} to {last:.0%} false labels"
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        changes = outcome_change(rows, analysis.METRICS[metric], "false_ratio", first, last)
        yield outcome_variance(changes, "change", model, metric, outcome)


def _figure(config: FalseRatio, estimates: pd.DataFrame) -> figures.Figure:
    """Accuracy over ratios, with the prototype reference as a line and the paper's points."""
    reference = estimates[(estimates["model"] == models.PROTOTYPE) & (estimates["metric"] == "candidate")]
    line = reference[["false_ratio", "estimate"]].rename(columns={"estimate": "accuracy"})
    shown = estimates[estimates["model"].isin(config.model) & (estimates["metric"].isin(analysis.MAIN_METRICS))]
    title = f"False labels at {config.shots} shots on {config.data}"
    return figures.false_ratio_figure(shown, analysis.published_false_ratio(), title, line)


def _changes(
    config: FalseRatio, records: pd.DataFrame, all_flips: Mapping[tuple[str, str], Estimate]
) -> Iterator[Statement]:
    """The change from the first to the last ratio."""
    first, last = config.ratios[0], config.ratios[-1]
    template = (
        "{model}, {metric}: {change.value_a:.3f} at {first:.0%} false labels, {change.value_b:.3f} at {last:.0%}; "
        "change {change} over {change.n} queries of {change.clusters} concept pairs, odds ratio {odds:g}; {flips:.0%} "
        "of the answers change (margin {margin:.2f}): {conclusion}."
    )
    a, b = {"false_ratio": first}, {"false_ratio": last}
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        change = comparisons.change(rows, metric, a, b, model)
        flips = all_flips[model, metric]
        intact = comparisons.accuracy_estimate(
            analysis.rows_of(rows, {"false_ratio": first}), metric, config.seed, model
        )
        verdict = analysis.link_verdict(
            (intact.low, intact.high),
            (change.low, change.high),
            (flips.low, flips.high),
            config.margin,
            chance=0.5 if metric == "candidate" else None,
        )
        odds = comparisons.odds_ratio(rows, metric, a, b, model)
        yield reporting.Statement(
            template,
            {
                "change": change,
                "odds": odds,
                "flips": flips.value,
                "first": first,
                "last": last,
                "margin": config.margin,
                "conclusion": _VERDICTS[verdict],
            },
            metric,
            model,
            verdict,
            _undecided(config, verdict, intact, change, flips),
            methods=[_VERDICT],
        )


def _undecided(
    config: FalseRatio, verdict: str, intact: Estimate, change: Estimate, flips: Estimate
) -> Detectable | None:
    """What would decide whether a model reads the labels; None where that is decided."""
    if verdict == "at chance":
        return analysis.detectable(intact, [0.5])
    if verdict != "inconclusive":
        return None
    of_change = analysis.detectable(change, [-config.margin, config.margin])
    if abs(change.value) > config.margin:
        return of_change
    # A change within the margin leaves open whether answers change, which the flip rate decides.
    of_flips = analysis.detectable(flips, [config.margin])
    numbers = [of_change.needed, of_flips.needed]
    return replace(of_change, needed=None if None in numbers else max(filter(None, numbers)))


def _flip_rate(config: FalseRatio, rows: pd.DataFrame, metric: str, model: str) -> Estimate:
    """The share of queries whose answer at the last ratio differs from that at the first."""
    first, last = ({"false_ratio": config.ratios[end]} for end in (0, -1))
    answer = analysis.METRICS[metric] if metric == "candidate" else "answer"  # of two candidates, the one or the other
    flips = analysis.flip_rate(rows, answer, first, last, analysis.cell_rng(config.seed, (model, "flips", metric)))
    return analysis.Estimate.from_result(
        flips, estimand="flip rate", metric=metric, model=model, method=comparisons.BOOTSTRAP
    )


def _link_scores(
    config: FalseRatio, records: pd.DataFrame, flips: Mapping[tuple[str, str], Estimate]
) -> Iterator[Statement]:
    """How far answers follow the labels, and the ratio at which the curve of accuracy crosses one half."""
    if not config.has_both_ends:
        yield reporting.Statement("The link score needs the ratios 0 and 1.")
        return
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        score = analysis.link_score(rows, analysis.METRICS[metric])
        template = "{model}, {metric}: link score {score:2}, flip rate {flips:2}"
        values: dict[str, object] = {
            "score": analysis.Estimate.from_result(
                score,
                estimand="link score",
                metric=metric,
                model=model,
                method=_LINK_SCORE,
            ),
            "flips": flips[model, metric],
        }
        crossing, numbers = _crossing(config, rows, model, metric)
        yield reporting.Statement(f"{template}; {crossing}.", values | numbers, metric, model)


def _crossing(config: FalseRatio, rows: pd.DataFrame, model: str, metric: str) -> tuple[str, dict[str, object]]:
    """Where the curve crosses one half, or why it does not: a template and its values."""
    column = analysis.METRICS[metric]
    try:
        crossing = analysis.half_crossing(
            rows, "false_ratio", column, analysis.cell_rng(config.seed, (model, column, "crossing"))
        )
    except UserError as error:
        return "where its accuracy crosses one half is not estimated: {reason}", {"reason": str(error)}
    ends: dict[str, object] = {"first": min(config.ratios), "last": max(config.ratios)}
    match crossing.outcome:
        case "starts below":
            return "its accuracy is not above one half at {first:.0%} false labels, so no crossing is reported", ends
        case "ends above":
            return "its accuracy is not below one half at {last:.0%} false labels, so no crossing is reported", ends
        case "uncertain":
            return (
                "whether its accuracy crosses one half is uncertain: at {first:.0%} or {last:.0%} false labels it is "
                "too close to one half",
                ends,
            )
        case "crosses":
            return (
                "its accuracy, interpolated between the ratios, crosses one half at {half.value:.0%} false labels "
                "[{half.low:.0%}, {half.high:.0%}]",
                {
                    "half": analysis.Estimate(
                        value=crossing.dose,
                        low=crossing.low,
                        high=crossing.high,
                        n=crossing.n,
                        clusters=crossing.clusters,
                        estimand="share of false labels at an accuracy of one half",
                        metric=metric,
                        model=model,
                        method=_CROSSING,
                    )
                },
            )


def _claims(config: FalseRatio, records: pd.DataFrame) -> Iterator[Claim]:
    present = comparisons.evaluated_models(records, ("mini/2-way", "mini/in-context"))
    if not config.has_both_ends:
        return
    if "mini/2-way" in present:
        rows = analysis.rows_of(records, {"model": "mini/2-way", "false_ratio": 1.0})
        yield reporting.assess(
            "Figure 7",
            f"LCL is at 0.00 when every label is false: it follows the link (here: below {config.margin:.2f})",
            "mini/2-way",
            comparisons.accuracy_estimate(rows, "candidate", config.seed, "mini/2-way", false_ratio=1.0),
            below=config.margin,
        )
    if "mini/in-context" in present:
        rows = analysis.rows_of(records, {"model": "mini/in-context"})
        yield reporting.assess(
            "Figure 7",
            "an in-context model (OpenFlamingo, 0.38) hardly loses accuracy when every label is false "
            f"(here: at most {config.margin:.2f})",
            "mini/in-context, change",
            comparisons.change(rows, "candidate", {"false_ratio": 0.0}, {"false_ratio": 1.0}, "mini/in-context"),
            above=-config.margin,
        )


STUDY = Study("false_ratio", _design, _analyse, FalseRatio, __doc__ or "")

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
