from __future__ import annotations

from dataclasses import replace

import pytest

from .factories import record


@pytest.mark.parametrize("name", ["seed", "Seed", "support", "run", "filename", ""])
def test_condition_must_not_clash_with_a_column(name: str) -> None:
    with pytest.raises(ValueError, match="clashes"):
        replace(record(), condition={name: 1})


def test_conditions_must_not_clash_with_each_other() -> None:
    with pytest.raises(ValueError, match="'Shots' clashes"):
        record(shots=1, Shots=2)
