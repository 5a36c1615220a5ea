"""What do models say? Episodes with their images and the answers of several models, chosen by rule.

Question   What does it look like when a model follows the link, and when it does not?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Figures 1 and 5.
Design     All models answer the same episodes. Episodes are grouped by which models are right (open-ended);
           the first episodes of each of the four largest groups are shown. Nothing is picked by hand.
Command    python -m lcl_lab.studies.qualitative
Time       half a minute on two cores
Expect     most episodes are named by the link-trained models alone; the in-context model says the usual name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lcl_lab import episodes, evaluation, reporting
from lcl_lab.config import MOST_QUERIES
from lcl_lab.studies import comparisons
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from lcl_lab.evaluation import Design
    from lcl_lab.reporting import Findings, Section

__all__ = ["STUDY", "Qualitative"]

_GROUPS = 4  # that are shown
_METRIC = "open-ended"


class Qualitative(EpisodeConfig):
    """The episodes, and how many of them are shown."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 24, "model": ("mini/base", "mini/2-way"), "examples": 1},
        "paper": {"queries": 400, "shots": 8},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/in-context", "mini/2-way", "mini/mix"),
        min_length=1,
        max_length=8,
        description="models, named as in every study",
    )
    data: str = Field("isekai-mini", description="dataset, as in every study")
    queries: int = Field(80, ge=1, le=MOST_QUERIES, description="episodes to choose from")
    shots: int = Field(4, ge=0, description="support images in total, half of each concept")
    examples: int = Field(2, ge=1, le=1000, description="episodes shown of each group")


def _design(config: Qualitative) -> Design:
    dataset = config.load_dataset()
    episodes.check_shots(dataset, config.shots, config.queries_per_support)
    draw = partial(
        episodes.draw_episode,
        dataset,
        config.seed,
        shots=config.shots,
        queries_per_support=config.queries_per_support,
    )
    design = evaluation.episode_design(
        dataset, config.queries, [({"shots": config.shots}, draw)], config.queries_per_support, shots=config.shots
    )
    return replace(design, example=None)  # the findings are pictures of episodes already


def _analyse(config: Qualitative, records: pd.DataFrame) -> Findings:
    evaluated = comparisons.evaluated_models(records, config.model)
    correct = records.pivot(index="query_id", columns="model", values="correct_open")[evaluated]
    answers = records.pivot(index="query_id", columns="model", values="answer")[evaluated]
    names = records.drop_duplicates("query_id").set_index("query_id")[["true_name", "other_name"]]
    patterns: Mapping[Any, pd.Index] = correct.groupby(correct.apply(tuple, axis=1), sort=False).groups
    groups = [
        (", ".join(model for model, is_right in zip(evaluated, pattern, strict=True) if is_right) or "none", queries)
        for pattern, queries in sorted(patterns.items(), key=lambda item: -len(item[1]))
    ]
    sections = [_overview(config, groups)]
    for number, (right, queries) in enumerate(groups[:_GROUPS], start=1):
        chosen = [int(query) for query in sorted(queries)[: config.examples]]
        rows = answers.loc[chosen].join(names).reset_index().rename(columns={"query_id": "query"})
        rows = rows[["query", "true_name", "other_name", *evaluated]].replace("", "(nothing)")
        sections.append(
            reporting.Section(
                f"Right: {right} ({len(queries)} of {len(correct)} episodes)",
                figure=_picture(config, records, evaluated, chosen),
                name=f"dialogues-{number}",
                tables=[reporting.Table("Answer of each model", rows, metric=_METRIC)],
            )
        )
    return reporting.Findings(f"What models say at {config.shots} shots on {config.data}", sections)


def _overview(config: Qualitative, groups: Sequence[tuple[str, pd.Index]]) -> Section:
    """All groups with their sizes, and which episodes are shown."""
    sizes = [len(queries) for _, queries in groups]
    shown = [min(config.examples, size) if number < _GROUPS else 0 for number, size in enumerate(sizes)]
    rows = [
        {"right": right, "episodes": size, "shown": count}
        for (right, _), size, count in zip(groups, sizes, shown, strict=True)
    ]
    template = (
        "{total} episodes are in {groups} groups by which models are right. The {largest} largest groups have {count} "
        "of them; of each of these, the first episodes are shown, {shown} in total."
    )
    values = {
        "total": sum(sizes),
        "groups": len(groups),
        "largest": len(groups[:_GROUPS]),
        "count": sum(sizes[:_GROUPS]),
        "shown": sum(shown),
    }
    table = reporting.Table.from_rows("Episodes by which models are right", rows, metric=_METRIC)
    return reporting.Section("Which models are right", [reporting.Statement(template, values, _METRIC)], tables=[table])


def _picture(config: Qualitative, records: pd.DataFrame, evaluated: list[str], queries: list[int]) -> Image:
    """The episodes below one another, each with the answers of all models."""
    dataset = config.load_dataset()
    columns = records[["query_id", "model", "answer", "correct_open"]].to_numpy().tolist()
    answers = {(query, model): (model, answer, correct) for query, model, answer, correct in columns}
    images = []
    for query in queries:
        episode = episodes.draw_episode(dataset, config.seed, query, config.shots, config.queries_per_support)
        lines = [answers[query, model] for model in evaluated]
        images.append(episodes.episode_image(episode, dataset.image, answers=lines))
    return episodes.stack_images(images)


STUDY = Study("qualitative", _design, _analyse, Qualitative, __doc__ or "", reference=False)

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
