"""Does a model follow the labels that it is shown? The false-label ablation.

Question   What becomes of accuracy as more labels of the support are false?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Figure 7.
Design     The same queries and supports under every ratio; at each, exactly round(ratio · shots) labels
           are replaced by the other concept's name, and what is false at one ratio stays false at the next.
           Two metrics: open-ended and candidate likelihood; intervals resample concept pairs.
Command    python -m lcl_lab.studies.false_ratio
Time       under a minute and a half on two cores
Expect     the link-trained model falls from near 1 to near 0, through 0.5 where half the labels are false;
           the base model stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from lcl_lab.cli import run_program
from lcl_lab.errors import UserError
from lcl_lab.studies._options import StudyConfig, read_options, study_parser

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from lcl_lab.concepts import ConceptSet
    from lcl_lab.studies._evaluate import Condition
    from lcl_lab.studies._run import Findings

__all__ = ["FalseRatio", "main"]

NAME = "false_ratio"
_HARMLESS = 0.10  # a change smaller than this, with its interval, is none


def _different(ratios: tuple[float, ...]) -> tuple[float, ...]:
    if len(set(ratios)) < len(ratios):
        raise ValueError("each ratio once")
    return tuple(sorted(ratios))


class FalseRatio(StudyConfig):
    """The study's configuration: every study's, and the shares of labels that are false."""

    ratios: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=1), AfterValidator(_different)
    ] = (0.0, 0.25, 0.5, 0.75, 1.0)


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "tiny": {"queries": 12, "shots": 4, "ratios": (0.0, 0.5, 1.0)},
    "paper": {"queries": 5000},  # 100 classes, 50 test images each
}


def main(arguments: Sequence[str]) -> None:
    """Run the study to its report, or go on with it, and print where that is."""
    parser = study_parser(f"lcl_lab.studies.{NAME}", __doc__ or "", list(PRESETS))
    parser.add_argument("--ratios", type=float, nargs="+", metavar="R", help="shares of false labels, from 0 to 1")
    options = parser.parse_args(arguments)
    config = read_options(FalseRatio, PRESETS, options)
    if config.shots < 2:
        raise UserError(f"--shots {config.shots}: without a support there is no label to falsify; the least is 2")

    from lcl_lab.studies._run import run_study

    run_study(NAME, config, {"ratios": config.ratios}, _conditions, _findings, arguments, fresh=options.fresh)


def _conditions(config: FalseRatio, concepts: ConceptSet) -> list[Condition]:
    from lcl_lab.episodes import draw_episode, falsify
    from lcl_lab.studies._evaluate import Condition

    def under(ratio: float) -> Condition:
        return Condition(
            {"shots": config.shots, "false_ratio": ratio},
            lambda query: falsify(
                draw_episode(concepts, config.seed, query, config.shots, config.queries_per_support), ratio
            ),
        )

    return [under(ratio) for ratio in config.ratios]


def _findings(config: FalseRatio, records: pd.DataFrame) -> Findings:
    from lcl_lab.analysis import accuracy
    from lcl_lab.studies._run import Findings

    estimates = accuracy(records, ["model", "false_ratio"], config.seed)
    title = f"False labels at {config.shots} shots on {config.data}"
    return Findings(title, estimates, "false_ratio", _chart(config, estimates, title), _sentences(config, records))


def _chart(config: FalseRatio, estimates: pd.DataFrame, title: str) -> alt.HConcatChart:
    from lcl_lab.analysis import published_false_ratio
    from lcl_lab.figures import false_ratio_chart
    from lcl_lab.models import PROTOTYPE

    is_reference = estimates["model"] == PROTOTYPE
    reference = estimates[is_reference & (estimates["metric"] == "candidate")]
    line = reference[["false_ratio", "estimate"]].rename(columns={"estimate": "accuracy"})
    asked = estimates["model"].isin(config.model)
    models = estimates[asked & (estimates["metric"] != "candidate-raw")]
    return false_ratio_chart(models, published_false_ratio(), title, line)


def _sentences(config: FalseRatio, records: pd.DataFrame) -> list[str]:
    """What the first and the last ratio say about each model."""
    import numpy as np

    from lcl_lab.analysis import METRICS, paired_difference

    first, last = config.ratios[0], config.ratios[-1]
    said = []
    for model in dict.fromkeys(config.model):
        own = records[records["model"] == model]
        for metric in ("candidate", "open-ended"):
            if own[METRICS[metric]].isna().all():
                continue  # a server tells no likelihoods
            change = paired_difference(
                own,
                METRICS[metric],
                {"false_ratio": first},
                {"false_ratio": last},
                np.random.default_rng([config.seed, 7]),
            )
            said.append(
                f"**{model}**, {metric}: {change.accuracy_a:.3f} at {first:.0%} false labels, {change.accuracy_b:.3f} "
                f"at {last:.0%}; change {change.estimate:+.3f} [{change.low:+.3f}, {change.high:+.3f}] over "
                f"{change.n} queries of {change.clusters} concept pairs: {_verdict(change.low, change.high)}."
            )
        said += _follows(config, model, own)
    return said


def _follows(config: FalseRatio, model: str, own: pd.DataFrame) -> list[str]:
    """How far a model's choices follow the labels, and where half the labels' being false turns them."""
    import numpy as np

    from lcl_lab.analysis import METRICS, dose_response, link_score

    column = METRICS["candidate"]
    if own[column].isna().all() or not {0.0, 1.0} <= set(config.ratios):
        return []
    score = link_score(own, np.random.default_rng([config.seed, 8]), column)
    told = f"**{model}**, link score {score.estimate:.2f} [{score.low:.2f}, {score.high:.2f}]"
    with suppress(UserError):  # all or nearly all queries turn at once: there is no curve to fit
        curve = dose_response(own, "false_ratio", column)
        if curve.half_low > 0 and curve.half_high < 1:
            told += (
                f"; its accuracy crosses one half at {curve.half:.0%} false labels "
                f"[{curve.half_low:.0%}, {curve.half_high:.0%}]"
            )
    return [f"{told}."]


def _verdict(low: float, high: float) -> str:
    if high < -_HARMLESS:
        return "it follows the shown labels"
    if low > -_HARMLESS and high < _HARMLESS:
        return "it does not read the labels"
    return "these queries cannot tell whether it reads the labels"


if __name__ == "__main__":
    run_program(main)
