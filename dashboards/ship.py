"""Copies the newest finished run of each study to the results that ship: `python -m dashboards.ship results`."""

from __future__ import annotations

from lcl_lab.commands import Program
from lcl_lab.dashboard import ShipConfig, ship_runs

__all__ = ["PROGRAM"]


def _run(config: ShipConfig) -> None:
    for folder in ship_runs(config):
        print(folder)


PROGRAM = Program("python -m dashboards.ship", ShipConfig, _run, __doc__ or "")

if __name__ == "__main__":
    PROGRAM.main()
