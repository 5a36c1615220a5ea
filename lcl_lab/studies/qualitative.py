"""What do models say? Episodes with their images and the answers of several models, chosen by rule.

Question   What does it look like when a model follows the link, and when not?
Source     Tai et al., CVPR 2024 (arXiv 2308.07891), Figures 1 and 5.
Design     All models answer the same episodes. Episodes are grouped by which models are right (open-ended);
           of each group, largest first, the first ones by number are shown. Nothing is picked by hand.
Command    python -m lcl_lab.studies.qualitative
Time       half a minute on two cores
Expect     most episodes are named by the link-trained models alone; the in-context model says the usual name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lcl_lab.cli import run_program
from lcl_lab.studies._options import EpisodeConfig
from lcl_lab.studies._study import Presets, Study

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

    from lcl_lab.studies._findings import Findings
    from lcl_lab.studies._plan import Plan

__all__ = ["STUDY", "Qualitative"]

_GROUPS = 4  # that are shown


class Qualitative(EpisodeConfig):
    """What is asked, and how much of it is shown."""

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/in-context", "mini/2-way", "mini/mix"),
        min_length=1,
        max_length=8,
        description="names as in every study",
    )
    data: str = Field("isekai-mini", description="as in every study")
    queries: int = Field(80, ge=1, description="episodes to choose from")
    shots: int = Field(4, ge=0, description="support images in all, half of each concept")
    examples: int = Field(2, ge=1, description="episodes shown of each group")


PRESETS: Presets = {
    "default": {},
    "tiny": {"queries": 24, "model": ("mini/base", "mini/2-way"), "examples": 1},
    "paper": {"queries": 400, "shots": 8},
}


def _plan(config: Qualitative) -> Plan:
    from dataclasses import replace

    from lcl_lab.concepts import load_dataset
    from lcl_lab.episodes import check_shots, draw_episode
    from lcl_lab.studies._plan import of_episodes

    concepts = load_dataset(config.data)
    check_shots(concepts, config.shots, config.queries_per_support)
    draw = partial(
        draw_episode, concepts, config.seed, shots=config.shots, queries_per_support=config.queries_per_support
    )
    conditions = [({"shots": config.shots}, draw)]
    plan = of_episodes(concepts, config.queries, conditions, config.queries_per_support, shots=config.shots)
    return replace(plan, show=None)  # the findings are pictures of episodes themselves


def _find(config: Qualitative, records: pd.DataFrame) -> Findings:
    from lcl_lab.studies._compare import asked_models
    from lcl_lab.studies._findings import Findings, Section, Table

    models = asked_models(records, config.model)
    right = records.pivot(index="query_id", columns="model", values="correct_open")[models]
    answers = records.pivot(index="query_id", columns="model", values="answer")[models]
    names = records.drop_duplicates("query_id").set_index("query_id")[["true_name", "other_name"]]
    groups: Mapping[Any, pd.Index] = right.groupby(right.apply(tuple, axis=1), sort=False).groups
    largest = sorted(groups.items(), key=lambda item: -len(item[1]))[:_GROUPS]
    sections = []
    for number, (pattern, queries) in enumerate(largest, start=1):
        who = [model for model, is_right in zip(models, pattern, strict=True) if is_right]
        heading = f"Right: {', '.join(who) or 'none'} ({len(queries)} of {len(right)} episodes)"
        chosen = [int(query) for query in sorted(queries)[: config.examples]]
        rows = answers.loc[chosen].join(names).reset_index().rename(columns={"query_id": "query"})
        rows = rows[["query", "true_name", "other_name", *models]].replace("", "(nothing)")
        table = Table("What each model said", rows)
        sections.append(Section(heading, [], _picture(config, records, models, chosen), f"dialogues-{number}", [table]))
    return Findings(f"What models say at {config.shots} shots on {config.data}", sections)


def _picture(config: Qualitative, records: pd.DataFrame, models: list[str], queries: list[int]) -> Image:
    """The episodes under one another, each with the answers of all models."""
    from lcl_lab.concepts import load_dataset
    from lcl_lab.episodes import draw_episode, episode_image, stacked

    concepts = load_dataset(config.data)
    columns = records[["query_id", "model", "answer", "correct_open"]].to_numpy().tolist()
    said = {(query, model): (model, answer, right) for query, model, answer, right in columns}
    strips = []
    for query in queries:
        episode = draw_episode(concepts, config.seed, query, config.shots, config.queries_per_support)
        answers = [said[query, model] for model in models]
        strips.append(episode_image(episode, concepts.image, answers=answers))
    return stacked(strips)


STUDY = Study("qualitative", __doc__ or "", Qualitative, PRESETS, _plan, _find, reference=False)

if __name__ == "__main__":
    run_program(STUDY.main)
