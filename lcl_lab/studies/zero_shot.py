"""Does link training harm what a model could do without any support?

Question   What becomes of naming known things, and of answering questions about an image, after training?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Table 3 (ImageNet-100 zero-shot and VQAv2).
Design     The first model is the one from before; every other is compared with it on the same questions.
           "Not worse" is tested, not assumed: two one-sided tests against a margin. Tasks: naming without
           shots; mini-VQA on the embedded world (seven kinds of questions, and boxes); VQAv2 where its files
           are given, by its own accuracy.
Command    python -m lcl_lab.studies.zero_shot
Time       half a minute on two cores
Expect     `mix` answers as the base model does; the pure link strategies have forgotten how to.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from lcl_lab.cli import run_program
from lcl_lab.studies._options import EpisodeConfig
from lcl_lab.studies._study import Presets, Study

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from lcl_lab.concepts.vqav2 import VQA
    from lcl_lab.concepts.world import World
    from lcl_lab.studies._findings import Claim, Findings
    from lcl_lab.studies._plan import Asked, Plan

__all__ = ["STUDY", "ZeroShot"]

NAMING, MINI_VQA, VQAV2 = "naming", "mini-VQA", "VQAv2"
_WORLD, _IMAGES = "world-100", 64  # what mini-VQA asks about
_SHORT = "Answer the question using a single word or phrase."


class ZeroShot(EpisodeConfig):
    """The tasks, and how large a loss is none."""

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/mix", "mini/2-way", "mini/in-context"),
        min_length=1,
        max_length=8,
        description="the first is the model from before training; names as in every study",
    )
    data: str = Field("isekai-mini", description="what is named: as in every study")
    queries: int = Field(400, ge=1, description="things named")
    questions: int = Field(800, ge=0, description="of mini-VQA")
    vqa_questions: Path | None = Field(None, description="VQAv2's questions file")
    vqa_annotations: Path | None = Field(None, description="VQAv2's annotations file")
    vqa_images: Path | None = Field(None, description="folder of COCO's images")
    margin: float = Field(0.02, gt=0, lt=1, description="of accuracy: a change that is surely smaller is none")

    @model_validator(mode="after")
    def _all_of_vqa(self) -> ZeroShot:
        given = [self.vqa_questions, self.vqa_annotations, self.vqa_images]
        if any(given) and not all(given):
            raise ValueError("VQAv2 needs --vqa-questions, --vqa-annotations and --vqa-images")
        return self


PRESETS: Presets = {
    "default": {},
    "tiny": {"queries": 12, "questions": 16, "model": ("mini/base", "mini/mix")},
    "paper": {"queries": 5000, "questions": 8000},
}


def _plan(config: ZeroShot) -> Plan:
    from lcl_lab.concepts import ImageRef, load_dataset
    from lcl_lab.concepts.vqav2 import read_vqa
    from lcl_lab.concepts.world import world_100
    from lcl_lab.episodes import draw_episode
    from lcl_lab.prompts import KINDS
    from lcl_lab.studies._plan import Asked, Condition, Plan

    concepts, world = load_dataset(config.data), world_100()

    def name(query: int) -> Asked:
        return Asked.of(draw_episode(concepts, config.seed, query, 0))

    conditions = [Condition({"task": NAMING, "kind": config.data}, config.queries, name)]
    identity = {
        "queries": config.queries,
        "questions": config.questions,
        "data": {"name": concepts.name, "fingerprint": concepts.fingerprint},
        "world": world.fingerprint,
    }
    if config.questions:
        each = -(-config.questions // len(KINDS))
        for turn, kind in enumerate(KINDS):
            ask = partial(_of_world, world, config.seed, turn)
            conditions.append(Condition({"task": MINI_VQA, "kind": kind}, each, ask))
    vqa = None
    if config.vqa_questions and config.vqa_annotations and config.vqa_images:
        vqa = read_vqa(config.vqa_questions, config.vqa_annotations, config.vqa_images)
        asked = partial(_of_vqa, vqa, config.seed)
        conditions.append(Condition({"task": VQAV2, "kind": vqa.subtype}, len(vqa.questions), asked))
        identity["vqa"] = vqa.fingerprint

    def image(ref: ImageRef) -> Image:
        if vqa and ref.data == "vqa":
            return vqa.image(ref)
        return (concepts if ref.data == concepts.name else world).image(ref)

    return Plan(conditions, image, identity)


def _of_world(world: World, seed: int, turn: int, query: int) -> Asked:
    """The query-th question of the kind whose turn it is."""
    from lcl_lab.prompts import KINDS, draw_question
    from lcl_lab.studies._plan import Asked

    number = query * len(KINDS) + turn
    question = draw_question(world, list(world.concepts), _IMAGES, seed, number)
    (image,) = question.prompt.images
    (pair,) = (str(pair) for pair in world.pairs if image.concept in pair)
    return Asked(
        prompt=question.prompt,
        grade=lambda answer: float(question.right(answer)),
        data=world.name,
        seed=seed,
        query_id=query,
        support_id=query,
        pair=pair,
        episode_id=f"{seed}-{number}",
        support=(),
        query=str(image),
        true_name=question.prompt.candidates[0],
        other_name="",
    )


def _of_vqa(vqa: VQA, seed: int, query: int) -> Asked:
    """The query-th question of VQAv2's file; questions about one image are a cluster."""
    from statistics import mode

    from lcl_lab.analysis import vqa_accuracy
    from lcl_lab.prompts import Prompt, Turn
    from lcl_lab.studies._plan import Asked

    question = vqa.questions[query]
    return Asked(
        prompt=Prompt((Turn("user", (question.image, f"{question.text}\n{_SHORT}")),), ()),
        grade=lambda answer: vqa_accuracy(answer, question.answers),
        data="VQAv2",
        seed=seed,
        query_id=query,
        support_id=query,
        pair=str(question.image),
        episode_id=str(question.id),
        support=(),
        query=str(question.image),
        true_name=mode(question.answers),
        other_name="",
    )


def _find(config: ZeroShot, records: pd.DataFrame) -> Findings:
    from lcl_lab.analysis import accuracy, published
    from lcl_lab.figures import dot_figure
    from lcl_lab.studies._compare import asked_models
    from lcl_lab.studies._findings import Findings, Section, Table, accuracy_table

    metric = {"open-ended": "score"}
    by_task = accuracy(records, ["model", "task"], config.seed, metric)
    by_kind = accuracy(records[records["task"] == MINI_VQA], ["model", "kind"], config.seed, metric)
    before, *after = asked_models(records, config.model)
    shown = by_task[by_task["model"].isin(config.model)]
    printed = published(table="Table 3")[["dataset", "method", "metric", "value"]]
    title = "Without any support, before and after link training"
    sections = [
        Section(
            "Accuracy by task",
            _changes(config, records, before, after),
            dot_figure(shown, "task", title, guide=None),
            tables=[
                accuracy_table(by_task, "task", "Accuracy, and its 95 % interval over concept pairs (images in VQAv2)"),
                Table("Published, other data (Table 3)", printed),
            ],
        )
    ]
    if len(by_kind):
        table = accuracy_table(by_kind, "kind", "Accuracy by kind of question")
        sections.append(Section("Mini-VQA by kind", [], tables=[table]))
    return Findings(title, sections, _claims(config, records, before, after))


def _changes(config: ZeroShot, records: pd.DataFrame, before: str, after: list[str]) -> list[str]:
    from lcl_lab.analysis import equivalence
    from lcl_lab.studies._findings import interval, told_p

    said = []
    for task in dict.fromkeys(records["task"]):
        for model in after:
            difference, clusters = _difference(records, task, before, model)
            found, low, high = _interval(config, difference, clusters, (task, model))
            same = equivalence(difference, clusters, config.margin)
            if same.p_value < 0.05:
                verdict = f"no harm: within ±{config.margin} of it, {told_p(same.p_value)}"
            elif high < 0:
                verdict = "it is worse"
            elif low > 0:
                verdict = "it is better"
            else:
                verdict = f"cannot tell whether within ±{config.margin}"
            said.append(
                f"{task}: **{model}** against **{before}** {interval(found, low, high, sign=True)} "
                f"over {len(difference)} questions: {verdict}."
            )
    return said


def _difference(records: pd.DataFrame, task: str, before: str, after: str) -> tuple[pd.Series, pd.Series]:
    """Scores of one model minus the other's on the same questions, and the questions' clusters."""
    own = records[records["task"] == task]
    wide = own.pivot(index=["kind", "query_id", "pair"], columns="model", values="score")
    return wide[after] - wide[before], wide.index.to_frame()["pair"]


def _interval(
    config: ZeroShot, difference: pd.Series, clusters: pd.Series, key: tuple[str, ...]
) -> tuple[float, float, float]:
    from lcl_lab.analysis import cell_rng, difference_interval

    low, high = difference_interval(difference.to_numpy(), clusters.to_numpy(), cell_rng(config.seed, key))
    return float(difference.mean()), low, high


def _claims(config: ZeroShot, records: pd.DataFrame, before: str, after: list[str]) -> list[Claim]:
    from lcl_lab.studies._findings import claim

    if before != "mini/base" or "mini/mix" not in after:
        return []
    claims = []
    for task, told, bounds in (
        (NAMING, "[mix] names more without shots than its base (0.05 to 0.16)", {"above": 0.0}),
        (MINI_VQA, "[mix] answers questions nearly as its base (VQAv2 0.773 to 0.751)", {"above": -0.03}),
    ):
        if (records["task"] == task).any():
            difference, clusters = _difference(records, task, before, "mini/mix")
            found = _interval(config, difference, clusters, (task, "mini/mix"))
            claims.append(claim("Table 3", told, f"{task}, change", found, sign=True, **bounds))
    return claims


STUDY = Study("zero_shot", __doc__ or "", ZeroShot, PRESETS, _plan, _find, reference=False)

if __name__ == "__main__":
    run_program(STUDY.main)
