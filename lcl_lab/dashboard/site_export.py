"""Writes what the dashboard shows as a web site: files that open without a server and can be put on any web host."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lcl_lab import figures, reporting, studies
from lcl_lab.atomic import read_json, reporting_os_errors, write_json
from lcl_lab.dashboard.dashboard_config import DashboardConfig
from lcl_lab.dashboard.model_overview import overview_findings
from lcl_lab.dashboard.overview_page import zero_shot_sources
from lcl_lab.dashboard.run_index import RunGroup, RunIndex, Source, read_index
from lcl_lab.dashboard.side_comparison import comparison_findings
from lcl_lab.dashboard.sides import Side, labels_of, side_records
from lcl_lab.dashboard.site_episodes import episodes_html
from lcl_lab.dashboard.site_html import SCRIPTS, SiteImages, SitePage, charts_script, findings_html, page_html
from lcl_lab.dashboard.streamlit_logging import quiet_streamlit
from lcl_lab.dashboard.study_page import study_findings, study_title
from lcl_lab.errors import UserError
from lcl_lab.progress import track
from lcl_lab.reporting import Findings, Section, Statement, Table
from lcl_lab.studies import Study

__all__ = ["export_site"]

_MARKER = "lcl-export.json"
_MOST_MODELS = 8  # that a chart can show apart
_PROGRESS_AFTER = 3.0  # seconds
_FIRST = "index.html"


@quiet_streamlit()
def export_site(config: DashboardConfig, folder: Path) -> Path:
    """Write overview, studies, comparisons and episodes of the results as a site.

    The site replaces an earlier export as a whole, once it is complete. Other files of the folder, such as those of a
    version control system, stay.

    Args:
        config: the results, the datasets whose images may be shown, and the number of episodes per study.
        folder: the folder of the site.

    Returns:
        The first page.

    Raises:
        UserError: the folder has something else, or cannot be written.
    """
    _check_folder(folder)
    index = read_index(config)
    with _replaced_when_complete(folder) as temporary, reporting_os_errors("write", folder):
        site = _Site(index, config.episodes, SiteImages(temporary))
        pages = [page for step in track(list(site.steps()), "exporting", delay=_PROGRESS_AFTER) for page in step()]
        sections = list(dict.fromkeys(page.section for page in pages))
        pages.sort(key=lambda page: sections.index(page.section))
        for page in pages:
            (temporary / page.file).write_text(page_html(page, pages), encoding="utf-8")
        (temporary / "assets").mkdir()
        for script, content in zip(SCRIPTS, (figures.vega_scripts(), charts_script()), strict=True):
            (temporary / script).write_text(content, encoding="utf-8")
        write_json(temporary / _MARKER, {"files": sorted(path.name for path in temporary.iterdir())})
    return folder / _FIRST


@dataclass(frozen=True)
class _Site:
    """What the pages of a site are made of."""

    index: RunIndex
    episodes: int
    images: SiteImages

    def steps(self) -> Iterator[Callable[[], list[SitePage]]]:
        """Functions that each make some pages, the first page first."""
        yield self._overview
        for study in studies.find_studies():
            for number, group in enumerate(self.index.groups_of(study.name)):
                sources = group.finished(group.models[:_MOST_MODELS])
                if sources:
                    yield partial(self._study, study, group, sources, number)
                    yield partial(self._comparison, study, sources, number)
                    yield partial(self._episodes, study, sources, number)

    def _overview(self) -> list[SitePage]:
        groups = self.index.groups_of("false_ratio")
        sources = groups[0].finished(groups[0].models[:_MOST_MODELS]) if groups else []
        findings = Findings("Overview", [])
        if sources:
            zero_shot = zero_shot_sources(self.index, [source.model for source in sources])
            findings = overview_findings(sources, zero_shot)
        if self.index.shipped:
            note = Section("Results", [Statement("These results come with LCL Lab.")])
            findings = replace(findings, sections=[*findings.sections, note])
        findings = replace(findings, sections=[*findings.sections, _runs(self.index)])
        return [SitePage(_FIRST, "Overview", "", findings_html(findings, self.images))]

    def _study(self, study: Study[Any], group: RunGroup, sources: Sequence[Source], number: int) -> list[SitePage]:
        try:
            findings, _ = study_findings(study, group, sources)
        except UserError as error:
            findings = Findings(
                study_title(study), [Section("Results", [Statement("{reason}", {"reason": str(error)})])]
            )
        findings = replace(findings, sections=[*findings.sections, _commands(sources)])
        body = findings_html(findings, self.images, study.doc)
        return [SitePage(_file(study.name, number), _numbered(study_title(study), number), "Studies", body)]

    def _comparison(self, study: Study[Any], sources: Sequence[Source], number: int) -> list[SitePage]:
        """The first model against the others, as far as they answered the same queries."""
        sides = [Side(source.model, (source,)) for source in sources[:_MOST_MODELS]]
        try:
            findings = comparison_findings(side_records(sides)[0], labels_of(sides))
        except UserError:  # there are no queries of several
            return []
        title = f"{study_title(study)}: {findings.title}"
        body = findings_html(replace(findings, title=title), self.images)
        return [
            SitePage(_file(f"compare-{study.name}", number), _numbered(study_title(study), number), "Compare", body)
        ]

    def _episodes(self, study: Study[Any], sources: Sequence[Source], number: int) -> list[SitePage]:
        if not self.episodes:
            return []
        title = f"{study_title(study)}: episodes"
        body = episodes_html(title, sources, self.episodes, self.index.data, self.images)
        return [
            SitePage(_file(f"episodes-{study.name}", number), _numbered(study_title(study), number), "Episodes", body)
        ]


def _runs(index: RunIndex) -> Section:
    rows = [
        {
            "run": run.run,
            "models": ", ".join(str(model["name"]) for model in run.config.get("models", [])),
            "state": "finished" if run.finished else "not finished, and not shown",
            "started": reporting.render("{time:%Y-%m-%d %H:%M} UTC", {"time": run.created}),
        }
        for run in index.runs
    ]
    return Section("Runs", tables=[Table.from_rows("All runs, the newest first", rows)] if rows else [])


def _commands(sources: Sequence[Source]) -> Section:
    """The runs of some sources, with the commands that made them."""
    rows = [
        {
            "run": run.run,
            "models": ", ".join(source.model for source in sources if source.run.run == run.run),
            "command": run.provenance.command if run.provenance else "",
        }
        for run in {source.run.run: source.run for source in sources}.values()
    ]
    return Section("Runs", tables=[Table.from_rows("The runs behind this page", rows)])


def _file(name: str, number: int) -> str:
    return f"{_numbered(re.sub(r'[^A-Za-z0-9_-]+', '-', name), number).replace(' ', '-')}.html"


def _numbered(name: str, number: int) -> str:
    """The name of the page of a study's designs, of which the first is shown first."""
    return name if number == 0 else f"{name} {number + 1}"


def _check_folder(folder: Path) -> None:
    """Raise a `UserError` unless the folder is new, empty or an earlier export."""
    if folder.exists() and not folder.is_dir():
        raise UserError("is a file; give a folder", option="export", value=folder)
    with reporting_os_errors("read", folder):
        has_files = folder.is_dir() and any(folder.iterdir())
    if has_files and read_json(folder / _MARKER) is None:
        reason = "has other files and is no earlier export; give a new folder"
        raise UserError(reason, option="export", value=folder)


@contextmanager
def _replaced_when_complete(folder: Path) -> Iterator[Path]:
    """A folder to write to, which takes the place of the other when the block ends without an exception."""
    target = Path(os.path.realpath(folder))
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    with reporting_os_errors("write", folder):
        temporary.mkdir(parents=True)
    try:
        yield temporary
        with reporting_os_errors("write", folder):
            _replace(target, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace(target: Path, new: Path) -> None:
    """Put a folder in the place of another, and move what an earlier export did not write into it.

    Whatever fails, nothing of the other folder is lost.
    """
    if not target.exists():
        new.rename(target)
        return
    old = new.with_suffix(".old")
    target.rename(old)
    try:
        new.rename(target)
    except OSError:
        old.rename(target)
        raise
    written = (read_json(old / _MARKER) or {}).get("files", [])
    for path in old.iterdir():
        if path.name not in (*written, _MARKER):
            path.rename(target / path.name)
    shutil.rmtree(old)
