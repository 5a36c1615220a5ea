"""The files in studies/cluster: Ray's launcher accepts one, its autoscaler in Kubernetes another, a shell the third."""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.autoscaler._private.util import prepare_config, validate_config

from lcl_lab.commands import sweep_program
from lcl_lab.ray_cluster import NodeGroup, addable_nodes
from lcl_lab.sweeps import SweepConfig
from lcl_lab.sweeps.cluster import check_resources

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "studies" / "cluster"


def test_rays_launcher_accepts_the_cloud_file() -> None:
    content = yaml.safe_load((CLUSTER / "aws.yaml").read_text(encoding="utf-8"))
    validate_config(prepare_config(content))
    assert content["head_node_type"] in content["available_node_types"]


def test_the_slurm_file_is_a_script_that_runs_the_sweep() -> None:
    file = CLUSTER / "slurm.sh"
    subprocess.run(["bash", "-n", str(file)], check=True)
    assert 'lcl_lab.sweep "$1" --address' in file.read_text(encoding="utf-8")


def kuberay() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((CLUSTER / "kuberay.yaml").read_text(encoding="utf-8"))
    assert (content["apiVersion"], content["kind"]) == ("ray.io/v1", "RayJob")
    return content["spec"]


def test_the_kubernetes_file_has_the_locked_version_of_ray() -> None:
    spec = kuberay()
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    (locked,) = (package["version"] for package in packages if package["name"] == "ray")
    cluster = spec["rayClusterSpec"]
    assert cluster["rayVersion"] == locked
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        (container,) = group["template"]["spec"]["containers"]
        assert container["image"].rpartition(":")[2] == locked
        volumes = {volume["name"] for volume in group["template"]["spec"]["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_the_kubernetes_file_runs_a_sweep_that_fits_on_the_nodes_rays_autoscaler_adds() -> None:
    spec = kuberay()
    assert yaml.safe_load(spec["runtimeEnvYAML"]).keys() == {"env_vars"}
    program, arguments = spec["entrypoint"].split("lcl_lab.sweep")
    assert program == "python -m "
    options = sweep_program().parse(shlex.split(arguments))
    assert options is not None
    assert (options.address, str(options.results)) == ("auto", "/shared/results")
    assert (ROOT / options.file.relative_to("/home/ray/lcl-lab")).is_file()

    cluster = spec["rayClusterSpec"]
    assert cluster["enableInTreeAutoscaling"]
    resource = {"metadata": {"name": "lcl-lab", "namespace": "default"}, "spec": cluster}
    kinds = _derive_autoscaling_config_from_ray_cr(resource)["available_node_types"]
    assert kinds.pop("headgroup")["resources"]["CPU"] == 0
    (gpu,) = kinds.values()
    assert gpu["min_workers"] < gpu["max_workers"]
    nodes = addable_nodes([NodeGroup(gpu["resources"], gpu["max_workers"])], [], 4)
    check_resources(SweepConfig.create(strategies="2-way", cpu=options.cpu, gpu=options.gpu), nodes, workers=4)
