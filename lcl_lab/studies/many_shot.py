"""How far do more shots help? Supports up to what a model's context and a dataset's images hold.

Question   Up to which number of shots does accuracy still rise, and what does a shot cost?
Source     Agarwal et al., "Many-shot in-context learning", arXiv 2404.11018; the paper stops at 16 shots.
Design     The first k shots of a support are its k-shot support, and the same queries are evaluated at every number of
           shots, which doubles from step to step. By default up to the largest power of two that the dataset has images
           for and that the context of every model holds. Steps are paired differences, with simultaneous intervals.
Command    python -m lcl_lab.studies.many_shot
Time       a few minutes on two cores
Expect     the link-trained models gain little beyond the 16 shots of their training, at a cost that grows with each
           shot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, Field

from lcl_lab import analysis, episodes, evaluation, figures, models, reporting
from lcl_lab.config import no_repeats
from lcl_lab.errors import UserError
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import Estimate
    from lcl_lab.concepts import Dataset
    from lcl_lab.episodes import Episode
    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Findings, Section, Statement, Table

__all__ = ["STUDY", "ManyShot"]

_LEAST = 2
_MEASURED = 20  # queries whose prompts are measured against the context of a model
_STEPS = "sign-flip intervals over concept pairs, simultaneous for all steps"


class ManyShot(EpisodeConfig):
    """Numbers of shots."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "shots": (2, 4, 8)},
        "paper": {"queries": 5000},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/2-way", "mini/2-way-random"),
        min_length=1,
        max_length=8,
        description="models, named as in every study",
    )
    shots: Annotated[tuple[int, ...], AfterValidator(no_repeats)] = Field(
        (),
        description="support images in total, half of each concept, in the order of the steps; default: 2, 4, 8 and so "
        "on up to what images and contexts hold",
    )

    def renamed(self, names: Mapping[str, str]) -> Self:
        """A copy with the names that records have, and with the numbers of shots that the models before it hold."""
        return super().renamed(names).model_copy(update={"shots": _shots(self, self.load_dataset())})


def _design(config: ManyShot) -> Design:
    dataset = config.load_dataset()
    shots = _shots(config, dataset)
    for number in shots:
        episodes.check_shots(dataset, number, config.queries_per_support)
    if len(shots) < 2:
        raise UserError("must have at least two numbers to compare, such as 2 4", option="shots", value=shots)
    return evaluation.episode_design(
        dataset,
        config.queries,
        [({"shots": number}, partial(_draw, config, dataset, number)) for number in shots],
        config.queries_per_support,
        shots=shots,
    )


def _draw(config: ManyShot, dataset: Dataset, shots: int, query: int) -> Episode:
    return episodes.draw_episode(dataset, config.seed, query, shots, config.queries_per_support)


def _shots(config: ManyShot, dataset: Dataset) -> tuple[int, ...]:
    """The numbers of shots of the options, or all powers of two that images and contexts hold."""
    if config.shots:
        return config.shots
    checkpoints = [
        models.find_checkpoint(name, base_url=config.base_url, settings=config.model_settings) for name in config.model
    ]
    limited = list(filter(models.needs_preflight, checkpoints))
    image = episodes.with_replacements(dataset.image)
    shots: list[int] = []
    number = _LEAST
    while number <= episodes.most_shots(dataset, config.queries_per_support):
        drawn = (_draw(config, dataset, number, query) for query in range(min(_MEASURED, config.queries)))
        longest = max(
            (evaluation.EvalItem.from_episode(one).prompt for one in drawn), key=lambda prompt: len(prompt.text)
        )
        if not all(models.fits_context(checkpoint, longest, image) for checkpoint in limited):
            break
        shots.append(number)
        number *= 2
    return tuple(shots)


def _analyse(config: ManyShot, records: pd.DataFrame) -> Findings:
    estimates = analysis.accuracy(records, ["model", "shots"], config.seed)
    main = estimates[estimates["metric"].isin(analysis.MAIN_METRICS) & estimates["model"].isin(config.model)]
    title = f"Many shots on {config.data}"
    caption = "Accuracy, with 95 % intervals over concept pairs"
    steps = list(_all_steps(config, records))
    return reporting.Findings(
        title,
        [
            reporting.Section(
                "Which step still helps",
                [_last_gain(of_model) for of_model in steps],
                figures.line_figure(main, "shots", "Shots (images in the support)", title),
                tables=[
                    comparisons.accuracy_table(estimates, "shots", caption),
                    *([_step_table(steps)] if steps else []),
                ],
            ),
            _costs(config, records),
        ],
    )


def _all_steps(config: ManyShot, records: pd.DataFrame) -> Iterator[list[Estimate]]:
    """The changes from each number of shots to the next one, of every model and metric."""
    for model, metric, rows in comparisons.per_model_and_metric(records, config.model):
        wide = rows.pivot(index=["query_id", "pair"], columns="shots", values=analysis.METRICS[metric])
        shots = [number for number in config.shots or sorted(rows["shots"].unique()) if number in wide]
        pairs = wide.index.get_level_values("pair").to_numpy()
        if len(shots) < 2 or len(set(pairs)) < 2:
            continue
        changes = analysis.step_changes(
            wide[shots].astype(float), pairs, analysis.cell_rng(config.seed, (model, metric, "steps"))
        )
        yield [
            analysis.Estimate(
                value=value,
                low=low,
                high=high,
                n=len(wide),
                clusters=len(set(pairs)),
                estimand="change in accuracy per step",
                metric=metric,
                model=model,
                condition={"step": f"{before} to {after}"},
                method=_STEPS,
                signed=True,
            )
            for (value, low, high), (before, after) in zip(changes.to_numpy().tolist(), pairwise(shots), strict=True)
        ]


def _last_gain(steps: list[Estimate]) -> Statement:
    """The last step whose whole interval is above 0."""
    gains = [step for step in steps if step.low > 0]
    values: dict[str, object] = {"steps": len(steps)}
    template = "{model}, {metric}: none of the steps ({steps}) is a clear gain: no simultaneous interval lies above 0."
    if gains:
        last = gains[-1]
        values |= {"step": last, "helps": last.condition["step"]}
        template = "{model}, {metric}: the last of {steps} steps that still helps is from {helps} shots, {step}"
    losses = [step for step in steps if step.high < 0]
    if losses:
        first = losses[0]
        values |= {"loss": first, "worse": first.condition["step"]}
        template = template.removesuffix(".") + "; from {worse} shots accuracy falls, {loss}"
    return reporting.Statement(template.removesuffix(".") + ".", values, steps[0].metric, steps[0].model)


def _step_table(steps: list[list[Estimate]]) -> Table:
    rows = [
        {
            "model": step.model,
            "metric": step.metric,
            "step": step.condition["step"],
            "estimate": step.value,
            "low": step.low,
            "high": step.high,
            "n": step.n,
            "clusters": step.clusters,
        }
        for of_model in steps
        for step in of_model
    ]
    return reporting.Table.from_rows(
        "Change in accuracy from step to step, with 95 % intervals that hold for all steps of a model simultaneously",
        rows,
        across="step",
        estimand="change in accuracy per step",
        method=_STEPS,
        signed=True,
        in_order=True,
    )


def _costs(config: ManyShot, records: pd.DataFrame) -> Section:
    """Images and tokens of a prompt at each number of shots, and what a shot costs in images, tokens and seconds."""
    rows, statements = [], []
    for model, of_model in comparisons.per_model(records, config.model):
        tokens = of_model.groupby("shots")["prompt_tokens"].mean().astype(float)
        rows += [
            {"model": model, "shots": shots, "images": shots + 1, "tokens": number}
            for shots, number in zip(tokens.index.tolist(), tokens.tolist(), strict=True)
        ]
        values = {"seconds": float(of_model["seconds"].sum() / of_model["shots"].sum())}
        template = "{model}: a shot is one image, and took {seconds:.2g} seconds on average."
        if tokens.notna().all():
            few, many = tokens.index[0], tokens.index[-1]
            values["tokens"] = float((tokens[many] - tokens[few]) / (many - few))
            template = (
                "{model}: a shot is one image of {tokens:.1f} tokens with its texts, and took {seconds:.2g} seconds."
            )
        statements.append(reporting.Statement(template, values, model=model))
    caption = (
        "Images and tokens of a prompt. Seconds of a shot are those of all answers divided by all shots; the supports "
        "of a query share their prefix, which is computed once"
    )
    return reporting.Section("What a shot costs", statements, tables=[reporting.Table.from_rows(caption, rows)])


STUDY = Study("many_shot", _design, _analyse, ManyShot, __doc__ or "", in_all=False)

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
