"""Which attention heads carry the link, where is it built and read, and does it vanish without them?

Question   Which heads does a model need to follow the labels of a support, and what do they do?
Source     Olsson et al., "In-context learning and induction heads", arXiv 2209.11895; Todd et al., "Function vectors in
           large language models", arXiv 2310.15213; Meng et al., "Locating and editing factual associations in GPT",
           arXiv 2202.05262.
Design     Every head alone is replaced by its mean output, and its attention from the end of the prompt to the labels
           is measured. Activations of the intact prompt are patched into the prompt with all labels false: of each head
           at the last token, and of the residual stream after each layer at the images, the labels and the query. The
           heads with the largest effect on half of the concept pairs are then removed together on the other half,
           one more at a time, and compared with the removal of as many random heads.
Command    python -m lcl_lab.studies.circuits
Time       three minutes on two cores
Expect     few heads carry the link of a link-trained model: without them its accuracy on other pairs is at chance,
           while as many random heads change little; the base model has none.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lcl_lab import concepts, episodes, evaluation, models
from lcl_lab.errors import UserError
from lcl_lab.source_code import source_digest
from lcl_lab.studies.circuit_columns import ATTENTION, snapshots
from lcl_lab.studies.circuit_design import CircuitDesign
from lcl_lab.studies.circuit_findings import analyse
from lcl_lab.studies.study import Study
from lcl_lab.studies.study_config import EpisodeConfig

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.evaluation import Design

__all__ = ["STUDY", "Circuits"]


class Circuits(EpisodeConfig):
    """Shots, and how heads are removed."""

    PRESETS = {
        "default": {},
        "tiny": {"queries": 12, "draws": 1, "model": ("mini/2-way",)},
        "paper": {"queries": 1000},
    }

    model: tuple[str, ...] = Field(
        ("mini/base", "mini/mix", "mini/2-way"),
        min_length=1,
        max_length=8,
        description="models, named as in every study",
    )
    training: Path | None = Field(
        None,
        description="folder of a training with snapshots, which are evaluated in addition (train --snapshot-every)",
    )
    queries: int = Field(100, ge=4, le=100_000, description="queries; half of the concept pairs are for the discovery")
    shots: int = Field(4, ge=2, description="support images in total, half of each concept")
    ablation: Literal["mean", "zero"] = Field("mean", description="what the output of a removed head is replaced by")
    draws: int = Field(3, ge=1, le=50, description="random sets of heads that as many top heads are compared with")

    @property
    def models(self) -> tuple[str, ...]:
        """The models, and the snapshots of the training."""
        return (*self.model, *map(str, snapshots(self.training)))


def _design(config: Circuits) -> Design:
    if config.training is not None and not snapshots(config.training):
        reason = "has no snapshots; train with --snapshot-every, and give the folder of its --out"
        raise UserError(reason, option="training", value=config.training)
    if config.protocol != "lcl":
        raise UserError("must be lcl, since further episodes are drawn", option="protocol", value=config.protocol)
    if config.calibrate:
        raise UserError("margins of one model are compared, which calibration does not change", option="calibrate")
    dataset = config.load_dataset()
    if len(dataset.pairs) < 4:
        reason = f"{dataset.name} has {len(dataset.pairs)} pairs; at least 4 are needed, half of them for the discovery"
        raise UserError(reason, option="data", value=config.data)
    episodes.check_shots(dataset, config.shots, config.queries_per_support)
    draw = partial(
        episodes.draw_episode, dataset, config.seed, shots=config.shots, queries_per_support=config.queries_per_support
    )
    designs = [
        CircuitDesign(
            model,
            models.find_checkpoint(config.source(model), base_url=config.base_url, settings=config.model_settings),
            dataset,
            draw,
            config.queries,
            config.queries_per_support,
            config.seed,
            config.ablation == "mean",
            config.draws,
        )
        for model in config.models
    ]
    first = evaluation.Design(
        conditions=[condition for design in designs for condition in design.discovery()],
        image=dataset.image,
        identity={
            "shots": config.shots,
            "queries": config.queries,
            "queries_per_support": config.queries_per_support,
            "data": concepts.dataset_identity(dataset),
            "ablation": config.ablation,
            "draws": config.draws,
            "confirmation": source_digest("studies/circuit_design.py"),  # which the records of the first stage decide
        },
        queries_per_support=config.queries_per_support,
        example=draw(0),
    )

    def confirmation(records: pd.DataFrame) -> Design:
        conditions = [condition for design in designs for condition in design.confirmation(records)]
        return replace(first, conditions=conditions, following=None)

    return replace(first, following=confirmation)


STUDY = Study(
    "circuits",
    _design,
    analyse,
    Circuits,
    __doc__ or "",
    reference=False,
    in_all=False,
    supports=("part", ATTENTION, ("image", "label", "true_label")),
)

if __name__ == "__main__":
    from lcl_lab.commands import study_program

    study_program(STUDY).main()
