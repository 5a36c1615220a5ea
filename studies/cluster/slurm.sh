#!/usr/bin/env bash
# A Ray cluster inside a SLURM allocation, and a sweep on it:
#   sbatch studies/cluster/slurm.sh studies/paper_grid.yaml
# The folder that it is submitted from, with its environment, must be on a file system that all nodes share.
#SBATCH --job-name=lcl-lab
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --gpus-per-node=4
#SBATCH --time=12:00:00
set -euo pipefail
nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
head=$(srun --nodes=1 --ntasks=1 -w "${nodes[0]}" hostname --ip-address | awk '{print $1}')
port=6379
start="uv run ray start --num-cpus=$SLURM_CPUS_PER_TASK --disable-usage-stats --block"
srun --nodes=1 --ntasks=1 -w "${nodes[0]}" $start --head --node-ip-address="$head" --port=$port &
sleep 20
for node in "${nodes[@]:1}"; do
  srun --nodes=1 --ntasks=1 -w "$node" $start --address="$head:$port" &
done
sleep 20
uv run python -m lcl_lab.sweep "$1" --address "$head:$port"
