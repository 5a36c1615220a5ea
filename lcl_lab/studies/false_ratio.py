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

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from lcl_lab.cli import run_program
from lcl_lab.errors import UserError
from lcl_lab.studies._options import EpisodeConfig, no_repeats
from lcl_lab.studies._study import Presets, Study

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

    from lcl_lab.studies._findings import Claim, Findings
    from lcl_lab.studies._plan import Plan

__all__ = ["STUDY", "FalseRatio"]

_HARMLESS = 0.10  # a change smaller than this, with its interval, is none


class FalseRatio(EpisodeConfig):
    """The shares of labels that are false, and the support that they are shares of."""

    shots: int = Field(16, ge=2, description="support images in all, half of each concept")
    ratios: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=1), AfterValidator(no_repeats)
    ] = Field((0.0, 0.25, 0.5, 0.75, 1.0), description="shares of false labels, from 0 to 1")


PRESETS: Presets = {
    "default": {},
    "tiny": {"queries": 12, "shots": 4, "ratios": (0.0, 0.5, 1.0)},
    "paper": {"queries": 5000},  # 100 classes, 50 test images each
}


def _plan(config: FalseRatio) -> Plan:
    from lcl_lab.concepts import load_dataset
    from lcl_lab.episodes import Episode, check_shots, draw_episode, falsify
    from lcl_lab.studies._plan import of_episodes

    concepts = load_dataset(config.data)
    check_shots(concepts, config.shots, config.queries_per_support)

    def under(ratio: float, query: int) -> Episode:
        return falsify(draw_episode(concepts, config.seed, query, config.shots, config.queries_per_support), ratio)

    conditions = [({"shots": config.shots, "false_ratio": ratio}, partial(under, ratio)) for ratio in config.ratios]
    return of_episodes(
        concepts, config.queries, conditions, config.queries_per_support, shots=config.shots, ratios=config.ratios
    )


def _find(config: FalseRatio, records: pd.DataFrame) -> Findings:
    from lcl_lab.analysis import accuracy
    from lcl_lab.studies._findings import Findings, Section, accuracy_table

    estimates = accuracy(records, ["model", "false_ratio"], config.seed)
    title = f"False labels at {config.shots} shots on {config.data}"
    tables = [
        accuracy_table(estimates, "false_ratio", "Accuracy, and its 95 % interval over concept pairs"),
        accuracy_table(
            estimates,
            "false_ratio",
            "The same with Wilson's interval, which takes the queries as independent",
            "wilson_low",
            "wilson_high",
        ),
    ]
    return Findings(
        title,
        [
            Section(
                "Accuracy as labels turn false", _changes(config, records), _chart(config, estimates), tables=tables
            ),
            Section("How far each model follows the labels", _followed(config, records)),
        ],
        _claims(config, records),
    )


def _chart(config: FalseRatio, estimates: pd.DataFrame) -> alt.HConcatChart:
    from lcl_lab.analysis import published_false_ratio
    from lcl_lab.figures import false_ratio_chart
    from lcl_lab.models import PROTOTYPE

    is_reference = estimates["model"] == PROTOTYPE
    reference = estimates[is_reference & (estimates["metric"] == "candidate")]
    line = reference[["false_ratio", "estimate"]].rename(columns={"estimate": "accuracy"})
    asked = estimates["model"].isin(config.model)
    models = estimates[asked & (estimates["metric"] != "candidate-raw")]
    title = f"False labels at {config.shots} shots on {config.data}"
    return false_ratio_chart(models, published_false_ratio(), title, line)


def _changes(config: FalseRatio, records: pd.DataFrame) -> list[str]:
    """What the first and the last ratio say about each model."""
    from lcl_lab.studies._compare import answers, change
    from lcl_lab.studies._findings import interval

    first, last = config.ratios[0], config.ratios[-1]
    said = []
    for model, metric, own in answers(records, config.model):
        found = change(own, metric, {"false_ratio": first}, {"false_ratio": last}, config.seed)
        told = interval(found.estimate, found.low, found.high, sign=True)
        said.append(
            f"**{model}**, {metric}: {found.accuracy_a:.3f} at {first:.0%} false labels, {found.accuracy_b:.3f} "
            f"at {last:.0%}; change {told} over {found.n} queries of {found.clusters} concept pairs: "
            f"{_verdict(found.low, found.high)}."
        )
    return said


def _verdict(low: float, high: float) -> str:
    if high < -_HARMLESS:
        return "it follows the shown labels"
    if low > -_HARMLESS and high < _HARMLESS:
        return "it does not read the labels"
    return "these queries cannot tell whether it reads the labels"


def _followed(config: FalseRatio, records: pd.DataFrame) -> list[str]:
    """How far each model's choices follow the labels, and where half the labels' being false turns them."""
    from lcl_lab.analysis import METRICS, cell_rng, dose_response, link_score
    from lcl_lab.studies._compare import asked_models
    from lcl_lab.studies._findings import interval

    if not {0.0, 1.0} <= set(config.ratios):
        return ["The link score needs the ratios 0 and 1."]
    column = METRICS["candidate"]
    said = []
    for model in asked_models(records, config.model):
        own = records[records["model"] == model]
        if own[column].isna().any():
            continue  # a server tells no likelihoods
        score = link_score(own, cell_rng(config.seed, (model, "link")), column)
        told = f"**{model}**, link score {interval(score.estimate, score.low, score.high, places=2)}"
        with suppress(UserError):  # all or nearly all queries turn at once: there is no curve to fit
            curve = dose_response(own, "false_ratio", column)
            if curve.half_low > 0 and curve.half_high < 1:
                told += (
                    f"; its accuracy crosses one half at {curve.half:.0%} false labels "
                    f"[{curve.half_low:.0%}, {curve.half_high:.0%}]"
                )
        said.append(f"{told}.")
    return said


def _claims(config: FalseRatio, records: pd.DataFrame) -> list[Claim]:
    from lcl_lab.analysis import accuracy
    from lcl_lab.studies._compare import change
    from lcl_lab.studies._findings import claim

    models = set(records["model"])
    if not {0.0, 1.0} <= set(config.ratios):
        return []
    claims = []
    if "mini/2-way" in models:
        own = records[(records["model"] == "mini/2-way") & (records["false_ratio"] == 1.0)]
        rows = accuracy(own, [], config.seed, {"candidate": "correct_candidate"}).iloc[0]
        claims.append(
            claim(
                "Figure 7",
                f"LCL is at 0.00 when every label is false: it follows the link (here: below {_HARMLESS:.2f})",
                "mini/2-way",
                (rows["estimate"], rows["low"], rows["high"]),
                below=_HARMLESS,
            )
        )
    if "mini/in-context" in models:
        own = records[records["model"] == "mini/in-context"]
        found = change(own, "candidate", {"false_ratio": 0.0}, {"false_ratio": 1.0}, config.seed)
        claims.append(
            claim(
                "Figure 7",
                "an in-context model (OpenFlamingo, 0.38) hardly loses accuracy when every label is false",
                "mini/in-context, change",
                (found.estimate, found.low, found.high),
                above=-_HARMLESS,
                sign=True,
            )
        )
    return claims


STUDY = Study("false_ratio", __doc__ or "", FalseRatio, PRESETS, _plan, _find)

if __name__ == "__main__":
    run_program(STUDY.main)
