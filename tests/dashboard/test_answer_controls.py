from __future__ import annotations

from lcl_lab.dashboard.answer_choices import condition_columns
from lcl_lab.dashboard.answer_controls import _parameter
from lcl_lab.dashboard.run_index import shipped_results
from lcl_lab.store import connect


def test_conditions_of_shipped_studies_are_their_own_parameters_of_an_address() -> None:
    """Links to episodes of earlier versions name them so."""
    with connect(shipped_results()) as connection:
        columns = condition_columns([str(row[0]) for row in connection.execute("DESCRIBE records").fetchall()])
    assert {"false_ratio", "shots", "part"} <= set(columns)
    assert [_parameter(column) for column in columns] == columns
