"""Does a model follow the labels that it is shown? The false-label ablation.

Question   What happens to accuracy as more labels of the support are false?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Figure 7.
Design     The same queries and supports under every ratio; at each, exactly round(ratio · shots) labels
           are replaced by the other concept's name, and what is false at one ratio stays false at the next.
           Two metrics: open-ended and candidate likelihood; intervals resample concept pairs.
Command    python -m lcl_lab.studies.false_ratio
Time       under a minute and a half on two cores
Expect     the link-trained model falls from near 1 to near 0, through 0.5 where half the labels are false;
           the base model does not move.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from lcl_lab import analysis, concepts, episodes, evaluation, figures, models, reporting
from lcl_lab.config import no_repeats
from lcl_lab.errors import UserError
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Claim, Findings, Statement

__all__ = ["STUDY", "FalseRatio"]

_HARMLESS = 0.10  # a change whose whole interval is smaller counts as no change
_VERDICTS = {
    "follows": "it follows the shown labels",
    "ignores": "it does not read the labels",
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

    @property
    def has_both_ends(self) -> bool:
        """Whether the ratios include all labels true and all labels false."""
        return {0.0, 1.0} <= set(self.ratios)


def _design(config: FalseRatio) -> Design:
    dataset = concepts.load_dataset(config.data)
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
    return reporting.Findings(
        title,
        [
            reporting.Section(
                "Accuracy as labels turn false",
                list(_changes(config, records)),
                _figure(config, estimates),
                tables=tables,
            ),
            reporting.Section("How far each model follows the labels", list(_link_scores(config, records))),
        ],
        list(_claims(config, records)),
    )


def _figure(config: FalseRatio, estimates: pd.DataFrame) -> figures.Figure:
    """Accuracy over ratios, with the prototype reference as a line and the paper's points."""
    reference = estimates[(estimates["model"] == models.PROTOTYPE) & (estimates["metric"] == "candidate")]
    line = reference[["false_ratio", "estimate"]].rename(columns={"estimate": "accuracy"})
    shown = estimates[estimates["model"].isin(config.model) & (estimates["metric"] != "candidate-raw")]
    title = f"False labels at {config.shots} shots on {config.data}"
    return figures.false_ratio_figure(shown, analysis.published_false_ratio(), title, line)


def _changes(config: FalseRatio, records: pd.DataFrame) -> Iterator[Statement]:
    """The change from the first to the last ratio."""
    first, last = config.ratios[0], config.ratios[-1]
    template = (
        "{model}, {metric}: {change.value_a:.3f} at {first:.0%} false labels, {change.value_b:.3f} at {last:.0%}; "
        "change {change} over {change.n} queries of {change.clusters} concept pairs: {conclusion}."
    )
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        change = comparisons.change(rows, metric, {"false_ratio": first}, {"false_ratio": last}, config.seed, model)
        verdict = _verdict(change.low, change.high)
        values = {"change": change, "first": first, "last": last, "conclusion": _VERDICTS[verdict]}
        yield reporting.Statement(template, values, metric, model, verdict)


def _verdict(low: float, high: float) -> str:
    if high < -_HARMLESS:
        return "follows"
    if low > -_HARMLESS and high < _HARMLESS:
        return "ignores"
    return "inconclusive"


def _link_scores(config: FalseRatio, records: pd.DataFrame) -> Iterator[Statement]:
    """How far answers follow the labels, and the ratio at which accuracy crosses one half."""
    if not config.has_both_ends:
        yield reporting.Statement("The link score needs the ratios 0 and 1.")
        return
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        column = analysis.METRICS[metric]
        score = analysis.link_score(rows, analysis.cell_rng(config.seed, (model, "link")), column)
        template = "{model}, {metric}: link score {score:2}"
        values: dict[str, object] = {
            "score": analysis.Estimate(
                value=score.estimate,
                low=score.low,
                high=score.high,
                n=score.n,
                clusters=score.clusters,
                estimand="link score",
                metric=metric,
                model=model,
                method=comparisons.BOOTSTRAP,
            )
        }
        with suppress(UserError):  # all or nearly all queries change at the same ratio: there is no curve to fit
            curve = analysis.dose_response(rows, "false_ratio", column)
            if curve.half_low > 0 and curve.half_high < 1:
                template += (
                    "; its accuracy crosses one half at {half:.0%} false labels [{half_low:.0%}, {half_high:.0%}]"
                )
                values |= {"half": curve.half, "half_low": curve.half_low, "half_high": curve.half_high}
        yield reporting.Statement(f"{template}.", values, metric, model)


def _claims(config: FalseRatio, records: pd.DataFrame) -> Iterator[Claim]:
    present = set(records["model"])
    if not config.has_both_ends:
        return
    if "mini/2-way" in present:
        rows = records[(records["model"] == "mini/2-way") & (records["false_ratio"] == 1.0)]
        yield reporting.assess(
            "Figure 7",
            f"LCL is at 0.00 when every label is false: it follows the link (here: below {_HARMLESS:.2f})",
            "mini/2-way",
            comparisons.accuracy_estimate(rows, "candidate", config.seed, "mini/2-way", false_ratio=1.0),
            below=_HARMLESS,
        )
    if "mini/in-context" in present:
        rows = records[records["model"] == "mini/in-context"]
        yield reporting.assess(
            "Figure 7",
            "an in-context model (OpenFlamingo, 0.38) hardly loses accuracy when every label is false",
            "mini/in-context, change",
            comparisons.change(
                rows, "candidate", {"false_ratio": 0.0}, {"false_ratio": 1.0}, config.seed, "mini/in-context"
            ),
            above=-_HARMLESS,
        )


STUDY = Study("false_ratio", _design, _analyse, FalseRatio, __doc__ or "")

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
