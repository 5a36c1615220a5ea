"""Every option of every command with values at the limits of what text and numbers can be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import lcl_lab as lcl
from lcl_lab.commands import main
from lcl_lab.commands.entry_point import _COMMANDS, _Group
from lcl_lab.config import Config
from lcl_lab.episodes import redraw
from lcl_lab.errors import UserError
from lcl_lab.sweeps.search_config import Search
from lcl_lab.sweeps.sweep_config import Stopping, SweepConfig
from lcl_lab.type_checks import LARGEST_INTEGER

pytestmark = pytest.mark.attack

TEXTS = (
    *("nan", "inf", "-inf", "Infinity", "1e400", "-1e400", "1e-400", "-0", "-1", "0", "1.5", "1e3", "true"),
    *(str(2**31), str(2**32), str(2**63 - 1), str(2**63), str(2**64), str(10**30), "9" * 5000),
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "\ud800",
        "１２",
        "١",
        "²",
        "Ⅻ",
        "0x10",
        "0b1",
        "1_000",
        " 12 ",
        "+5",
        "1,5",
        "1\n2",
        "None",
    ),
    *("\x1b[2J", "\u202e5", "x" * 100_000, "'5'", "../..", "{}", "[1]", "a=b", "=", "=1"),
)
OTHERS = (True, float("nan"), float("inf"), -1, 2**64, 10**30, None, object(), {"a": 1}, [[1]], b"1", 1j)
REQUIRED = {
    *(("difference", "0.05"), ("out", "x"), ("strategy", "2-way"), ("item", "table2"), ("run", "x"), ("source", "a")),
    *(("target", "b"), ("file", "x"), ("strategies", "2-way")),
}


def config_classes(entries: Mapping[str, Any] = _COMMANDS, name: str = "lcl") -> Iterator[tuple[str, type[Config]]]:
    for word, entry in entries.items():
        if isinstance(entry, _Group):
            yield from config_classes(entry.entries(), f"{name} {word}")
        else:
            yield f"{name} {word}", entry.program(f"{name} {word}").config


@cache
def classes() -> dict[str, type[Config]]:
    parts = {"sweep file, stopping": Stopping, "sweep file, search": Search}
    return {**dict(config_classes()), "sweep file": SweepConfig, **parts}


OPTIONS = [(name, field) for name, config in classes().items() for field in config.model_fields]


def given(config: type[Config], field: str, value: object) -> Any:
    """The value that an option has after it was given."""
    required = {name: text for name, text in REQUIRED if name in config.model_fields and name != field}
    return getattr(config.create(**{**required, config.option(field): value}), field)


def numbers_in(value: object) -> list[int | float]:
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
    return [one for one in values if isinstance(one, int | float) and not isinstance(one, bool)]


def check_line(error: UserError) -> None:
    for line in (str(error), error.for_command_line()):
        assert len(line.splitlines()) == 1
        assert len(line) < 2000
        assert line.isprintable()


def equals(text: str, number: float) -> bool:
    """Whether a number is what a text says, up to rounding."""
    try:
        written = Decimal(text.strip().replace("_", "").rpartition("=")[2])
    except InvalidOperation:
        return False
    return math.isclose(float(written), number, rel_tol=1e-15) if isinstance(number, float) else written == number


@pytest.mark.parametrize(("name", "field"), OPTIONS)
def test_an_option_takes_a_value_as_it_is_or_refuses_it_in_one_line(name: str, field: str) -> None:
    config = classes()[name]
    accepts_numbers = {int, float} & {
        config.model_fields[field].annotation,
        *get_args(config.model_fields[field].annotation),
    }
    for text in TEXTS:
        try:
            value = given(config, field, text)
        except UserError as error:
            check_line(error)
            continue
        assert text.strip(), "empty text has no meaning"
        assert "\0" not in text
        for number in numbers_in(value):
            assert math.isfinite(number), text
            assert abs(number) <= LARGEST_INTEGER or isinstance(number, float)
            assert equals(text, number), text
        if accepts_numbers:
            assert numbers_in(value), text


@pytest.mark.parametrize(("name", "field"), OPTIONS)
def test_an_option_refuses_other_objects_in_one_line(name: str, field: str) -> None:
    config = classes()[name]
    for value in OTHERS:
        try:
            found = given(config, field, value)
        except UserError as error:
            check_line(error)
            continue
        assert all(map(math.isfinite, numbers_in(found))), value
        assert not any(abs(one) > LARGEST_INTEGER for one in numbers_in(found) if isinstance(one, int)), value


COMMANDS = [
    *(f"train --strategy 2-way --out x --learning-rate {value}" for value in ("nan", "inf", "-1", "0", "1e400")),
    *(f"study false_ratio --margin {value}" for value in ("nan", "inf", "-1", "0", "1")),
    *(f"study false_ratio --ratios {value}" for value in ("nan", "0 inf", "-1", "2", "0.5 0.5")),
    *(f"mine --weights {value}" for value in ("nan 1 1", "inf 1 1", "-1 1 1", "0 0 0", "1 1", "1 1 1 1")),
    *(f"power --difference {value}" for value in ("nan", "inf", "0", "1", "-0.5", "1e400")),
    *(f"{command} --seed {2**63}" for command in ("study shots", "power --difference 0.1", "mine", "paper table2")),
    *(f"{command} --seed {2**63}" for command in ("study all", "bench coverage", "train --strategy 2-way --out x")),
    f"sweep none.yaml --seeds 0 {2**63}",
    *(f"{command} --threads 99999999" for command in ("train --strategy 2-way --out x", "zoo train --out x")),
    *("bench evaluator --threads 99999999", "bench coverage --workers 99999999", "zoo seeds --out x --threads 1025"),
    *("sweep none.yaml --workers 1000000", "sweep none.yaml --cpu 1000000", "sweep none.yaml --gpu inf"),
    *(
        "study shots --queries 1000000000000000",
        "study false_ratio --shots 1000000000",
        "study order --shots 1000000000",
    ),
    *("study order --repeats 1000000000", "study label_position --factorial 1000000000000"),
    *(
        "study label_position --shots 1000000000",
        "study categories --shots 1000000000",
        "study shots --shots 2 1000000000",
    ),
    *("study qualitative --examples 1000000000000", "study zero_shot --questions 1000000000000"),
    *("study false_ratio --queries-per-support 1000000000000", "study shots --max-new-tokens 1000000000000"),
    *("train --strategy 2-way --out x --batch 1000000000000", "train --strategy 2-way --out x --lora 1000000000000"),
    *("train --strategy 2-way --out x --accumulate 1000000000000", "zoo seeds --out x --count 1000000000000"),
    *("train --strategy vision --out x --groups 1000000000000", "mine --count 1000000000000"),
    *("power --difference 0.1 --trainings 1000000000000 --seed-deviation 0.1", "paper table2 --queries 1000000000000"),
    *("bench coverage --replications 1000000000000", "bench dashboard --records 1000000000000"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_at_once_with_one_line_and_code_2(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert printed.err.startswith("error: --")
    assert printed.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", [2**63, 2**64, 2**70, -1, 1.0, float("nan"), True, "1", None])
def test_functions_refuse_seeds_that_records_cannot_store(seed: Any) -> None:
    with pytest.raises(UserError) as caught:
        lcl.draw_episode("world-100", seed=seed)
    check_line(caught.value)
    assert caught.value.option == "seed"


@pytest.mark.parametrize(
    "call",
    [
        lambda seed: lcl.compare("mini/prototype", "mini/base", queries=2, seed=seed),
        lambda seed: lcl.power_curves(difference=0.1, seed=seed),
        lambda seed: lcl.required_sample_size(difference=0.1, seed=seed),
        lambda seed: lcl.run_study("shots", seed=seed),
        lambda seed: lcl.train_model(strategy="2-way", out="x", seed=seed),
        lambda seed: lcl.run_sweep(strategies="2-way", seeds=seed),
        lambda seed: lcl.reorder(lcl.draw_episode("world-100"), seed),
        lambda seed: redraw(lcl.draw_episode("world-100"), seed),
    ],
    ids=[
        "compare",
        "power_curves",
        "required_sample_size",
        "run_study",
        "train_model",
        "run_sweep",
        "reorder",
        "redraw",
    ],
)
def test_functions_with_a_seed_or_a_number_of_a_draw_refuse_what_is_too_large(call: Callable[[Any], object]) -> None:
    for seed in (2**63, 2**70, -1, "nan", float("nan"), True):
        with pytest.raises(UserError) as caught:
            call(seed)
        check_line(caught.value)


def test_the_largest_seed_is_valid_everywhere() -> None:
    episode = lcl.draw_episode("world-100", seed=LARGEST_INTEGER)
    for changed in (lcl.falsify(episode, 0.5), redraw(episode, 1), lcl.reorder(episode, 1)):
        assert changed.seed == LARGEST_INTEGER
    assert lcl.draw_episode("world-100", seed=np.int64(LARGEST_INTEGER)).support == episode.support  # type: ignore[arg-type]


def test_the_largest_seed_is_stored(tmp_path: Path) -> None:
    options = {"preset": "tiny", "queries": 2, "model": "mini/prototype", "seed": LARGEST_INTEGER}
    result = lcl.run_study("false_ratio", results=tmp_path, **options)
    assert set(lcl.read_records(tmp_path)["seed"]) == {LARGEST_INTEGER}
    assert lcl.read_result(result.path).config.seed == LARGEST_INTEGER


@pytest.mark.slow
def test_a_training_that_diverges_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"^learning_rate 1e\+30: the loss of step \d is not finite; use a lower"
    ) as caught:
        lcl.train_model(strategy="2-way", preset="tiny", out=tmp_path / "out", learning_rate=1e30)
    check_line(caught.value)
    assert not (tmp_path / "out" / "config.json").exists()


@pytest.mark.slow
def test_more_accumulation_steps_than_prompts_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"^batch \d+: must be at least 60000, one prompt for each of 1 × 60000"
    ) as caught:
        lcl.train_model(strategy="2-way", out=tmp_path / "out", accumulate=60_000, images=9)
    check_line(caught.value)
