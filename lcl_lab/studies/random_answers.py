"""What a study would report of models that guess: the form of its findings, before any model has answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lcl_lab import analysis, evaluation, models

if TYPE_CHECKING:
    from PIL.Image import Image

    from lcl_lab.concepts import ImageRef
    from lcl_lab.evaluation import Design
    from lcl_lab.prompts import Prompt
    from lcl_lab.reporting import Findings
    from lcl_lab.studies.study import Study
    from lcl_lab.studies.study_config import StudyConfig

__all__ = ["findings_of_random_answers"]

_SIMULATED = 40  # queries of each condition that the analysis is tried on


@dataclass(frozen=True)
class _Guesses:
    """Answers every prompt with one of its candidates, drawn at random, without looking at it."""

    name: str
    seed: int
    fingerprint: str = "guesses"
    device: str = "none"

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[models.Answer]:
        rng = analysis.cell_rng(self.seed, (self.name, "guesses"))
        for prompt in prompts:
            logliks = tuple(models.Loglik(float(-rng.random()), 1) for _ in prompt.candidates)
            text = prompt.candidates[int(rng.integers(len(prompt.candidates)))] if prompt.candidates else ""
            yield models.Answer(text, logliks, 0.0)


def findings_of_random_answers(
    study: Study[Any], config: StudyConfig, design: Design, names: Sequence[str]
) -> Findings:
    """The findings of a study whose answers are drawn at random.

    Args:
        study: the study.
        config: its options.
        design: its design, of which only some queries are used.
        names: the models, as in records.
    """
    conditions = [
        evaluation.Condition(one.values, min(one.queries, _SIMULATED), one.item, one.models)
        for one in design.conditions
    ]
    guessing = [_Guesses(name, config.seed) for name in names]
    small = evaluation.Design(conditions, design.image, design.identity, design.queries_per_support)
    records = evaluation.evaluate(guessing, small, study=study.name, progress=False)
    return study.findings(config, records)
