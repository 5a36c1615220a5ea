"""The number that a search makes as large or as small as possible: held-out accuracy, or an estimate of a study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lcl_lab import models, reporting, studies
from lcl_lab.errors import UserError, nearest_values
from lcl_lab.progress import track
from lcl_lab.sweeps.search_config import HELD_OUT_ACCURACY, LINK_SCORE
from lcl_lab.sweeps.search_space import study_titles
from lcl_lab.training.plan import VISION

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.studies import Study, StudyConfig
    from lcl_lab.training import TrainConfig

    Evaluations = Sequence[tuple[Study[Any], StudyConfig]]

__all__ = ["SearchMetric", "check_metric"]

_LINK_SCORE = "link score/candidate"
_GUESSES = "guesses"
_CHECKING = "checking the metric"
_PATIENCE = 3.0  # seconds without a progress bar
_NO_CONDITION = {"estimand", "model", "metric", "estimate", "low", "high", "n", "clusters", "p_value", "method"}


@dataclass(frozen=True)
class SearchMetric:
    """A metric of trials.

    Attributes:
        name: as users give it.
        study: the number of the study that estimates it; None for held-out accuracy.
        estimate: which of the study's estimates, such as ``accuracy/candidate/shots=4``.
    """

    name: str
    study: int | None = None
    estimate: str = ""

    def of_estimates(self, estimates: pd.DataFrame, model: str) -> float | None:
        """The value among the estimates of the study; None where it is undefined or missing.

        Args:
            estimates: those of a finished run.
            model: the model of the trial, as in records.
        """
        value = _estimates_of(estimates, model).get(self.estimate)
        return None if value is None or math.isnan(value) else value


def check_metric(name: str, evaluations: Sequence[Evaluations], trainings: Sequence[TrainConfig]) -> SearchMetric:
    """The metric of a search.

    The names of a study's estimates are those of an analysis of random answers.

    Args:
        name: as users give it.
        evaluations: the studies of trials with the ends of all ranges.
        trainings: the trainings of these trials; none where models are evaluated that exist.

    Raises:
        UserError: the trials have no such metric.
    """
    try:
        if name == HELD_OUT_ACCURACY:
            _check_held_out(trainings)
            return SearchMetric(name)
        return _find(name, evaluations, bool(trainings))
    except UserError as error:
        raise UserError(str(error), option="search") from None


def _check_held_out(trainings: Sequence[TrainConfig]) -> None:
    reason = "" if trainings else "a sweep of models trains nothing; choose an estimate of a study, such as link_score"
    for training in trainings:
        if training.strategy == VISION:
            reason = "the vision encoder has none; choose an estimate of a study"
        elif training.steps is not None and training.steps < training.evaluate_every:
            reason = (
                f"a training of {training.steps} steps is evaluated every {training.evaluate_every}; "
                f"give a smaller evaluate_every"
            )
    if reason:
        raise UserError(reason, option="metric", value=HELD_OUT_ACCURACY)


def _find(name: str, evaluations: Sequence[Evaluations], trained: bool) -> SearchMetric:
    """The estimate with this name, which the study must have at the ends of all ranges of its options."""
    titles = study_titles([{"study": study} for study, _ in evaluations[0]])
    named = [number for number, title in enumerate(titles) if name.startswith(f"{title}/")]
    valid = {
        f"{titles[number]}/{estimate}": SearchMetric(name, number, estimate)
        for number in track(named or range(len(titles)), _CHECKING, delay=_PATIENCE)
        for estimate in _random_estimates(*evaluations[0][number])
    }
    scores = [metric for metric in valid.values() if metric.estimate == _LINK_SCORE]
    if name == LINK_SCORE and len(scores) == 1:
        metric = scores[0]
    elif name in valid:
        metric = valid[name]
    elif name == LINK_SCORE:
        reason = "no study of the sweep estimates it; false_ratio with the ratios 0 and 1 does"
        if scores:
            reason = f"several studies estimate it; choose one, such as {next(iter(valid))}"
        raise UserError(reason, option="metric", value=name)
    else:
        known = [*valid, *([LINK_SCORE] if scores else []), *([HELD_OUT_ACCURACY] if trained else [])]
        raise UserError(f"no such metric; {nearest_values(name, known)}", option="metric", value=name)
    assert metric.study is not None
    different = {_content(one[metric.study]): one[metric.study] for one in evaluations}
    for study, options in track(list(different.values())[1:], _CHECKING, delay=_PATIENCE):
        if metric.estimate not in _random_estimates(study, options):
            reason = f"{study.name} has no such estimate at some ends of the ranges of its options"
            raise UserError(reason, option="metric", value=name)
    return metric


def _content(evaluation: tuple[Study[Any], StudyConfig]) -> str:
    return evaluation[1].model_dump_json(exclude={"model"})


def _random_estimates(study: Study[Any], options: StudyConfig) -> dict[str, float]:
    """The estimates of a study of one model that guesses."""
    named = options.model_copy(update={"model": (_GUESSES,)})
    others = [models.PROTOTYPE] if study.reference else []
    findings = studies.findings_of_random_answers(study, named, study.design(named), [_GUESSES, *others])
    return _estimates_of(findings.estimates, _GUESSES)


def _estimates_of(estimates: pd.DataFrame, model: str) -> dict[str, float]:
    """The estimates of one model that are no comparisons, by name, if only one has that name."""
    values: dict[str, list[float]] = {}
    for row in estimates.to_dict("records"):
        known: Mapping[str, Any] = {str(key): value for key, value in row.items() if _is_known(value)}
        if known.get("model", model) != model or {"a", "b"} & known.keys():
            continue
        parts = [str(known["estimand"]), *([str(known["metric"])] if "metric" in known else [])]
        parts += [f"{key}={reporting.format_value(value)}" for key, value in known.items() if key not in _NO_CONDITION]
        values.setdefault("/".join(parts), []).append(float(row["estimate"]))
    return {name: same[0] for name, same in values.items() if len(same) == 1}


def _is_known(value: object) -> bool:
    return value is not None and value == value and value != ""  # NaN differs from itself
