"""Two models on the same queries: the difference with its interval and p-value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from lcl_lab import analysis, concepts, episodes, evaluation, models, reporting, store
from lcl_lab.errors import UserError, nearest
from lcl_lab.studies.comparisons import change
from lcl_lab.studies.runner import StudyResult

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Comparison, Detectable

__all__ = ["ModelComparison", "compare"]


@dataclass(frozen=True, repr=False)
class ModelComparison:
    """The accuracy of model B minus that of model A.

    Attributes:
        difference: the paired difference with interval, p-value, and the accuracy of each side.
        records: the records of both models.
    """

    difference: Comparison
    records: pd.DataFrame

    def __repr__(self) -> str:
        template = (
            "{b} − {a}, {metric}: {difference}, {difference:p}\n"
            "({difference.value_a:.3f} → {difference.value_b:.3f} over {difference.n} queries of {difference.clusters} "
            "concept pairs; {difference.gains} gains, {difference.losses} losses)"
        )
        sides = {"a": self.difference.a["model"], "b": self.difference.b["model"]}
        text = reporting.render(template, {**sides, "metric": self.difference.metric, "difference": self.difference})
        return f"{text}\ninconclusive; {reporting.format_detectable(self.undecided)}" if self.undecided else text

    @property
    def undecided(self) -> Detectable | None:
        """What would have been detected, and what would decide; None if the interval does not contain 0."""
        decided = self.difference.low > 0 or self.difference.high < 0
        return None if decided else analysis.detectable(self.difference)


def compare(
    a: Any,
    b: Any,
    *,
    records: StudyResult | pd.DataFrame | None = None,
    metric: Literal["candidate", "open-ended"] = "candidate",
    data: Any = "world-100",
    shots: int = 8,
    queries: int = 100,
    seed: int = 0,
    batch_size: int = 32,
    dtype: str = "auto",
) -> ModelComparison:
    """Compare two models on the same queries.

    Args:
        a: a model, the name of one, or the result of a study with a single model besides the reference.
        b: the other one, of the same kind.
        records: compare two models of these records, pooled over conditions, instead of evaluating them.
        metric: the metric that is compared.
        data: dataset of the episodes, or its name; not used with records or results.
        shots: support images of an episode.
        queries: number of episodes.
        seed: random seed of the episodes.
        batch_size: prompts per batch; does not change results.
        dtype: precision of the weights.

    Returns:
        The paired difference B − A: 95 % interval and p-value by the sign-flip test over concept pairs.

    Raises:
        UserError: a model or dataset cannot be used, or the queries cannot be paired.
    """
    if metric not in analysis.MAIN_METRICS:
        raise UserError(f"unknown metric; {nearest(metric, analysis.MAIN_METRICS)}", option="metric", value=metric)
    if isinstance(a, StudyResult) and isinstance(b, StudyResult):
        both = analysis.concat_estimates([_single_model(a, "a"), _single_model(b, "b")])
        sides = ["A", "B"]
        names = {side: both.loc[both["model"] == side, "name"].iloc[0] for side in sides}
        return _compare(both, metric, sides, names)
    if records is not None:
        frame = records.records if isinstance(records, StudyResult) else records
        return _compare(frame, metric, [_known(frame, "a", a), _known(frame, "b", b)])
    dataset = concepts.load_dataset(data)
    episodes.check_shots(dataset, shots)
    design = evaluation.episode_design(
        dataset, queries, [({"shots": shots}, lambda query: episodes.draw_episode(dataset, seed, query, shots))]
    )
    if a is b or a == b:
        raise UserError("is the same model as a", option="b", value=b if isinstance(b, str) else None)
    evaluated = [
        models.find_checkpoint(side, option) if isinstance(side, str) else side for option, side in (("a", a), ("b", b))
    ]
    frame = evaluation.evaluate(evaluated, design, batch_size=batch_size, dtype=dtype)
    return _compare(frame, metric, [side.name for side in evaluated])


def _compare(
    frame: pd.DataFrame, metric: str, sides: list[str], names: dict[str, str] | None = None
) -> ModelComparison:
    column = analysis.METRICS[metric]
    rows = analysis.score_ties(frame[frame["model"].isin(sides)])
    if rows[column].isna().any():
        raise UserError(f"a model has no {metric} answers; choose another", option="metric", value=metric)
    conditions = [name for name in rows.columns if name not in (*store.FIXED, "run", "filename", "name")]
    varying = [name for name in conditions if rows[name].nunique(dropna=False) > 1]
    filled = rows.assign(**{name: rows[name].astype(object).fillna("none") for name in varying})
    a, b = sides
    difference = change(filled, metric, {"model": a}, {"model": b}, on=("seed", "query_id", *varying))
    if names:
        difference = replace(difference, a={"model": names[a]}, b={"model": names[b]})
    return ModelComparison(difference, rows)


def _single_model(result: StudyResult, option: str) -> pd.DataFrame:
    """The records of a result's only model, under the name of its side."""
    evaluated = [name for name in result.config.models if (result.records["model"] == name).any()]
    if len(evaluated) != 1:
        raise UserError(f"has {len(evaluated)} models; compare two of them with records=", option=option)
    rows = result.records[result.records["model"] == evaluated[0]]
    return rows.assign(name=evaluated[0], model=option.upper())


def _known(frame: pd.DataFrame, option: str, model: Any) -> str:
    known = list(dict.fromkeys(frame["model"]))
    name = model if isinstance(model, str) else str(model.name)
    if name not in known:
        raise UserError(f"the records have no such model; {nearest(name, known)}", option=option, value=name)
    return name
