"""Content-free queries next to the prompts of episodes, on a model whose likelihoods are known by construction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

import pandas as pd
import pytest
from PIL.Image import Image

import lcl_lab as lcl
from lcl_lab.analysis import CALIBRATED_METRICS, calibrated_choices
from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import blank_query, draw_episode
from lcl_lab.episodes.replaced_images import CONTENT_FREE
from lcl_lab.errors import UserError
from lcl_lab.evaluation import Condition, Design, EvalItem, episode_design, evaluate
from lcl_lab.evaluation.items import mini_vqa_item
from lcl_lab.models import Answer, Loglik
from lcl_lab.prompts import Prompt
from lcl_lab.reporting import Findings
from lcl_lab.store import same_records
from lcl_lab.studies.calibrated_section import with_calibrated_choices

WORLD = load_dataset("world-100")
COLUMNS = [f"loglik_{side}_{image}" for image in ("grey", "black", "white", "noise") for side in ("true", "other")]


def name_bias(name: str) -> float:
    """Between −4 and 4, and always the same."""
    return blake2b(name.encode(), digest_size=1).digest()[0] / 32 - 4


class Biased:
    """Follows the link, with a preference for some names and for the label shown last."""

    name, fingerprint, device = "biased", "1", "cpu"

    def __init__(self, names: float = 0.0, last: float = 0.0) -> None:
        self.names, self.last = names, last
        self.prompts: list[Prompt] = []

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        self.prompts += prompts
        for prompt in prompts:
            logliks = tuple(Loglik(self._loglik(prompt, name), 1) for name in prompt.candidates)
            yield Answer("", logliks, 0.0)

    def _loglik(self, prompt: Prompt, name: str) -> float:
        *support, query = prompt.images
        labels = [str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant"]
        linked = [label for ref, label in zip(support, labels, strict=True) if ref[:2] == query[:2]]
        return (name in linked) + self.names * name_bias(name) + self.last * (name == labels[-1]) - 10.0


def design(queries: int = 60) -> Design:
    def draw(shots: int, query: int) -> lcl.Episode:
        return draw_episode(WORLD, 0, query, shots)

    conditions = [({"shots": shots}, partial(draw, shots)) for shots in (2, 4)]
    return replace(episode_design(WORLD, queries, conditions), calibrate=True)


def accuracies(model: Biased) -> pd.Series:
    frame = calibrated_choices(evaluate([model], design(), progress=False), ["shots"])
    return frame[["correct_candidate", *CALIBRATED_METRICS.values()]].astype(float).mean()


def test_calibration_removes_the_bias_that_a_model_has() -> None:
    by_name = accuracies(Biased(names=1.0))
    assert by_name["correct_candidate"] < 0.8
    assert by_name["correct_candidate_pmi"] == by_name["correct_candidate_contextual"] == 1.0
    by_position = accuracies(Biased(last=3.0))
    assert by_position["correct_candidate"] == pytest.approx(0.5, abs=0.15)
    assert (by_position.drop("correct_candidate") == 1.0).all()
    assert (accuracies(Biased()) == 1.0).all()


def test_every_part_is_in_the_record() -> None:
    frame = evaluate([Biased(names=1.0)], design(5), progress=False)
    for row in frame.itertuples():
        for image in ("grey", "black", "white", "noise"):
            assert getattr(row, f"loglik_true_{image}") == name_bias(row.true_name) - 10.0
            assert getattr(row, f"loglik_other_{image}") == name_bias(row.other_name) - 10.0
        assert row.loglik_true == name_bias(row.true_name) - 9.0


def test_what_is_recorded_of_the_query_itself_does_not_change() -> None:
    plain, calibrated = (
        evaluate(["mini/2-way"], replace(design(6), calibrate=calibrate), progress=False) for calibrate in (False, True)
    )
    assert same_records(plain, calibrated.drop(columns=COLUMNS)) is None
    assert plain[COLUMNS].isna().all(axis=None)
    assert calibrated[COLUMNS].notna().all(axis=None)
    assert calibrated["loglik_true_grey"].nunique() > 1


def test_the_seconds_of_a_record_are_those_of_all_its_prompts() -> None:
    class Timed(Biased):
        def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
            for number, answer in enumerate(super().answer(prompts, image)):
                yield replace(answer, seconds=0.0 if number % 5 else 2.0)

    frame = evaluate([Timed()], design(3), progress=False)
    assert frame["seconds"].tolist() == [2.0] * 6


def test_the_support_is_the_same_and_the_query_is_replaced() -> None:
    model = Biased()
    evaluate([model], design(1), progress=False)
    *_, own = prompts = model.prompts[-5:]
    assert len({prompt.turns[:-1] for prompt in prompts}) == 1
    assert [prompt.images[-1].data for prompt in prompts[:-1]] == [f"{kind}world-100" for kind in CONTENT_FREE.values()]
    assert {prompt.images[-1][1:] for prompt in prompts} == {own.images[-1][1:]}
    assert len({prompt.candidates for prompt in prompts}) == 1


def test_a_query_that_is_already_replaced_is_replaced_again() -> None:
    item = EvalItem.from_episode(blank_query(draw_episode(WORLD, 0, 0, 2)))
    prompts = item.content_free_prompts()
    assert prompts["grey"] == item.prompt
    assert prompts["noise"].images[-1].data == "noise:world-100"


def test_questions_that_are_no_episodes_are_not_calibrated() -> None:
    items = Condition({"kind": "vqa"}, 2, lambda query: mini_vqa_item(lcl.concepts.world_100(), 0, query, query))
    frame = evaluate(["mini/base"], Design([items], WORLD.image, calibrate=True), progress=False)
    assert frame[COLUMNS].isna().all(axis=None)


def test_a_model_without_log_likelihoods_is_refused_before_it_answers_everything() -> None:
    class Mute(Biased):
        asked = 0

        def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
            self.asked += len(prompts)
            yield from (Answer("dax", (), 0.0) for _ in prompts)

    model = Mute()
    with pytest.raises(UserError, match="calibrate: biased gives no log-likelihoods"):
        evaluate([model], design(), progress=False)
    assert model.asked == 1


def test_a_study_calibrates_on_request_and_reports_it_next_to_the_plain_choice(tmp_path: Path) -> None:
    options = {"preset": "tiny", "model": "mini/2-way", "fixed": (), "results": tmp_path}
    plain = lcl.run_study("shots", **options)
    calibrated = lcl.run_study("shots", calibrate=True, **options)
    assert plain.path != calibrated.path
    assert plain.records["loglik_true_grey"].isna().all()
    assert "Calibrated choices" not in (plain.path / "report.md").read_text()
    report = (calibrated.path / "report.md").read_text()
    assert "## Calibrated choices between candidates" in report
    assert "pointwise mutual information (Holtzman et al., 2021)" in report
    scored = calibrated_choices(calibrated.records, ["shots"])
    of_model = scored[scored["model"] == "mini/2-way"]
    difference = of_model["correct_candidate_pmi"] - of_model["correct_candidate"].astype(float)
    estimates = calibrated.estimates
    shown = estimates[(estimates["metric"] == "candidate-pmi") & (estimates["estimand"] == "change in accuracy")]
    assert shown.set_index("model").loc["mini/2-way", "estimate"] == pytest.approx(difference.mean())

    assert "by candidate on the 24 of 36 answers that have both; change" in report
    count = len(of_model)
    more = pd.concat([calibrated.records, plain.records])  # as those of three names, which are not calibrated
    (section,) = with_calibrated_choices(Findings("shots", []), more, 0).sections
    texts = [statement.text for statement in section.statements if statement.model == "mini/2-way"]
    assert f"by candidate on the {count} of {2 * count} answers that have both; change" in texts[0]
