"""Can a model tell more than two look-alikes apart? Episodes with n concepts.

Question   How does accuracy fall as the support shows more concepts, and do answers still follow the labels?
Source     Vinyals et al., "Matching networks for one shot learning", arXiv 1606.04080; Tai et al., CVPR 2024 (arXiv
           2308.07891), section 3.1, whose episodes are 2-way.
Design     The same queries with supports of n concepts, each shown equally often: the pair, and the concepts that come
           closest to it. Guessing is right 1/n of the time, so accuracies are also corrected for chance. Under a second
           condition, all labels are false: names are exchanged by a cyclic shift or a random derangement.
Command    python -m lcl_lab.studies.n_way
Time       two minutes on two cores
Expect     the link-trained model stays far above chance although it was trained on two concepts, and its answers follow
           false labels for any number of ways; the base model is at chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from lcl_lab import analysis, episodes, evaluation, figures, reporting
from lcl_lab.config import no_repeats
from lcl_lab.episodes.perturb import FalseLabels
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Estimate
    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Findings, Section, Statement

__all__ = ["STUDY", "NWay"]

_CORRECTED = "accuracy corrected for chance, cluster bootstrap over concept pairs"
_CORRECTED_DIFFERENCE = "paired difference corrected for chance, sign-flip interval and test over concept pairs"
_LINK_SCORE = "paired difference cut to 0 and 1, sign-flip interval over concept pairs"
_CANDIDATE = analysis.METRICS["candidate"]


class NWay(EpisodeConfig):
    """Numbers of ways, and the number of shots of each concept."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "ways": (2, 3), "shots_per_concept": 2, "model": ("mini/base", "mini/2-way")},
        "paper": {"queries": 5000},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/2-way", "mini/2-way-random"),
        min_length=1,
        max_length=8,
        description="models, named as in every study",
    )
    ways: Annotated[
        tuple[Annotated[int, Field(ge=2, le=100)], ...], Field(min_length=2), AfterValidator(no_repeats)
    ] = Field((2, 3, 5), description="numbers of concepts in the support; the others are compared with the first one")
    shots_per_concept: int = Field(3, ge=1, description="support images of each concept")
    false_labels: FalseLabels = Field("shift", description="how names replace each other in false labels")


def _design(config: NWay) -> Design:
    dataset = config.load_dataset()
    for ways in config.ways:
        episodes.check_shots(dataset, ways * config.shots_per_concept, config.queries_per_support, ways)

    def draw(ways: int, ratio: float, query: int) -> Episode:
        shots = ways * config.shots_per_concept
        episode = episodes.draw_episode(dataset, config.seed, query, shots, config.queries_per_support, ways)
        return episodes.falsify(episode, ratio, config.false_labels)

    return evaluation.episode_design(
        dataset,
        config.queries,
        [
            (
                {"ways": ways, "shots": ways * config.shots_per_concept, "false_ratio": ratio},
                partial(draw, ways, ratio),
            )
            for ways in config.ways
            for ratio in (0.0, 1.0)
        ],
        config.queries_per_support,
        shots_per_concept=config.shots_per_concept,
        false_labels=config.false_labels,
    )


def _analyse(config: NWay, records: pd.DataFrame) -> Findings:
    estimates = analysis.accuracy(records, ["model", "ways", "false_ratio"], config.seed)
    true = estimates[estimates["false_ratio"] == 0.0]
    shown = true[true["model"].isin(config.model) & true["metric"].isin(analysis.MAIN_METRICS)]
    title = f"{config.shots_per_concept} shots of each of n concepts on {config.data}"
    chance = {float(ways): 1 / ways for ways in sorted(config.ways)}
    tables = [
        comparisons.accuracy_table(rows, "ways", f"Accuracy with all labels {labels}, by number of ways")
        for labels, rows in (("true", true), ("false", estimates[estimates["false_ratio"] == 1.0]))
    ]
    sections = [
        reporting.Section(
            "Accuracy by number of ways",
            list(_changes(config, records)),
            figures.line_figure(shown, "ways", "Ways (concepts in the support)", title, chance=chance),
            tables=tables,
        ),
        _corrected_section(config, true, records, title),
        reporting.Section("How far each model follows the labels", list(_link_scores(config, records))),
    ]
    return reporting.Findings(title, sections)


def _changes(config: NWay, records: pd.DataFrame) -> Iterator[Statement]:
    """The change in accuracy from the first number of ways to each other one."""
    first, *others = config.ways
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        values: dict[str, object] = {
            f"change_{ways}": comparisons.change(
                rows,
                metric,
                {"ways": first, "false_ratio": 0.0},
                {"ways": ways, "false_ratio": 0.0},
                model,
            )
            for ways in others
        }
        parts = (f"{{change_{n}.value_b:.3f}} at {n} ({{change_{n}:2}}, {{change_{n}:p}})" for n in others)
        template = f"{{model}}, {{metric}}: {{change_{others[0]}.value_a:.3f}} at {first} ways, {', '.join(parts)}."
        yield reporting.Statement(template, values, metric, model)


def _corrected_section(config: NWay, true: pd.DataFrame, records: pd.DataFrame, title: str) -> Section:
    """Candidate accuracies corrected for chance. Text that names none of the candidates has no chance level."""
    candidate = true[true["metric"] == "candidate"]
    if candidate.empty:
        return reporting.Section("Accuracy above chance")
    corrected = analysis.chance_corrected_accuracy(candidate)
    estimand = "chance-corrected accuracy"
    table = reporting.Table(
        "Candidate accuracy corrected for chance: (A − 1/n) / (1 − 1/n)",
        corrected,
        across="ways",
        estimand=estimand,
        method=_CORRECTED,
    )
    shown = corrected[corrected["model"].isin(config.model)]
    labelled = shown.assign(condition=[f"{ways} ways" for ways in shown["ways"]])
    figure = (
        figures.dot_figure(labelled, "condition", title, "Chance-corrected accuracy", domain=None, guide=0.0)
        if len(labelled)
        else None
    )
    statements = list(_corrected_changes(config, records))
    return reporting.Section("Accuracy above chance", statements, figure, "above_chance", [table])


def _corrected_changes(config: NWay, records: pd.DataFrame) -> Iterator[Statement]:
    first, *others = config.ways
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        if metric != "candidate":
            continue
        true = rows[rows["false_ratio"] == 0.0]
        values = {f"change_{ways}": _corrected_change(true, model, first, ways) for ways in others}
        parts = (f"{{change_{n}.value_b:.3f}} at {n} ({{change_{n}:2}}, {{change_{n}:p}})" for n in others)
        template = (
            f"{{model}}, {{metric}}, corrected for chance: {{change_{others[0]}.value_a:.3f}} at {first} ways, "
            f"{', '.join(parts)}."
        )
        yield reporting.Statement(template, values, metric, model)


def _corrected_change(rows: pd.DataFrame, model: str, first: int, ways: int) -> analysis.Comparison:
    a, b = {"ways": first}, {"ways": ways}
    difference = analysis.chance_corrected_difference(rows, _CANDIDATE, a, b, (first, ways))
    return analysis.Comparison.from_result(
        difference,
        estimand="change in chance-corrected accuracy",
        metric="candidate",
        model=model,
        method=_CORRECTED_DIFFERENCE,
        p_value=difference.p_value,
        a=a,
        b=b,
        value_a=difference.accuracy_a,
        value_b=difference.accuracy_b,
    )


def _link_scores(config: NWay, records: pd.DataFrame) -> Iterator[Statement]:
    """The link score at each number of ways: accuracy with all labels true minus that with all labels false."""
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        scores = {f"score_{ways}": _link_score(rows, metric, model, ways) for ways in config.ways}
        parts = ", ".join(f"{{score_{ways}:2}} at {ways} ways" for ways in config.ways)
        yield reporting.Statement(f"{{model}}, {{metric}}: link score {parts}.", scores, metric, model)


def _link_score(rows: pd.DataFrame, metric: str, model: str, ways: int) -> Estimate:
    score = analysis.link_score(rows[rows["ways"] == ways], analysis.METRICS[metric])
    return analysis.Estimate.from_result(
        score, estimand="link score", metric=metric, model=model, condition={"ways": ways}, method=_LINK_SCORE
    )


STUDY = Study("n_way", _design, _analyse, NWay, __doc__ or "", in_all=False)

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
