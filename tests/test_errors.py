from __future__ import annotations

import pickle

from lcl_lab.errors import UserError, nearest, nearest_values


def test_the_option_is_written_as_the_reader_gave_it() -> None:
    error = UserError("must be even", option="queries_per_support", value=3)
    assert str(error) == "queries_per_support 3: must be even"
    assert error.for_command_line() == "--queries-per-support 3: must be even"
    assert str(UserError("no results")) == UserError("no results").for_command_line() == "no results"
    assert str(UserError("is required", option="out")) == "out: is required"


def test_it_survives_pickling_between_processes() -> None:
    error = pickle.loads(pickle.dumps(UserError("unknown model", option="model", value=("a", "b"))))
    assert str(error) == "model a b: unknown model"


def test_the_nearest_value_is_named_or_all_are() -> None:
    assert nearest("candidat", ["candidate", "open-ended"]) == "did you mean 'candidate'?"
    assert nearest("--shots", ["--results", "--shots-per-concept"]) == "did you mean '--shots-per-concept'?"
    assert nearest("zzz", ["b", "a"]) == "choose from a, b"


def test_the_nearest_of_many_values_are_listed() -> None:
    valid = [f"zebra {number}" for number in range(900)] + ["cat", "car", "cart"]
    assert nearest_values("cars", valid) == "the nearest are 'car', 'cart', 'cat'"
    assert nearest_values("x", ["a"]) == "the nearest are 'a'"
