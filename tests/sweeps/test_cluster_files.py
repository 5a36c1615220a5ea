"""The files in studies/cluster: Ray's launcher accepts one, a shell the other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

CLUSTER = Path(__file__).parents[2] / "studies" / "cluster"


def test_rays_launcher_accepts_the_cloud_file() -> None:
    content = yaml.safe_load((CLUSTER / "aws.yaml").read_text(encoding="utf-8"))
    validate_config(prepare_config(content))
    assert content["head_node_type"] in content["available_node_types"]


def test_the_slurm_file_is_a_script_that_runs_the_sweep() -> None:
    file = CLUSTER / "slurm.sh"
    subprocess.run(["bash", "-n", str(file)], check=True)
    assert 'lcl_lab.sweep "$1" --address' in file.read_text(encoding="utf-8")
