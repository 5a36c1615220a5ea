"""Does a model know when the answer is not in the support? Open-set episodes.

Question   Can a model tell a query of a concept that the support does not show from one of a concept that it shows?
Source     Hendrycks and Gimpel, "A baseline for detecting misclassified and out-of-distribution examples", arXiv
           1610.02136; Liu et al., "Few-shot open-set recognition using meta-learning", arXiv 2005.13713.
Design     With a probability of --open-share, the query is of the closest look-alike outside the support. Three scores
           say whether it is of the support: the largest log-likelihood per token of the names, its margin over the
           second largest, and its margin over that of the candidate "none of these". All are measured after the usual
           question and after one that offers that answer.
Command    python -m lcl_lab.studies.open_set
Time       a minute on two cores
Expect     log-likelihoods of the link-trained model tell both kinds of queries apart in part, although it was never
           shown a query from outside; it never prefers "none of these" to a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from lcl_lab import analysis, episodes, evaluation, figures, reporting
from lcl_lab.episodes import NONE_OF_THESE
from lcl_lab.errors import UserError
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Estimate, IntervalEstimate
    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Findings, Section, Statement, Table

__all__ = ["STUDY", "OpenSet"]

PLAIN, OFFERED = "usual question", "none offered"
QUESTIONS: Mapping[str, str] = {
    PLAIN: "",
    OFFERED: f'What is in the image? If it is nothing that was shown before, answer "{NONE_OF_THESE}".',
}
"""The question about the query under each condition; empty for the usual one."""
_AUROC = "area under the ROC curve, Obuchowski's variance over concept pairs"
_FPR = "share at a threshold, MOVER over concept pairs"
_ACCEPTED = "accuracy above a threshold, cluster bootstrap over concept pairs and MOVER"
_BOOTSTRAP = comparisons.BOOTSTRAP
_ONE_KIND = (
    "All queries are of concepts in the support, or all are of others: to tell both kinds apart takes more queries."
)


class OpenSet(EpisodeConfig):
    """The support, and the share of queries from outside."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 24, "shots_per_concept": 2, "model": ("mini/base", "mini/2-way")},
        "paper": {"queries": 5000},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/2-way", "mini/mix"),
        min_length=1,
        max_length=8,
        description="models, named as in every study",
    )
    queries: int = Field(400, ge=1, description="queries under each condition")
    ways: int = Field(2, ge=2, le=99, description="number of concepts in the support")
    shots_per_concept: int = Field(4, ge=1, description="support images of each concept")
    open_share: float = Field(0.5, gt=0, lt=1, description="probability that the query is of a concept outside")


def _design(config: OpenSet) -> Design:
    if config.calibrate:
        raise UserError(
            "calibrates a choice between two names, and queries here have at least three", option="calibrate"
        )
    dataset = config.load_dataset()
    shots = config.ways * config.shots_per_concept
    episodes.check_shots(dataset, shots, config.queries_per_support, config.ways)
    most = len(dataset.concepts) - 1
    if config.ways > most:
        reason = f"one of the {most + 1} concepts of {dataset.name} must be outside the support; give at most {most}"
        raise UserError(reason, option="ways", value=config.ways)

    def draw(question: str, query: int) -> Episode:
        episode = episodes.draw_episode(dataset, config.seed, query, shots, config.queries_per_support, config.ways)
        return episodes.open_set(episode, config.open_share, question)

    return evaluation.episode_design(
        dataset,
        config.queries,
        [
            ({"ways": config.ways, "shots": shots, "prompt": name}, partial(draw, question))
            for name, question in QUESTIONS.items()
        ],
        config.queries_per_support,
        shots=shots,
        ways=config.ways,
        open_share=config.open_share,
    )


def _analyse(config: OpenSet, records: pd.DataFrame) -> Findings:
    support = f"{config.ways} ways and {config.shots_per_concept} shots each on {config.data}"
    title = f"Queries from outside the support, {support}"
    scored = {
        (model, prompt): _scores(rows[rows["prompt"] == prompt])
        for model, rows in comparisons.per_model(
            records, list(dict.fromkeys([*config.model, *records["model"].unique()]))
        )
        if rows["loglik_others"].notna().all()
        for prompt in QUESTIONS
    }
    sections = []
    if scored and (records["true_name"] == NONE_OF_THESE).nunique() == 2:
        sections = [_score_section(config, scored, title), _explicit_section(config, scored)]
    elif scored:
        sections = [reporting.Section("Scores that reject queries from outside", [reporting.Statement(_ONE_KIND)])]
    return reporting.Findings(title, [*sections, _accuracy_section(config, records)])


def _scores(rows: pd.DataFrame) -> pd.DataFrame:
    """The scores of the queries of a model after one question, with their concept pairs."""
    return analysis.answer_scores(rows, NONE_OF_THESE).assign(pair=rows["pair"])


Scored = Mapping[tuple[str, str], "pd.DataFrame"]
"""Scores of queries by model and question."""


def _score_section(config: OpenSet, scored: Scored, title: str) -> Section:
    """Each score as a detector of queries from outside."""
    estimates = {key: _of_scores(config, *key, rows) for key, rows in scored.items()}
    captions = {
        "AUROC": ("Area under the ROC curve: 0.5 is chance", _AUROC),
        "FPR": (f"Share of queries from outside that are accepted, where {analysis.TPR:.0%} of the others are", _FPR),
        "accuracy on accepted": ("Accuracy on accepted queries at that threshold", _ACCEPTED),
    }
    tables = [
        _table(caption, [one for of_scores in estimates.values() for one in of_scores if one.estimand == name], method)
        for name, (caption, method) in captions.items()
    ]
    areas = tables[0].frame
    shown = areas[areas["model"].isin(config.model)]
    figure = (
        figures.dot_figure(shown, "score", title, "AUROC", guide=0.5, panel="prompt", width=320) if len(shown) else None
    )
    scores = "; ".join(f"{name}: {text}" for name, text in analysis.SCORES.items())
    statements = [reporting.Statement(f"Scores per query, of log-likelihoods per token. {scores}.")]
    statements += [
        _score_statement(model, prompt, of_scores)
        for (model, prompt), of_scores in estimates.items()
        if model in config.model
    ]
    return reporting.Section("Scores that reject queries from outside", statements, figure, tables=tables)


def _of_scores(config: OpenSet, model: str, prompt: str, rows: pd.DataFrame) -> list[Estimate]:
    """AUROC, false-positive rate and accuracy on accepted queries of each score."""
    estimates = []
    for score in analysis.SCORES:
        data = rows[score], rows["known"]
        rng = analysis.cell_rng(config.seed, (model, prompt, score))
        results: dict[str, tuple[IntervalEstimate, str]] = {
            "AUROC": (analysis.auroc(*data, rows["pair"]), _AUROC),
            "FPR": (analysis.fpr_at_tpr(*data, rows["pair"]), _FPR),
            "accuracy on accepted": (
                analysis.accepted_accuracy(*data, rows["correct"], rows["pair"], rng),
                _ACCEPTED,
            ),
        }
        estimates += [
            _estimate(result, name, model, method, prompt=prompt, score=score)
            for name, (result, method) in results.items()
        ]
    return estimates


def _score_statement(model: str, prompt: str, estimates: list[Estimate]) -> Statement:
    """AUROC and false-positive rate of each score."""
    shown = ("AUROC", "FPR")
    values = {f"{one.estimand}_{one.condition['score']}": one for one in estimates if one.estimand in shown}
    areas, rates = (
        ", ".join(f"{{{estimand}_{score}:2}} by '{score}'" for score in analysis.SCORES) for estimand in shown
    )
    template = (
        f"{{model}}, {{prompt}}: AUROC {areas}; share of queries from outside that are accepted, where {{tpr:.0%}} of "
        f"those from the support are: {rates}."
    )
    return reporting.Statement(template, {"prompt": prompt, "tpr": analysis.TPR, **values}, "candidate", model)


def _explicit_section(config: OpenSet, scored: Scored) -> Section:
    """The candidate "none of these" as a decision."""
    estimates = {key: _of_decisions(config, *key, rows) for key, rows in scored.items()}
    caption = f'A query is accepted if a name is more likely than "{NONE_OF_THESE}"'
    table = _table(caption, [one for each in estimates.values() for one in each], _BOOTSTRAP, "quantity")
    statements = []
    for (model, prompt), of_model in estimates.items():
        if model not in config.model:
            continue
        inside, outside, *accuracy = of_model
        template = (
            '{model}, {prompt}: it prefers a name to "{none}" for {inside:2} of the queries from the support and '
            "{outside:2} of those from outside"
        )
        values: dict[str, object] = {"prompt": prompt, "none": NONE_OF_THESE, "inside": inside, "outside": outside}
        if accuracy:
            template += "; {accuracy:2} of the accepted are named right"
            values["accuracy"] = accuracy[0]
        statements.append(reporting.Statement(f"{template}.", values, "candidate", model))
    return reporting.Section(f'The candidate "{NONE_OF_THESE}"', statements, tables=[table])


def _of_decisions(config: OpenSet, model: str, prompt: str, rows: pd.DataFrame) -> list[Estimate]:
    """The share of queries of each kind that are accepted, and the accuracy on accepted ones if there are any."""
    known, accepted = rows["known"].to_numpy(bool), rows["accepted"].to_numpy(bool)
    parts = {
        "accepted, in the support": (accepted[known], rows["pair"][known]),
        "accepted, outside": (accepted[~known], rows["pair"][~known]),
        "accuracy on accepted": (rows["correct"].to_numpy()[accepted], rows["pair"][accepted]),
    }
    return [
        _estimate(
            _mean(values.astype(float), pairs, analysis.cell_rng(config.seed, (model, prompt, name))),
            name,
            model,
            _BOOTSTRAP,
            prompt=prompt,
            quantity=name,
        )
        for name, (values, pairs) in parts.items()
        if len(values)
    ]


def _mean(values: np.ndarray, pairs: pd.Series, rng: np.random.Generator) -> IntervalEstimate:
    low, high = analysis.cluster_bootstrap(values, pairs, rng)
    return analysis.IntervalEstimate(float(values.mean()), low, high, len(values), pairs.nunique())


def _accuracy_section(config: OpenSet, records: pd.DataFrame) -> Section:
    """Accuracy of both kinds of queries; that of queries from outside is how often the answer is "none of these"."""
    kinds = np.where(records["true_name"] == NONE_OF_THESE, "outside", "in the support")
    named = records.assign(query=[f"{kind}, {prompt}" for kind, prompt in zip(kinds, records["prompt"], strict=True)])
    estimates = analysis.accuracy(named, ["model", "query"], config.seed)
    order = [f"{kind}, {prompt}" for prompt in QUESTIONS for kind in ("in the support", "outside")]
    estimates = estimates.set_index("query").loc[[name for name in order if name in set(named["query"])]].reset_index()
    caption = f'Accuracy, where the right answer to a query from outside is "{NONE_OF_THESE}"'
    table = comparisons.accuracy_table(estimates, "query", caption, in_order=True)
    return reporting.Section("Accuracy of both kinds of queries", tables=[table])


def _estimate(result: IntervalEstimate, estimand: str, model: str, method: str, **condition: str) -> Estimate:
    return analysis.Estimate.from_result(
        result, estimand=estimand, metric="candidate", model=model, condition=condition, method=method
    )


def _table(caption: str, estimates: list[Estimate], method: str, across: str = "score") -> Table:
    rows = [
        {
            "model": one.model,
            "metric": one.metric,
            **one.condition,
            "estimate": one.value,
            "low": one.low,
            "high": one.high,
            "n": one.n,
            "clusters": one.clusters,
        }
        for one in estimates
    ]
    estimand = estimates[0].estimand if across == "score" else "share"
    identifying = ("model", "metric", "prompt")
    return reporting.Table.from_rows(
        caption, rows, across=across, rows=identifying, estimand=estimand, method=method, in_order=True
    )


STUDY = Study("open_set", _design, _analyse, OpenSet, __doc__ or "", in_all=False)

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
