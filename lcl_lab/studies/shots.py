"""How many shots does a model need, and does it go on using more? The shot ablation.

Question   How does accuracy rise with the number of shots, and where does it stop? Is one training over
           sampled shots as good as a training for each number of shots?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Tables 1 and 2, Figure 6.
Design     The first k shots of a support are its k-shot support, so every query is asked the same with more
           and more shots. Models given as --fixed K=NAME were trained for K shots alone: they are asked at K
           and drawn as grey bars.
Command    python -m lcl_lab.studies.shots
Time       under a minute on two cores
Expect     the link-trained models jump at two shots and are flat after about eight; the base model cannot say
           a name that it has not seen, and its choices stay at chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, Field

from lcl_lab.cli import run_program
from lcl_lab.errors import UserError
from lcl_lab.studies._options import EpisodeConfig, no_repeats
from lcl_lab.studies._study import Presets, Study

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.studies._findings import Claim, Findings
    from lcl_lab.studies._plan import Plan

__all__ = ["STUDY", "Shots"]

_FLAT = 0.05  # of accuracy: a change smaller than this, with its interval, is none


_NO_SHOTS = ("base", "in-context")  # trainings that sample no numbers of shots


def _fixed(given: tuple[str, ...]) -> tuple[str, ...]:
    for one in given:
        shots, _, name = one.partition("=")
        if not shots.isdigit() or not name:
            raise ValueError("give it as SHOTS=NAME, such as 16=mini/2-way")
    return given


class Shots(EpisodeConfig):
    """The numbers of shots, and models that were trained for one of them."""

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/2-way-random"),
        min_length=1,
        max_length=8,
        description="models to be asked at every number of shots: names as in every study",
    )
    shots: Annotated[tuple[int, ...], Field(min_length=2), AfterValidator(no_repeats)] = Field(
        tuple(range(0, 17, 2)), description="support images in all, half of each concept"
    )
    fixed: Annotated[tuple[str, ...], AfterValidator(_fixed)] = Field(
        ("16=mini/2-way",), description="SHOTS=NAME, a model trained for one number of shots"
    )

    @property
    def trained_for(self) -> dict[str, int]:
        """The shots that each fixed-shot model was trained for."""
        return {name: int(shots) for shots, _, name in (one.partition("=") for one in self.fixed)}

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.model, *self.trained_for)))

    def renamed(self, names: Mapping[str, str]) -> Self:
        fixed = tuple(f"{shots}={names[name]}" for name, shots in self.trained_for.items())
        return super().renamed(names).model_copy(update={"fixed": fixed})


PRESETS: Presets = {
    "default": {},
    "tiny": {"queries": 12, "shots": (0, 2, 4), "fixed": ("4=mini/2-way",)},
    "paper": {"queries": 5000},
}


def _plan(config: Shots) -> Plan:
    from lcl_lab.concepts import load_dataset
    from lcl_lab.episodes import Episode, check_shots, draw_episode
    from lcl_lab.models import PROTOTYPE
    from lcl_lab.studies._plan import of_episodes

    concepts = load_dataset(config.data)
    for shots in config.shots:
        check_shots(concepts, shots, config.queries_per_support)
    for name, shots in config.trained_for.items():
        if shots not in config.shots:
            raise UserError(f"--fixed {shots}={name}: {shots} is not among the --shots {config.shots}")

    def under(shots: int, query: int) -> Episode:
        return draw_episode(concepts, config.seed, query, shots, config.queries_per_support)

    def asked(shots: int) -> tuple[str, ...]:
        fixed = [name for name, own in config.trained_for.items() if own == shots]
        return (*config.model, PROTOTYPE, *fixed)

    conditions = [({"shots": shots}, partial(under, shots)) for shots in config.shots]
    return of_episodes(
        concepts,
        config.queries,
        conditions,
        config.queries_per_support,
        models=[asked(shots) for shots in config.shots],
        shots=config.shots,
        fixed=config.fixed,
    )


def _find(config: Shots, records: pd.DataFrame) -> Findings:
    from lcl_lab.analysis import accuracy, published
    from lcl_lab.figures import line_figure
    from lcl_lab.studies._findings import Findings, Section, accuracy_table

    estimates = accuracy(records, ["model", "shots"], config.seed)
    shown = estimates[(estimates["metric"] != "candidate-raw") & (estimates["model"].isin(config.models))]
    title = f"Shots on {config.data}"
    printed = published(table="Table 2").rename(columns={"value": "accuracy"})
    methods = ("OpenFlamingo", "LCL [2-way]", "LCL [2-way-random]", "Vanilla-Shikra")
    chart = line_figure(
        shown[shown["model"].isin(config.model)],
        "shots",
        "Shots (images in the support)",
        title,
        printed[printed["method"].isin(methods)],
        "Table 2",
        shown[shown["model"].isin(config.trained_for)],
    )
    caption = "Accuracy, and its 95 % interval over concept pairs"
    tables = [accuracy_table(estimates, "shots", caption)]
    sections = [Section("Accuracy over shots", _rises(config, records), chart, tables=tables)]
    if config.fixed:
        sections.append(Section("One sampled training against fixed ones", _against_fixed(config, records)))
    return Findings(title, sections, _claims(config, records))


def _rises(config: Shots, records: pd.DataFrame) -> list[str]:
    """From the fewest to the most shots, and what a doubling of shots does."""
    import numpy as np

    from lcl_lab.analysis import METRICS, dose_response
    from lcl_lab.studies._compare import answers, change
    from lcl_lab.studies._findings import interval, told_p

    first, last = config.shots[0], config.shots[-1]
    said = []
    for model, metric, own in answers(records, config.model):
        found = change(own, metric, {"shots": first}, {"shots": last}, config.seed)
        told = (
            f"**{model}**, {metric}: {found.accuracy_a:.3f} at {first} shots, {found.accuracy_b:.3f} at {last}; "
            f"change {interval(found.estimate, found.low, found.high, sign=True)}"
        )
        shown = own[own["shots"] > 0]
        with suppress(UserError):  # all or nearly all right or wrong: there is no curve to fit
            curve = dose_response(shown.assign(doublings=np.log2(shown["shots"])), "doublings", METRICS[metric])
            once, low, high = np.exp([curve.slope, curve.slope_low, curve.slope_high]).tolist()
            told += f"; a doubling of shots multiplies the odds by {interval(once, low, high, places=2)}, "
            told += told_p(curve.p_value)
        said.append(f"{told}.")
    return said


def _against_fixed(config: Shots, records: pd.DataFrame) -> list[str]:
    from lcl_lab.models import strategy_of
    from lcl_lab.studies._compare import asked_models, change, told_metrics
    from lcl_lab.studies._findings import interval, told_p

    sampled = [model for model in asked_models(records, config.model) if strategy_of(model) not in _NO_SHOTS]
    said = []
    for fixed in asked_models(records, list(config.trained_for)):
        shots = config.trained_for[fixed]
        for model in sampled:
            both = records[records["model"].isin([fixed, model]) & (records["shots"] == shots)]
            for metric in told_metrics(both) if fixed != model else ():
                found = change(both, metric, {"model": fixed}, {"model": model}, config.seed)
                told = interval(found.estimate, found.low, found.high, sign=True)
                said.append(
                    f"At {shots} shots **{model}** has {found.accuracy_b:.3f} and **{fixed}**, trained for {shots}, "
                    f"{found.accuracy_a:.3f} ({metric}): {told}, {told_p(found.p_value)}."
                )
    return said


def _claims(config: Shots, records: pd.DataFrame) -> list[Claim]:
    from lcl_lab.analysis import accuracy
    from lcl_lab.studies._compare import change
    from lcl_lab.studies._findings import claim

    claims = []
    own = records[records["model"] == "mini/2-way-random"]
    if len(own) and {0, 2} <= set(config.shots):
        found = change(own, "open-ended", {"shots": 0}, {"shots": 2}, config.seed)
        told = "LCL [2-way-random] cannot name the unseen without shots (0.00) and names most with two (0.77)"
        values = (found.estimate, found.low, found.high)
        claims.append(claim("Table 2", told, "mini/2-way-random, gain of two shots", values, above=0.5, sign=True))
    if len(own) and {8, 16} <= set(config.shots):
        found = change(own, "candidate", {"shots": 8}, {"shots": 16}, config.seed)
        told = "accuracy is flat after about 8 shots (0.79 at 8, 0.75 at 16)"
        values = (found.estimate, found.low, found.high)
        claims.append(
            claim("Figure 6", told, "mini/2-way-random, 8 to 16", values, above=-_FLAT, below=_FLAT, sign=True)
        )
    base = records[(records["model"] == "mini/base") & (records["shots"] == config.shots[-1])]
    if len(base):
        row = accuracy(base, [], config.seed, {"open-ended": "correct_open"}).iloc[0]
        told = "an untrained model (Vanilla-Shikra) names nothing, whatever it is shown (0.00)"
        values = (row["estimate"], row["low"], row["high"])
        claims.append(claim("Tables 1, 2", told, f"mini/base, {config.shots[-1]} shots", values, below=0.1))
    return claims


STUDY = Study("shots", __doc__ or "", Shots, PRESETS, _plan, _find)

if __name__ == "__main__":
    run_program(STUDY.main)
