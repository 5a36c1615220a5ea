"""What is wrong with a cluster is told before anything waits for it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.sweeps import Sweep
from lcl_lab.sweeps.driver import check_resources
from tests.sweeps.grids import ONE, run


@pytest.mark.parametrize(
    ("cpu", "gpu", "told"),
    [
        (1, 0, None),
        (4, 1, None),
        (1, 0.5, None),
        (1, 2, "gpu: 2 a trial: the most that one machine has is 1"),
        (16, 0, "cpu: 16 a trial: the most that one machine has is 8"),
        (8, 1, "cpu: 8, gpu: 1 a trial: no machine of the cluster has both"),
    ],
)
def test_a_trial_must_fit_on_one_node(cpu: int, gpu: float, told: str | None) -> None:
    nodes = [{"CPU": 8.0}, {"CPU": 4.0, "GPU": 1.0}, {"CPU": 4.0, "GPU": 1.0}]
    sweep = Sweep(strategies=("2-way",), cpu=cpu, gpu=gpu)
    if told is None:
        check_resources(sweep, nodes)
        return
    with pytest.raises(UserError) as error:
        check_resources(sweep, nodes)
    assert str(error.value) == told


@pytest.mark.parametrize("kind", ["", "ray://"])
def test_a_cluster_that_is_not_there_is_told_at_once(kind: str, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"{kind}127.0.0.1:{closed.getsockname()[1]}"
        done = run(tmp_path, "--address", address, grid=ONE)
    assert done.returncode == 2
    assert done.stderr == f"error: --address {address}: no cluster answers: Connection refused\n"


def test_what_is_no_address_is_told_with_what_would_be_one(tmp_path: Path) -> None:
    done = run(tmp_path, "--address", "head", grid=ONE)
    assert done.returncode == 2
    assert done.stderr.endswith("give auto, HOST:PORT, or ray://HOST:PORT\n")
