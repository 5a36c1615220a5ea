"""Where does an answer come from: prior knowledge, a label, an image, or the link between them?

Question   Which part of the prompt does an answer depend on, and which simple rule explains it?
Source     Min et al., "Rethinking the role of demonstrations", arXiv 2202.12837; Baldassini et al., "What makes
           multimodal in-context learning work?", arXiv 2404.15736.
Design     The same queries with one part changed at a time: all labels false, no support, grey images in the support,
           images permuted while labels stay, a grey query, and exchanged names. With every label true or false at
           random, the answers are regressed on those of rules: the last label, the most frequent one, that of the most
           similar image, and the one that the support links with the query's concept.
Command    python -m lcl_lab.studies.attribution
Time       two minutes on two cores
Expect     the link-trained model has a high link rate, needs the images of the support and follows no other rule; the
           base model's answers do not move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from lcl_lab import analysis, episodes, evaluation, figures, reporting
from lcl_lab.errors import UserError
from lcl_lab.studies import comparisons
from lcl_lab.studies.run_setting import grading_rule
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Estimate
    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Findings, Statement, Table

    _Evaluated = tuple[str, str, pd.DataFrame]  # a model, a metric, and the model's records

__all__ = ["STUDY", "Attribution"]

INTACT, FLIPPED, NONE, BLANK, PERMUTED = "intact", "false labels", "no support", "grey support", "permuted images"
BLANK_QUERY, SWAPPED, RANDOM = "grey query", "exchanged names", "random labels"
PERTURBATIONS = (INTACT, FLIPPED, NONE, BLANK, PERMUTED, BLANK_QUERY, SWAPPED, RANDOM)
RULES: Mapping[str, str] = {
    "link": "heuristic/link",
    "last label": "heuristic/last",
    "majority": "heuristic/majority",
    "nearest image": "heuristic/nearest",
}
_RATES = "share of answers, cluster bootstrap over concept pairs"
_KAPPA = "Cohen's kappa, jackknife and bootstrap over concept pairs"
_COPYING = "penalised logistic regression on rules, jackknife over concept pairs"


class Attribution(EpisodeConfig):
    """The number of shots."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "shots": 4, "model": ("mini/base", "mini/2-way")},
        "paper": {"queries": 5000},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/in-context", "mini/mix", "mini/2-way"),
        min_length=1,
        max_length=8,
        description="models, named as in every study",
    )
    shots: int = Field(8, ge=2, description="support images in total, half of each concept")

    @property
    def models(self) -> tuple[str, ...]:
        """The models, and the rules that their answers are compared with."""
        return (*self.model, *RULES.values())


def _design(config: Attribution) -> Design:
    dataset = config.load_dataset()
    episodes.check_shots(dataset, config.shots, config.queries_per_support)

    def draw(perturb: Callable[[Episode], Episode], query: int) -> Episode:
        return perturb(episodes.draw_episode(dataset, config.seed, query, config.shots, config.queries_per_support))

    perturbations: Mapping[str, Callable[[Episode], Episode]] = {
        INTACT: lambda episode: episode,
        FLIPPED: partial(episodes.falsify, ratio=1.0),
        NONE: episodes.remove_support,
        BLANK: episodes.blank_support,
        PERMUTED: episodes.permute_images,
        BLANK_QUERY: episodes.blank_query,
        SWAPPED: _exchange_names,
        RANDOM: partial(episodes.falsify_independently, probability=0.5),
    }
    return evaluation.episode_design(
        dataset,
        config.queries,
        [({"shots": config.shots, "perturbation": name}, partial(draw, perturbations[name])) for name in PERTURBATIONS],
        config.queries_per_support,
        shots=config.shots,
    )


def _exchange_names(episode: Episode) -> Episode:
    names = episode.true_name, episode.other_name
    return episodes.rename(episode, dict(zip(names, names[::-1], strict=True)))


def _analyse(config: Attribution, records: pd.DataFrame) -> Findings:
    title = f"Where answers come from, at {config.shots} shots on {config.data}"
    accuracies = analysis.accuracy(records, ["model", "perturbation"], config.seed)
    accuracies = accuracies.set_index("perturbation").loc[list(PERTURBATIONS)].reset_index()
    main = accuracies[accuracies["metric"].isin(analysis.MAIN_METRICS) & accuracies["model"].isin(config.model)]
    main = main.sort_values(["model", "metric"], key=_place(config), kind="stable")
    evaluated = list(comparisons.per_model_and_metric(records, config.model))
    rates = list(_all_rates(config, evaluated))
    every_rate = [rate for of_model in rates for rate in of_model.values()]
    rate_table = _table("Rates, with 95 % intervals over concept pairs", every_rate, "rate", "rate", _RATES)
    accuracy_table = comparisons.accuracy_table(
        accuracies, "perturbation", "Accuracy, with 95 % intervals over concept pairs", in_order=True
    )
    sections = [
        reporting.Section(
            "What moves an answer",
            list(_rate_statements(rates)),
            figures.dot_figure(rate_table.frame, "rate", title, "Share of queries", width=420),
            tables=[rate_table],
        ),
        reporting.Section(
            "Accuracy with one part of the prompt changed",
            list(_reliance_statements(config, evaluated)),
            figures.dot_figure(main, "perturbation", title, guide=0.5, panel="metric", width=420),
            "accuracy",
            [accuracy_table],
        ),
    ]
    copied = [estimate for of_model in _all_copying(config, records) for estimate in of_model]
    if copied:
        rules = _table("Coefficients of rules, in log-odds", copied, "rule", copied[0].estimand, _COPYING)
        chart = figures.dot_figure(rules.frame, "rule", title, "Log-odds", domain=None, guide=0.0, width=420)
        heading = "Which rule explains the answers"
        sections.append(reporting.Section(heading, list(_copying_statements(copied)), chart, "rules", [rules]))
    return reporting.Findings(title, sections)


def _place(config: Attribution) -> Callable[[pd.Series], pd.Series]:
    """The places of models and of metrics in the other figures, so that a model has one colour in all of them."""
    places = {name: number for names in (config.model, analysis.MAIN_METRICS) for number, name in enumerate(names)}
    return lambda column: column.map(places)


def _all_rates(config: Attribution, evaluated: Sequence[_Evaluated]) -> Iterator[dict[str, Estimate]]:
    """The rates of each model and metric, by their names."""
    for model, metric, rows in evaluated:
        intact, flipped, pairs = _paired_choices(config, rows, metric, INTACT, FLIPPED)
        rng = analysis.cell_rng(config.seed, (model, metric, "rates"))
        yield {
            rate: analysis.Estimate.from_result(
                share, estimand=f"{rate} rate", metric=metric, model=model, condition={"rate": rate}, method=_RATES
            )
            for rate, share in analysis.answer_rates(intact, flipped, pairs, rng).items()
        }


def _rate_statements(all_rates: Sequence[Mapping[str, Estimate]]) -> Iterator[Statement]:
    template = (
        "{model}, {metric}: when all labels become false, {link:2} of the answers turn from the true to the other name "
        "(link), {stubborn:2} stay true, {label_only:2} move although they were not true (label only) and "
        "{inert_wrong:2} stay wrong"
    )
    for rates in all_rates:
        first = rates["link"]
        values = {rate.replace("-", "_"): estimate for rate, estimate in rates.items()}
        unsettled = "; {unsettled:2} turn from the true to neither name" if rates["unsettled"].value else ""
        yield reporting.Statement(f"{template}{unsettled}.", values, first.metric, first.model)


def _reliance_statements(config: Attribution, evaluated: Sequence[_Evaluated]) -> Iterator[Statement]:
    """Visual reliance, and agreement with prior knowledge."""
    for model, metric, rows in evaluated:
        reliance = comparisons.change(rows, metric, {"perturbation": PERMUTED}, {"perturbation": INTACT}, model)
        kappa = _prior_agreement(config, rows, model, metric)
        agreement = "{kappa:2}" if kappa else "undefined, since all answers of one side are the same"
        yield reporting.Statement(
            "{model}, {metric}: the right images next to their labels are worth {reliance} (visual reliance); "
            f"agreement with the answers without a support, Cohen's kappa: {agreement}.",
            {"reliance": reliance, **({"kappa": kappa} if kappa else {})},
            metric,
            model,
        )


def _prior_agreement(config: Attribution, rows: pd.DataFrame, model: str, metric: str) -> Estimate | None:
    try:
        rng = analysis.cell_rng(config.seed, (model, metric, "kappa"))
        kappa = analysis.prior_agreement(*_paired_choices(config, rows, metric, INTACT, NONE), rng)
    except UserError:
        return None
    return analysis.Estimate.from_result(
        kappa, estimand="agreement with prior answers", metric=metric, model=model, method=_KAPPA
    )


def _all_copying(config: Attribution, records: pd.DataFrame) -> Iterator[list[Estimate]]:
    """The coefficients of all rules for each model and metric; none where answers are few, or rules missing."""
    random = analysis.rows_of(records, {"perturbation": RANDOM})
    if not set(RULES.values()) <= set(random["model"]):
        return  # a page shows some of the models only
    rules = {
        rule: _choices(config, analysis.rows_of(random, {"model": model}), "candidate") for rule, model in RULES.items()
    }
    for model, metric, rows in comparisons.per_model_and_metric(random, config.model):
        choices = _choices(config, rows, metric)
        pairs = rows.set_index("query_id")["pair"].loc[choices.index]
        try:
            fitted = analysis.copying(choices, {rule: of.loc[choices.index] for rule, of in rules.items()}, pairs)
        except UserError:
            continue
        yield [
            analysis.Estimate.from_result(
                coefficient,
                estimand="coefficient of a rule",
                metric=metric,
                model=model,
                condition={"rule": rule},
                method=_COPYING,
            )
            for rule, coefficient in fitted.items()
        ]


def _copying_statements(coefficients: Sequence[Estimate]) -> Iterator[Statement]:
    """The rule with the largest coefficient of each model and metric, if its interval excludes 0."""
    for model, metric in dict.fromkeys((one.model, one.metric) for one in coefficients):
        of_rules = [one for one in coefficients if (one.model, one.metric) == (model, metric)]
        largest = max(of_rules, key=lambda one: one.value)
        if largest.low > 0:
            conclusion = "the answers follow the rule '{rule}' most, with log-odds of {largest:2}"
        else:
            conclusion = "no rule explains the answers; the largest log-odds are {largest:2} ('{rule}')"
        values = {"rule": largest.condition["rule"], "largest": largest}
        yield reporting.Statement(f"{{model}}, {{metric}}: {conclusion}.", values, metric, model)


def _paired_choices(
    config: Attribution, rows: pd.DataFrame, metric: str, first: str, second: str
) -> tuple[pd.Series, pd.Series, pd.Series]:
    """The choices under two perturbations of the same queries, and the concept pairs of the queries."""
    sides = [analysis.rows_of(rows, {"perturbation": name}) for name in (first, second)]
    a, b = (_choices(config, of_side, metric) for of_side in sides)
    queries = a.index.intersection(b.index)
    return a.loc[queries], b.loc[queries], sides[0].set_index("query_id")["pair"].loc[queries]


def _choices(config: Attribution, rows: pd.DataFrame, metric: str) -> pd.Series:
    """Whether each query's answer is the true name, the other name or neither, by query id."""
    says = partial(episodes.is_correct_open, rule=grading_rule(config) or "strict")
    return analysis.answer_choices(rows, None if metric == "candidate" else says)


def _table(caption: str, estimates: Sequence[Estimate], column: str, estimand: str, method: str) -> Table:
    rows = [
        {
            "model": estimate.model,
            "metric": estimate.metric,
            column: estimate.condition[column],
            "estimate": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "n": estimate.n,
            "clusters": estimate.clusters,
        }
        for estimate in estimates
    ]
    return reporting.Table.from_rows(caption, rows, across=column, estimand=estimand, method=method, in_order=True)


STUDY = Study("attribution", _design, _analyse, Attribution, __doc__ or "")

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
