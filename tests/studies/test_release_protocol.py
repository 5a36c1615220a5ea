"""Studies by the protocol of the paper's release."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PIL.Image import Image

import lcl_lab as lcl
from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.models import Answer
from lcl_lab.prompts import Prompt
from tests.episodes.test_release_episodes import isekai  # noqa: F401 - a fixture


class Last:
    """Says the last label, and remembers the prompts."""

    name, fingerprint, device = "last", "1", "cpu"

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        for prompt in prompts:
            self.prompts.append(prompt)
            labels = [str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant"]
            yield Answer(labels[-1] if labels else "nothing", (), 0.0)


@pytest.fixture
def model() -> Last:
    model_object = Last()
    lcl.register_model(model_object)
    return model_object


def test_all_queries_of_the_file_are_evaluated_by_its_rule(model: Last, isekai: Path, tmp_path: Path) -> None:  # noqa: F811
    options = {"data": f"isekai:{isekai}", "model": "last", "results": tmp_path / "results", "fixed": ()}
    result = lcl.run_study("shots", protocol="release", shots=(0, 2, 6), **options)
    records = result.records[result.records["model"] == "last"]
    assert (result.config.max_new_tokens, result.config.open_rule) == (1024, "release")
    assert sorted(zip(records["shots"], records["query_id"], strict=True)) == [
        (k, q) for k in (0, 2, 6) for q in range(4)
    ]
    assert list(records["correct_open"]) == list(records["correct_release"])
    # "Cactihog" is written with a capital, and the release searches for the lower-case name.
    capitalised = records[(records["answer"] == "Cactihog") & (records["true_name"] == "Cactihog")]
    assert len(capitalised) and not capitalised["correct_open"].any() and capitalised["correct_strict"].all()
    assert {prompt.turns[-1].parts[0] for prompt in model.prompts} == {
        "Based on the previous examples, what is in the image?"
    }
    assert "which the release counts as K/2 shots per concept" in (result.path / "report.md").read_text()

    drawn = lcl.run_study("shots", shots=(0, 2), queries=4, **options)
    assert "The paper's release evaluates fixed ones" in (drawn.path / "report.md").read_text()
    assert drawn.config.max_new_tokens is None


def test_a_choice_of_the_user_is_kept(model: Last, isekai: Path, tmp_path: Path) -> None:  # noqa: F811
    result = lcl.run_study(
        "false_ratio",
        protocol="release",
        data=f"isekai:{isekai}",
        model="last",
        shots=2,
        queries=3,
        open_rule="paper",
        max_new_tokens=20,
        results=tmp_path / "results",
    )
    assert (result.config.open_rule, result.config.max_new_tokens) == ("paper", 20)
    assert set(result.records["query_id"]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("data", "options", "reason"),
    [
        ("world-100", {}, "data world-100: is not evaluated by the release; .*isekai-10"),
        (None, {"queries": 9}, "queries must be at most 4, the number of queries in the file, not 9"),
        (None, {"protocol": "paper"}, "protocol paper: must be one of 'lcl' or 'release'"),
        (None, {"shots": (0, 8)}, "shots 8: query 0 of .* has images for 6"),
    ],
)
def test_a_wrong_option_is_reported_before_anything_runs(
    model: Last,
    isekai: Path,  # noqa: F811
    tmp_path: Path,
    data: str | None,
    options: dict[str, object],
    reason: str,
) -> None:
    study_options = {"protocol": "release", "data": data or f"isekai:{isekai}", "model": "last", "fixed": (), **options}
    with pytest.raises(UserError, match=reason):
        lcl.run_study("shots", results=tmp_path / "results", **study_options)
    assert not (tmp_path / "results").exists()
    assert not model.prompts
