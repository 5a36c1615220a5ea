"""Importing the package is cheap; each name loads what it needs."""

from __future__ import annotations

import subprocess
import sys

from lcl_lab import analysis

CHEAP = """
import sys
from lcl_lab.analysis import METRICS
loaded = {"numpy", "pandas", "scipy", "statsmodels"} & set(sys.modules)
assert not loaded, loaded
"""


def test_importing_the_package_loads_nothing_slow() -> None:
    subprocess.run([sys.executable, "-c", CHEAP], check=True)


def test_every_public_name_exists_and_is_documented() -> None:
    for name in analysis.__all__:
        assert getattr(analysis, name).__doc__, name
