from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lcl_lab.commands import sweep_program
from lcl_lab.errors import UserError


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, dict[str, Any]]]:
    """What the command calls `run_sweep` with."""
    received: list[tuple[Path, dict[str, Any]]] = []
    monkeypatch.setattr("lcl_lab.sweeps.run_sweep", lambda file, **options: received.append((file, options)))
    return received


def test_only_the_options_given_override_the_file(calls: list[tuple[Path, dict[str, Any]]]) -> None:
    sweep_program()(["grid.yaml", "--seeds", "0", "1", "--gpu", "0.5", "--address", "auto"])
    assert calls == [(Path("grid.yaml"), {"verbose": True, "seeds": (0, 1), "gpu": 0.5, "address": "auto"})]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["grid.yaml", "--adress", "auto"], "unknown option --adress; did you mean '--address'?"),
        (["grid.yaml", "--workers", "0"], "--workers 0: must be at least 1"),
        ([], "--file: is required"),
    ],
)
def test_a_wrong_argument_is_one_line(
    arguments: list[str], message: str, calls: list[tuple[Path, dict[str, Any]]]
) -> None:
    with pytest.raises(UserError) as error:
        sweep_program()(arguments)
    assert error.value.for_command_line() == message
    assert not calls


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.yaml: No such file or directory"):
        sweep_program()([str(tmp_path / "absent.yaml")])
