from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL.Image import Image

import lcl_lab as lcl
from lcl_lab.concepts import ImageRef
from lcl_lab.models import Answer, Loglik
from lcl_lab.prompts import Prompt
from lcl_lab.store import read_info
from lcl_lab.studies import read_history


@dataclass
class Reader:
    """A model whose log-likelihoods depend on the brightness of some images of a prompt."""

    images: slice
    scores: bool = True
    name: str = "reader"
    fingerprint: str = "1"
    device: str = "cpu"
    prompts: int = 0

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        for prompt in prompts:
            self.prompts += 1
            brightness = sum(sum(image(ref).convert("L").tobytes()) for ref in prompt.images[self.images]) % 97
            logliks = (Loglik(-1.0 - brightness, 1), Loglik(-50.0, 1)) if self.scores else ()
            yield Answer(prompt.candidates[0], logliks, 0.0)


def blind_models(model: Reader, tmp_path: Path, shots: int = 4) -> tuple[str, ...]:
    result = lcl.run_study("false_ratio", model=model, shots=shots, queries=4, ratios=(0, 1), results=tmp_path)
    history = read_history(result.path)
    provenance = read_info(result.path).provenance
    assert provenance and provenance.blind_models == history.blind
    warned = [section.heading for section in result.findings.sections if "does not see" in section.heading]
    assert bool(warned) == bool(history.blind)
    return history.blind


@pytest.mark.parametrize(
    ("images", "is_blind"), [(slice(None), False), (slice(1), False), (slice(-2, -1), False), (slice(-1, None), True)]
)
def test_a_model_that_drops_all_images_but_the_last_is_reported(images: slice, is_blind: bool, tmp_path: Path) -> None:
    assert blind_models(Reader(images), tmp_path) == (("reader",) if is_blind else ())


def test_a_model_without_log_likelihoods_is_not_judged_and_answers_one_prompt_more(tmp_path: Path) -> None:
    model = Reader(slice(-1, None), scores=False)
    assert blind_models(model, tmp_path) == ()
    assert model.prompts == 8 + 1


def test_references_of_which_it_is_known_are_not_reported(tmp_path: Path) -> None:
    result = lcl.run_study("false_ratio", model="heuristic/last", shots=4, queries=4, ratios=(0, 1), results=tmp_path)
    assert read_history(result.path).blind == ()


def test_prompts_without_support_are_not_judged(tmp_path: Path) -> None:
    result = lcl.run_study("zero_shot", preset="tiny", model="mini/base", queries=4, questions=8, results=tmp_path)
    assert read_history(result.path).blind == ()
