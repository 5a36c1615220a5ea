"""Does link training harm what a model could do without any support?

Question   What happens to naming known concepts, and to answering questions about an image, after training?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Table 3 (ImageNet-100 zero-shot and VQAv2).
Design     The first model is the one before training; each other model is compared with it on the same questions.
           "No harm" is tested, not assumed: two one-sided tests against a margin. Tasks: naming without shots;
           mini-VQA on the embedded world (seven kinds of questions, and boxes); VQAv2 where its files are given,
           by its own accuracy.
Command    python -m lcl_lab.studies.zero_shot
Time       half a minute on two cores
Expect     `mix` answers as the base model does; the pure link strategies have forgotten how to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from lcl_lab import analysis, concepts, episodes, evaluation, figures, prompts, reporting
from lcl_lab.analysis.vqa_scoring import VQAVariant
from lcl_lab.config import MOST_QUERIES
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from lcl_lab.analysis import Comparison, Detectable, Equivalence
    from lcl_lab.concepts import ImageRef, World
    from lcl_lab.evaluation import Design, EvalItem
    from lcl_lab.reporting import Claim, Findings, Statement

__all__ = ["STUDY", "ZeroShot"]

NAMING, MINI_VQA, VQAV2 = "naming", "mini-VQA", "VQAv2"
_EQUIVALENCE = "two one-sided tests over concept pairs"
_VQA_ACCURACY = "VQA accuracy"
_METRIC = "open-ended"  # answers are graded as text; there are no candidates to choose from


class ZeroShot(EpisodeConfig):
    """The tasks, and the largest loss that counts as none."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "questions": 16, "model": ("mini/base", "mini/mix")},
        "paper": {"queries": 5000, "questions": 8000},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/mix", "mini/2-way", "mini/in-context"),
        min_length=1,
        max_length=8,
        description="models, named as in every study; the first is the one before training",
    )
    data: str = Field("isekai-mini", description="dataset whose concepts are named, as in every study")
    queries: int = Field(400, ge=1, le=MOST_QUERIES, description="queries of the naming task")
    questions: int = Field(800, ge=0, le=MOST_QUERIES, description="questions of mini-VQA")
    vqa_questions: Path | None = Field(None, description="questions file of VQAv2")
    vqa_annotations: Path | None = Field(None, description="annotations file of VQAv2")
    vqa_images: Path | None = Field(None, description="folder of COCO images")
    vqa_scoring: VQAVariant = Field(
        "official", description="VQAv2's accuracy by the organisers' script, or by that of lmms-eval"
    )
    margin: float = Field(0.02, gt=0, lt=1, description="change in accuracy below which there is no harm")
    loss_margin: float = Field(0.03, gt=0, lt=1, description="loss in mini-VQA that the paper's claim about mix allows")

    @model_validator(mode="after")
    def _all_of_vqa(self) -> ZeroShot:
        files = [self.vqa_questions, self.vqa_annotations, self.vqa_images]
        if any(files) and not all(files):
            raise ValueError("VQAv2 needs vqa_questions, vqa_annotations and vqa_images")
        return self


def _design(config: ZeroShot) -> Design:
    dataset, world = config.load_dataset(), concepts.world_100()

    def name(query: int) -> EvalItem:
        return evaluation.EvalItem.from_episode(episodes.draw_episode(dataset, config.seed, query, 0))

    conditions = [evaluation.Condition({"task": NAMING, "kind": config.data}, config.queries, name)]
    identity = {
        "queries": config.queries,
        "questions": config.questions,
        "data": concepts.dataset_identity(dataset),
        "world": world.fingerprint,
    }
    if config.questions:
        count = -(-config.questions // len(prompts.KINDS))
        for turn, kind in enumerate(prompts.KINDS):
            item = partial(_mini_vqa_item, world, config.seed, turn)
            conditions.append(evaluation.Condition({"task": MINI_VQA, "kind": kind}, count, item))
    vqa = None
    if config.vqa_questions and config.vqa_annotations and config.vqa_images:
        vqa = concepts.read_vqa(config.vqa_questions, config.vqa_annotations, config.vqa_images)
        item = partial(evaluation.vqa_item, vqa, config.seed, variant=config.vqa_scoring)
        conditions.append(evaluation.Condition({"task": VQAV2, "kind": vqa.subtype}, len(vqa.questions), item))
        identity |= {"vqa": vqa.fingerprint, "vqa_scoring": config.vqa_scoring}

    def image(ref: ImageRef) -> Image:
        if vqa and ref.data == "vqa":
            return vqa.image(ref)
        return (dataset if ref.data == dataset.name else world).image(ref)

    return evaluation.Design(conditions, image, identity)


def _mini_vqa_item(world: World, seed: int, turn: int, query: int) -> EvalItem:
    """The query-th question of the kind whose turn it is."""
    return evaluation.mini_vqa_item(world, seed, query * len(prompts.KINDS) + turn, query)


def _analyse(config: ZeroShot, records: pd.DataFrame) -> Findings:
    metric = {_METRIC: "score"}
    by_task = analysis.accuracy(records, ["model", "task"], config.seed, metric)
    by_kind = analysis.accuracy(records[records["task"] == MINI_VQA], ["model", "kind"], config.seed, metric)
    before, *after = comparisons.evaluated_models(records, config.model)
    changes = {
        (task, model): _change(config, records, task, before, model)
        for task in dict.fromkeys(records["task"])
        for model in after
    }
    title = "Without any support, before and after link training"
    caption = "Accuracy, with 95 % intervals over concept pairs (images in VQAv2)"
    published = analysis.published(table="Table 3")[["dataset", "method", "metric", "value"]]
    sections = [
        reporting.Section(
            "Accuracy by task",
            [_harm(config, records, comparison) for comparison in changes.values()],
            figures.dot_figure(by_task[by_task["model"].isin(config.model)], "task", title, guide=None),
            tables=[
                comparisons.accuracy_table(by_task, "task", caption),
                reporting.Table("Published, other data (Table 3)", published.rename(columns={"metric": "measure"})),
            ],
        )
    ]
    if len(by_kind):
        table = comparisons.accuracy_table(by_kind, "kind", "Accuracy by kind of question")
        sections.append(reporting.Section("Mini-VQA by kind", tables=[table]))
    return reporting.Findings(title, sections, list(_claims(config, before, changes)))


def _change(config: ZeroShot, records: pd.DataFrame, task: str, before: str, after: str) -> Comparison:
    """Scores of one model minus those of the model before training, on the same questions."""
    difference, clusters = _differences(records, task, before, after)
    low, high = analysis.difference_interval(difference, clusters)
    means = records[records["task"] == task].groupby("model")["score"].mean()
    return analysis.Comparison(
        value=float(difference.mean()),
        low=low,
        high=high,
        n=len(difference),
        clusters=clusters.nunique(),
        estimand="change in accuracy",
        metric=_METRIC,
        model=after,
        condition={"task": task},
        method="paired difference, sign-flip interval over concept pairs",
        a={"model": before},
        b={"model": after},
        value_a=float(means[before]),
        value_b=float(means[after]),
        gains=int((difference > 0).sum()),
        losses=int((difference < 0).sum()),
    )


def _differences(records: pd.DataFrame, task: str, before: str, after: str) -> tuple[pd.Series, pd.Series]:
    """The score differences, and the cluster of each question."""
    rows = records[records["task"] == task]
    wide = rows.pivot(index=["kind", "query_id", "pair"], columns="model", values="score")
    return wide[after] - wide[before], wide.index.to_frame()["pair"]


def _harm(config: ZeroShot, records: pd.DataFrame, change: Comparison) -> Statement:
    """Whether a model lost anything, by inclusion of an interval in the margin."""
    task, before, after = change.condition["task"], change.a["model"], change.b["model"]
    same = analysis.equivalence(*_differences(records, task, before, after), config.margin)
    template = "{task}: {model} against {model_before} {change} over {change.n} questions: "
    if same.is_equivalent:
        verdict, conclusion = "no harm", "no harm: within ±{margin} of it (90 % interval)."
    elif change.high < 0:
        verdict, conclusion = "worse", "it is worse."
    elif change.low > 0:
        verdict, conclusion = "better", "it is better."
    else:
        verdict, conclusion = "inconclusive", "whether it is within ±{margin} is inconclusive."
    if verdict == "inconclusive" and same.resolution > config.margin:
        conclusion += (
            " With {tested} {units}, harm to less than {resolution:.1%} of all cannot be excluded; "
            "at least {needed} are needed."
        )
    values = {
        "task": task,
        "model_before": before,
        "change": change,
        "margin": config.margin,
        "resolution": same.resolution,
        "units": "images" if task == VQAV2 else "concept pairs",
        "tested": same.clusters,
        "needed": analysis.clusters_needed(config.margin),
    }
    return reporting.Statement(
        template + conclusion,
        values,
        _METRIC,
        after,
        verdict,
        _undecided(change, same, str(values["units"])) if verdict == "inconclusive" else None,
        methods=[_EQUIVALENCE, *([_VQA_ACCURACY] if task == VQAV2 else [])],
    )


def _undecided(change: Comparison, same: Equivalence, units: str) -> Detectable:
    """The change that would have been detected, and what would show one, or that there is none."""
    return replace(analysis.detectable(change, units=units), needed=same.clusters_to_decide)


def _claims(config: ZeroShot, before: str, changes: dict[tuple[str, str], Comparison]) -> Iterator[Claim]:
    if before != "mini/base":
        return
    for task, claim, bounds in (
        (NAMING, "[mix] names more without shots than its base (0.05 to 0.16)", {"above": 0.0}),
        (
            MINI_VQA,
            f"[mix] answers questions nearly as its base (VQAv2 0.773 to 0.751; here: at most {config.loss_margin:g} "
            "less)",
            {"above": -config.loss_margin},
        ),
    ):
        if (task, "mini/mix") in changes:
            yield reporting.assess("Table 3", claim, f"{task}, change", changes[task, "mini/mix"], **bounds)


STUDY = Study("zero_shot", _design, _analyse, ZeroShot, __doc__ or "", reference=False)

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
