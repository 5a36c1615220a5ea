"""The public API: light to import, documented, validated, and without side effects."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import altair as alt
import pytest

import lcl_lab as lcl
from lcl_lab.models import Answer, Loglik


def test_importing_the_package_is_fast_and_loads_nothing_heavy() -> None:
    """Measured, it takes 0.01 s; a test counts what is loaded instead, which no machine's load changes."""
    program = (
        "import sys, lcl_lab; "
        "assert not {'torch', 'numpy', 'pandas', 'pydantic', 'altair', 'PIL', 'ray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_public_name_exists_and_is_documented() -> None:
    assert 25 <= len(lcl.__all__) <= 35
    for name in lcl.__all__:
        value = getattr(lcl, name)
        doc = inspect.getdoc(value) or ""
        assert doc, name
        if inspect.isfunction(value):
            assert value.__annotations__["return"], name
            if inspect.signature(value).parameters and len(doc.splitlines()) > 1:
                assert "Args:" in doc or "Raises:" in doc or "Returns:" in doc, name
    assert set(lcl.__all__) <= set(dir(lcl))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="draw_episodes"):
        lcl.draw_episodes  # noqa: B018
    with pytest.raises(ImportError):
        from lcl_lab import nothing  # noqa: F401


def test_no_import_changes_the_altair_theme() -> None:
    program = (
        "import altair as alt; alt.theme.enable('dark'); import lcl_lab as lcl; import lcl_lab.figures; "
        "lcl.figures.training_figure; assert alt.theme.active == 'dark'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert alt.theme.active == "default"


def one_query() -> lcl.Design:
    world = lcl.load_dataset("world-100")
    return lcl.episode_design(world, 1, [({}, lambda query: lcl.draw_episode(world, query_id=query))])


WRONG = {
    "odd shots": (lambda: lcl.draw_episode("world-100", shots=5), "shots 5: .*(4|6)"),
    "too many shots": (lambda: lcl.draw_episode("world-100", shots=200), "shots 200: .*64 images"),
    "unknown dataset": (lambda: lcl.draw_episode("world100"), "world100: unknown dataset; did you mean 'world-100'"),
    "negative query": (lambda: lcl.draw_episode("world-100", query_id=-1), "query_id -1"),
    "ratio": (lambda: lcl.falsify(lcl.draw_episode("world-100"), 1.5), "ratio 1.5"),
    "position": (lambda: lcl.falsify_at(lcl.draw_episode("world-100", shots=4), 5), "position 5"),
    "names": (lambda: lcl.rename(lcl.draw_episode("world-100", shots=4), {}), "names"),
    "model": (lambda: lcl.load_model("mini/2way"), "model mini/2way: unknown model.*did you mean 'mini/2-way'"),
    "dtype": (lambda: lcl.load_model("mini/2-way", dtype="float8"), "dtype float8"),
    "batch size": (lambda: lcl.load_model("mini/2-way", batch_size=0), "batch_size 0"),
    "study": (lambda: lcl.run_study("false-ratio"), "study false-ratio: .*did you mean 'false_ratio'"),
    "study option": (lambda: lcl.run_study("false_ratio", quieres=3), "quieres: .*did you mean 'queries'"),
    "metric": (lambda: lcl.compare("mini/base", "mini/2-way", metric="open"), "metric open: .*'open-ended'"),
    "results": (lambda: lcl.read_records("/no/such/folder"), "/no/such/folder"),
    "difference": (lambda: lcl.required_sample_size(difference=2), "difference 2: must be below 1"),
    "strategy": (lambda: lcl.train_model(strategy="2way", out="/tmp/never"), "strategy 2way: .*did you mean '2-way'"),
    "a model that is none": (lambda: lcl.register_model(object()), "model"),
    "a dataset that is none": (lambda: lcl.register_dataset(object()), "dataset|data"),
    "a strategy that is none": (lambda: lcl.register_strategy(object()), "strategy"),
    "a study that is none": (lambda: lcl.register_study(object()), "study"),
    "models": (lambda: lcl.evaluate(["mini/nobody"], one_query()), "mini/nobody"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_are_one_line_with_the_option(case: str) -> None:
    call, message = WRONG[case]
    with pytest.raises(lcl.UserError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


class Teal:
    """A dataset of two colours."""

    name, fingerprint = "teal-and-tan", "1"
    concepts = {c: lcl.Concept(c, n, f"All {c}.", images=40) for c, n in (("teal", "wug"), ("tan", "dax"))}  # noqa: RUF012
    pairs = [lcl.Pair("teal", "tan")]  # noqa: RUF012

    def image(self, ref):  # type: ignore[no-untyped-def]
        from PIL import Image

        return Image.new("RGB", (64, 64), ref.concept)


class Last:
    """Repeats the last label."""

    name, fingerprint, device = "last-label", "1", "cpu"

    def answer(self, prompts, image):  # type: ignore[no-untyped-def]
        for prompt in prompts:
            last = [turn.parts[0] for turn in prompt.turns if turn.role == "assistant"][-1]
            yield Answer(last, tuple(Loglik(0.0 if c == last else -1.0, 1) for c in prompt.candidates), 0.0)


def test_objects_work_where_names_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = lcl.run_study("false_ratio", preset="tiny", model=Last(), data=Teal(), queries=8, results=tmp_path)
    assert capsys.readouterr().out == ""
    assert set(result.records["model"]) == {"last-label", "mini/prototype"}
    assert set(result.records["data"]) == {"teal-and-tan"}
    assert result.path.parent == (tmp_path / "false_ratio").absolute()
    accuracy = result.accuracy
    assert set(accuracy.columns) >= {"model", "metric", "false_ratio", "estimate", "low", "high", "n", "clusters"}
    assert not accuracy.isna().to_numpy().any()
    assert "last-label" in repr(result)
    assert "<table" in result._repr_html_()
    assert result.figure is not None
    assert {"link score", "change in accuracy"} <= set(result.estimates["estimand"])
    again = lcl.run_study(
        "false_ratio", preset="tiny", model="last-label", data="teal-and-tan", queries=8, results=tmp_path
    )
    assert again.path == result.path
    stored = lcl.read_records(tmp_path)
    assert len(stored) == len(result.records)


def test_models_are_compared_on_the_same_queries(tmp_path: Path) -> None:
    comparison = lcl.compare(Last(), "mini/prototype", shots=4, queries=20)
    difference = comparison.difference
    assert len(comparison.records) == 40
    assert difference.value == pytest.approx(difference.value_b - difference.value_a)
    assert difference.low <= difference.value <= difference.high
    assert 0 <= (difference.p_value or 0) <= 1
    assert repr(comparison).startswith("mini/prototype − last-label, candidate: +")
    assert ("inconclusive; detectable: " in repr(comparison)) is (difference.low <= 0 <= difference.high)
    same = comparison.records.assign(correct_candidate=True, loglik_true=0.0, loglik_other=-1.0)
    undecided = lcl.compare("last-label", "mini/prototype", records=same)
    assert re.search(r"\ninconclusive; detectable: 0\.\d\d; more queries would hardly decide it$", repr(undecided))
    stored = lcl.compare("last-label", "mini/prototype", records=comparison.records)
    assert stored.difference.value == difference.value


def test_a_study_defined_inline_needs_no_analysis_of_its_own(tmp_path: Path) -> None:
    world = lcl.load_dataset("world-100")

    def design(config: lcl.EpisodeConfig) -> lcl.Design:
        conditions = [
            ({"false_position": p}, lambda q, p=p: lcl.falsify_at(lcl.draw_episode(world, config.seed, q, shots=4), p))
            for p in (1, 4)
        ]
        return lcl.episode_design(world, config.queries, conditions)

    study = lcl.Study("first_or_last", design)
    result = lcl.run_study(study, model=[Last()], queries=6, results=tmp_path)
    accuracy = result.accuracy.set_index(["model", "metric", "condition"])["estimate"]
    first, last = (accuracy["last-label", "candidate", f"false_position {p}"] for p in (1, 4))
    assert last == pytest.approx(1 - first)  # whoever repeats the last label turns with it
    lcl.register_study(study)
    assert lcl.run_study("first_or_last", model=["last-label"], queries=6, results=tmp_path).path == result.path
