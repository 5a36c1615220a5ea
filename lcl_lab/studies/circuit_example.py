"""Where one head attends in one episode, drawn over the images of its support."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lcl_lab import analysis, figures, reporting
from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.studies.circuit_columns import ATTENTION
from lcl_lab.studies.circuit_effects import METRIC, HeadEffects

if TYPE_CHECKING:
    from lcl_lab.concepts import Dataset
    from lcl_lab.reporting import Section
    from lcl_lab.studies.study_config import EpisodeConfig

__all__ = ["attention_example"]


def attention_example(config: EpisodeConfig, studied: Sequence[HeadEffects]) -> Iterator[Section]:
    """The attention of the head with the largest induction score of each model, on the same episode.

    Args:
        config: the options of the study.
        studied: the effects in each model.
    """
    shown = [model for model in studied if not model.follows_nothing]
    if not shown:
        return
    heading = "Attention in one episode"
    try:
        dataset = config.load_dataset()
    except UserError as error:  # of a run whose images were on another machine
        statement = reporting.Statement("Not drawn, since the images cannot be read: {reason}.", {"reason": str(error)})
        yield reporting.Section(heading, [statement], name="attention")
        return
    rows = [row for model in shown for row in _rows(dataset, model)]
    template = (
        "One query of the other pairs: how much of its attention a head spends on each label when the answer begins. "
        "The head has the largest induction score on the pairs on which heads are ranked. The query shows {true}."
    )
    figure = figures.attention_figure(
        reporting.Table.from_rows("", rows).frame, "Attention from the end of the prompt to the labels", METRIC
    )
    statement = reporting.Statement(template, {"true": rows[0]["true_name"]}, METRIC)
    yield reporting.Section(heading, [statement], figure, "attention")


def _rows(dataset: Dataset, model: HeadEffects) -> Iterator[dict[str, object]]:
    examples = analysis.rows_of(model.rows, {"part": ATTENTION})
    example = examples[examples["query_id"] == examples["query_id"].min()]  # records of several seeds have several
    for record in example.sort_values("position").to_dict("records"):
        shown = record["support"][int(record["position"]) - 1]
        data, concept, number = str(shown["image"]).rsplit(":", 2)
        yield {
            "panel": f"{model.name}, head {record['head']}",
            "position": int(record["position"]),
            "label": shown["label"],
            "own": "the query's concept" if shown["true_label"] == record["true_name"] else "the other concept",
            "attention": record["measurement"],
            "image": dataset.image(ImageRef(data, concept, int(number))),
            "true_name": record["true_name"],
        }
