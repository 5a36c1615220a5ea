"""How cells are divided among workers, and what cannot be sent to them; see `tests/studies/test_workers.py`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest

import lcl_lab as lcl
from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, falsify
from lcl_lab.errors import UserError
from lcl_lab.evaluation import Design, episode_design
from lcl_lab.evaluation.cell_worker import pack_stage
from lcl_lab.evaluation.cell_workers import _parts
from lcl_lab.evaluation.cells import plan_cells
from lcl_lab.evaluation.worker_places import _check_nodes
from lcl_lab.models import Checkpoint, find_checkpoint

WORLD = load_dataset("world-100")


def design(queries: int = 120, queries_per_support: int = 1) -> Design:
    def draw(ratio: float, query: int) -> lcl.Episode:
        return falsify(draw_episode(WORLD, 0, query, 2, queries_per_support), ratio)

    conditions = [({"false_ratio": ratio}, partial(draw, ratio)) for ratio in (0.0, 1.0)]
    return episode_design(WORLD, queries, conditions, queries_per_support)


@pytest.mark.parametrize("queries_per_support", [1, 8])
@pytest.mark.parametrize("workers", [2, 7])
def test_parts_contain_every_query_of_every_cell_once(workers: int, queries_per_support: int) -> None:
    missing = plan_cells(
        [find_checkpoint("mini/base"), find_checkpoint("mini/2-way")], design(120, queries_per_support)
    )
    parts = list(_parts(missing, workers, 1, queries_per_support))
    assert len(parts) >= 2 * workers
    for number, (_, cells) in enumerate(missing):
        for cell in cells:
            pieces = [one for part in parts if part.model == number for one in part.cells if one.name == cell.name]
            assert sorted(query for one in pieces for query in one.queries) == list(cell.queries)
            assert all(one.queries.start % queries_per_support == 0 for one in pieces)


def test_a_part_fills_a_batch() -> None:
    parts = list(_parts(plan_cells([find_checkpoint("mini/base")], design(100)), 8, 32, 1))
    assert min(sum(len(cell.queries) for cell in part.cells) for part in parts) >= 32


@pytest.mark.parametrize(
    ("workers", "gpus", "nodes", "message"),
    [
        (2, None, [{"CPU": 2.0}], None),
        (2, None, [{"CPU": 8.0, "GPU": 1.0}, {"CPU": 8.0, "GPU": 1.0}], None),
        (4, 0, [{"CPU": 8.0, "GPU": 1.0}], None),
        (2, 2, [{"CPU": 8.0, "GPU": 4.0}], None),
        (3, None, [{"CPU": 2.0}], "workers 3: too many; this machine has 2 CPU cores"),
        (9, None, [{"CPU": 4.0}, {"CPU": 4.0}], "workers 9: too many; the cluster has 8 CPU cores"),
        (2, None, [{"CPU": 8.0, "GPU": 1.0}], "workers 2: too many with 1 GPU each; this machine has 1, enough for 1"),
        (1, 2, [{"CPU": 8.0}], "gpus_per_worker 2: too many; the largest machine has 0"),
        (
            2,
            2,
            [{"CPU": 8.0, "GPU": 3.0}, {"CPU": 8.0, "GPU": 1.0}],
            "workers 2: too many with 2 GPUs each; the cluster has 4, enough for 1",
        ),
    ],
)
def test_workers_must_fit(
    workers: int, gpus: int | None, nodes: list[Mapping[str, float]], message: str | None
) -> None:
    if message is None:
        _check_nodes(workers, gpus, nodes)
        return
    with pytest.raises(UserError) as error:
        _check_nodes(workers, gpus, nodes)
    assert str(error.value) == message


def test_objects_that_cannot_be_sent_to_workers_are_refused_in_one_line() -> None:
    model: Any = SimpleNamespace(name="locked", lock=Lock())
    with pytest.raises(UserError) as error:
        pack_stage(design(), [Checkpoint("locked", find_checkpoint("mini/base").path, "1", model=model)])
    assert str(error.value).startswith("model locked: cannot be sent to workers; ")
    lock = Lock()
    unsendable = Design(design().conditions, lambda ref: lock and WORLD.image(ref))
    with pytest.raises(UserError) as error:
        pack_stage(unsendable, [])
    assert str(error.value).startswith("data: cannot be sent to workers; ")
