"""The commands of the documentation that audit the lock file and list licences."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.docs.pages import COMMANDS, ROOT
from tests.servers import serving

AUDIT = "uv audit --frozen"
LICENCES = "uv run pip-licenses --from=mixed --order=license"
needs_uv = pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")


def test_the_documentation_has_the_commands() -> None:
    assert {AUDIT, LICENCES} <= set(COMMANDS)


@needs_uv
@pytest.mark.parametrize("vulnerable", [False, True])
def test_the_audit_asks_a_database_about_every_dependency(vulnerable: bool) -> None:
    """The database stands on this machine: what it knows is made up."""
    packages: list[str] = []

    def query(request: dict[str, Any]) -> Any:
        names = [one["package"]["name"] for one in request["queries"]]
        packages.extend(names)
        finding = {"vulns": [{"id": "GHSA-made-up", "modified": "2026-01-01T00:00:00Z"}]}
        return {"results": [finding if vulnerable and name == "torch" else {} for name in names]}

    def advisory(_: dict[str, Any]) -> Any:
        return {"id": "GHSA-made-up", "summary": "made up", "modified": "2026-01-01T00:00:00Z", "affected": []}

    with serving(query, {"/v1/vulns/GHSA-made-up": advisory}) as address:
        command = [*AUDIT.split(), "--service-url", address.removesuffix("v1")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert {"torch", "transformers", "ray", "streamlit"} <= set(packages)
    assert ("GHSA-made-up" in done.stdout + done.stderr) == vulnerable
    assert (done.returncode != 0) == vulnerable


def test_no_dependency_has_a_licence_that_forbids_use() -> None:
    command = [sys.executable, "-m", "piplicenses", *LICENCES.split()[3:], "--format=csv"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout
    licences = {row["Name"]: row["License"] for row in csv.DictReader(listed.splitlines())}
    assert {"torch", "transformers", "ray", "streamlit"} <= set(licences)
    strict = {
        name: licence
        for name, licence in licences.items()
        if ("GPL" in licence or "General Public License" in licence)
        and not any(word in licence for word in ("LGPL", "Lesser", " OR "))
    }
    assert strict == {}
