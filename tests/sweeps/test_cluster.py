"""Problems of a cluster are reported before anything waits for it."""

from __future__ import annotations

import os
import socket

import pytest
from ray._private import ray_constants

from lcl_lab import ray_cluster
from lcl_lab.errors import UserError
from lcl_lab.ray_cluster import NodeGroup, addable_nodes
from lcl_lab.sweeps import SweepConfig
from lcl_lab.sweeps.cluster import check_resources, connected


@pytest.mark.parametrize(
    ("cpu", "gpu", "message"),
    [
        (1, 0, None),
        (4, 1, None),
        (1, 0.5, None),
        (1, 2, "gpu 2: too many for a trial; the largest machine has 1"),
        (16, 0, "cpu 16: too many for a trial; the largest machine has 8"),
        (8, 1, "gpu 1: no machine of the cluster has 8 CPU cores and 1 GPUs together"),
    ],
)
def test_a_trial_must_fit_on_one_node(cpu: int, gpu: float, message: str | None) -> None:
    nodes = [{"CPU": 8.0}, {"CPU": 4.0, "GPU": 1.0}, {"CPU": 4.0, "GPU": 1.0}]
    config = SweepConfig.create(strategies="2-way", cpu=cpu, gpu=gpu)
    if message is None:
        check_resources(config, nodes)
        return
    with pytest.raises(UserError) as error:
        check_resources(config, nodes)
    assert str(error.value) == message


@pytest.mark.parametrize("kind", ["", "ray://"])
def test_an_address_where_no_cluster_listens_is_reported_at_once(kind: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"{kind}127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(UserError) as error, connected(SweepConfig.create(strategies="2-way", address=address)):
            pass
    assert str(error.value) == f"address {address}: no cluster answers: Connection refused"


def test_a_malformed_address_is_reported_with_valid_forms() -> None:
    with pytest.raises(UserError) as error, connected(SweepConfig.create(strategies="2-way", address="head")):
        pass
    assert str(error.value).endswith("give auto, HOST:PORT, or ray://HOST:PORT")


def test_only_a_cluster_that_is_started_here_is_kept_to_this_machine() -> None:
    before = ray_constants.ENABLE_RAY_CLUSTER
    with ray_cluster._on_loopback():
        assert not ray_constants.ENABLE_RAY_CLUSTER
        assert os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    assert before == ray_constants.ENABLE_RAY_CLUSTER
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in os.environ


@pytest.mark.parametrize(
    ("cpu", "gpu", "workers", "message"),
    [
        (4, 1, 2, None),
        (1, 0.5, 4, None),
        (4, 1, 3, "a trial has 3 workers with 4 CPU cores and 1 GPUs each, and there is room for 2"),
        (8, 0, 2, "a trial has 2 workers with 8 CPU cores each, and there is room for 1"),
        (9, 0, 2, "cpu 9: too many for a worker; the largest machine has 8"),
    ],
)
def test_all_workers_of_a_trial_must_fit_at_once(cpu: int, gpu: float, workers: int, message: str | None) -> None:
    nodes = [{"CPU": 8.0}, {"CPU": 4.0, "GPU": 1.0}, {"CPU": 4.0, "GPU": 1.0}]
    config = SweepConfig.create(strategies="2-way", cpu=cpu, gpu=gpu)
    if message is None:
        check_resources(config, nodes, workers)
        return
    with pytest.raises(UserError) as error:
        check_resources(config, nodes, workers)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("most", "existing", "count", "added"), [(4, 1, 9, 3), (4, 4, 9, 0), (-1, 4, 2, 2), (0, 0, 9, 0), (2, 3, 9, 0)]
)
def test_nodes_that_may_be_added_are_those_up_to_the_limit_of_their_group(
    most: int, existing: int, count: int, added: int
) -> None:
    node = {"CPU": 8.0, "GPU": 1.0, "memory": 1e9}
    nodes = [{"CPU": 2.0}, *[node] * existing]
    assert addable_nodes([NodeGroup({"CPU": 8, "GPU": 1}, most)], nodes, count) == [{"CPU": 8, "GPU": 1}] * added


def test_workers_that_share_a_disk_must_fit_on_one_node() -> None:
    nodes = [{"CPU": 4.0}, {"CPU": 4.0}]
    config = SweepConfig.create(strategies="2-way", cpu=2)
    check_resources(config, nodes, workers=4)
    check_resources(config, nodes, workers=2, together=True)
    with pytest.raises(UserError) as error:
        check_resources(config, nodes, workers=4, together=True)
    reason = "and there is room for 2 on one machine, which they need with storage"
    assert str(error.value) == f"a trial has 4 workers with 2 CPU cores each, {reason}"
