"""A cluster that grows: Ray's autoscaler with nodes that are processes of this machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from ray.util import get_node_ip_address

from tests.sweeps.grids import PATIENCE, ROOT, environment, killing_descendants, records, run
from tests.sweeps.test_remote_cluster import free_ports

RAY = Path(sys.executable).with_name("ray")
GRID = (
    "models: [mini/2-way]\nstudies: [{study: false_ratio, preset: tiny, queries: 2, ratios: [0]}]\ncpu: {cpu}\n"
    "retries: 0\n"
)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_sweep_waits_for_a_node_that_the_cluster_can_add(tmp_path: Path) -> None:
    (port,) = free_ports(1, below=10_000)
    head = {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0}
    worker = {"resources": {"CPU": 2}, "node_config": {}, "min_workers": 0, "max_workers": 1}
    lists = "initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands"
    lists += "head_start_ray_commands", "worker_start_ray_commands", "cluster_synced_files"
    content = {
        "cluster_name": "growing",
        "provider": {"type": "fake_multinode", "gcs_address": f"{get_node_ip_address()}:{port}"},
        "max_workers": 1,
        "idle_timeout_minutes": 5,
        "upscaling_speed": 1.0,
        "available_node_types": {"ray.head.default": head, "large": worker},
        "head_node_type": "ray.head.default",
        **{key: {} for key in ("docker", "auth", "file_mounts")},
        **{key: [] for key in lists},
        "file_mounts_sync_continuously": False,
    }
    file = tmp_path / "ray_bootstrap_config.yaml"  # where Ray's launcher puts it, in the home of the head node
    file.write_text(yaml.safe_dump(content))
    with (
        tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as short,
        killing_descendants() as mark,
    ):
        variables = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "RAY_FAKE_CLUSTER": "1"}
        shell = environment(AUTOSCALER_UPDATE_INTERVAL_S="1", **variables, **mark)
        start = ["start", "--head", "--node-ip-address=127.0.0.1", f"--port={port}", "--include-dashboard=false"]
        start += [f"--autoscaling-config={file}", "--num-cpus=1", "--disable-usage-stats"]
        start += ["--object-store-memory=100000000", f"--temp-dir={short}"]
        done = subprocess.run([RAY, *start], capture_output=True, text=True, env=shell, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr

        address = f"127.0.0.1:{port}"
        refused = run(tmp_path, "--address", address, grid=GRID.replace("{cpu}", "3"))
        assert refused.returncode == 2
        assert "cpu 3: too many for a trial; the largest machine has 2" in refused.stderr
        grown = run(tmp_path, "--address", address, grid=GRID.replace("{cpu}", "2"))
        assert grown.returncode == 0, grown.stderr
        assert "the sweep waits until the autoscaler of the cluster has added nodes" in grown.stderr
    assert set(records(tmp_path)["model"]) == {"mini/2-way", "mini/prototype"}
