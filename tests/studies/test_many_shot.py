"""Many shots: the numbers that are tried, the step that still helps, and what a shot costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL.Image import Image

import lcl_lab as lcl
from lcl_lab import episodes, evaluation, models
from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.models import Answer, Loglik
from lcl_lab.prompts import Prompt
from lcl_lab.studies import find_study

STUDY = find_study("many_shot")


class Saturating:
    """Links from 8 shots on; with fewer it gives the wrong name. Each shot is 10 tokens and takes half a second."""

    name, fingerprint, device = "saturating", "1", "cpu"

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        for prompt in prompts:
            shots = len(prompt.images) - 1
            true, other = prompt.candidates
            right = shots >= 8
            logliks = Loglik(-1.0 if right else -2.0, 1), Loglik(-2.0 if right else -1.0, 1)
            yield Answer(true if right else other, logliks, 0.5 * shots, prompt_tokens=7 + 10 * shots)


@pytest.fixture(scope="module")
def saturating(tmp_path_factory: pytest.TempPathFactory) -> lcl.StudyResult:
    results = tmp_path_factory.mktemp("results")
    return lcl.run_study("many_shot", model=Saturating(), shots=(2, 4, 8, 16), queries=20, results=results)


def test_the_last_step_that_helps_is_that_of_a_model_that_saturates(saturating: lcl.StudyResult) -> None:
    for metric in ("candidate", "open-ended"):
        section = next(one for one in saturating.findings.sections if one.heading == "Which step still helps")
        (statement,) = (one for one in section.statements if one.metric == metric)
        assert "the last of 3 steps that still helps is from 4 to 8 shots, +1.000" in statement.text
    steps = saturating.estimates[saturating.estimates["estimand"] == "change in accuracy per step"]
    values = steps[steps["metric"] == "candidate"].drop_duplicates("step").set_index("step")["estimate"]
    assert values.to_dict() == {"2 to 4": 0.0, "4 to 8": 1.0, "8 to 16": 0.0}


def test_the_cost_of_a_shot_is_what_the_model_takes(saturating: lcl.StudyResult) -> None:
    section = next(one for one in saturating.findings.sections if one.heading == "What a shot costs")
    (statement,) = section.statements
    assert statement.values == pytest.approx({"seconds": 0.5, "tokens": 10.0})
    table = section.tables[0].frame
    assert table["images"].tolist() == [3, 5, 9, 17]
    assert table["tokens"].tolist() == [27, 47, 87, 167]


def test_a_support_begins_with_the_shorter_ones(saturating: lcl.StudyResult) -> None:
    rows = saturating.records[saturating.records["model"] == "saturating"]
    for _, query in rows.sort_values("shots").groupby("query_id"):
        images = [[example["image"] for example in support] for support in query["support"]]
        assert all(longer[: len(shorter)] == shorter for shorter, longer in pairwise(images))
        assert list(map(len, images)) == [2, 4, 8, 16]


def test_the_default_numbers_are_all_that_images_and_context_hold() -> None:
    config = STUDY.config.create(model="mini/2-way", queries=4)
    numbers = STUDY.design(config).identity["shots"]
    assert list(numbers) == [2**power for power in range(1, len(numbers) + 1)]
    dataset, more = config.load_dataset(), 2 * numbers[-1]
    with pytest.raises(UserError):  # the next one is refused, for its images or its tokens
        prompt = evaluation.EvalItem.from_episode(episodes.draw_episode(dataset, 0, 0, more)).prompt
        models.check_requirements(models.find_checkpoint("mini/2-way"), "auto", prompt, dataset.image)


def test_a_model_without_a_context_has_the_numbers_that_images_hold() -> None:
    config = STUDY.config.create(model="heuristic/link", queries=4)
    last = STUDY.design(config).identity["shots"][-1]
    assert last <= episodes.most_shots(config.load_dataset()) < 2 * last


def test_the_numbers_are_stored_with_the_options(tmp_path: Path) -> None:
    config = STUDY.config.create(model="other=mini/2-way", queries=4)
    names = {"other=mini/2-way": "other"}
    assert config.renamed(names).shots == STUDY.design(config).identity["shots"]


@pytest.mark.parametrize("data", ["world-100", "isekai-mini"])
def test_most_shots_is_the_largest_number_that_is_accepted(data: str) -> None:
    dataset = lcl.load_dataset(data)
    most = episodes.most_shots(dataset)
    episodes.check_shots(dataset, most)
    with pytest.raises(UserError, match=f"enough for {most} shots"):
        episodes.check_shots(dataset, most + 2)


def test_one_number_is_no_comparison() -> None:
    with pytest.raises(UserError, match="shots 4: must have at least two numbers"):
        STUDY.design(STUDY.config.create(shots=(4,)))


def test_tokens_of_prompts_are_those_of_the_processor(tmp_path: Path) -> None:
    """Counted by the engine with shared prefixes, and by the processor for a prompt on its own."""
    records = lcl.run_study("many_shot", preset="tiny", model="mini/2-way", results=tmp_path).records
    model = lcl.load_model("mini/2-way")
    world = lcl.load_dataset("world-100")
    rows = records[(records["model"] == "mini/2-way") & (records["query_id"] < 3)]
    assert len(rows) == 9
    for row in rows.itertuples():
        prompt = evaluation.EvalItem.from_episode(episodes.draw_episode(world, 0, row.query_id, row.shots)).prompt
        ids = model.processor(text=[model.encoder.render(prompt)], images=[world.image(ref) for ref in prompt.images])[
            "input_ids"
        ]
        assert row.prompt_tokens == len(np.asarray(ids).ravel())
    assert records[records["model"] == models.PROTOTYPE]["prompt_tokens"].isna().all()
