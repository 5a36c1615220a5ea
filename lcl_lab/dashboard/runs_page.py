"""Runs: what each is and took, its note and tags; archive, delete and restore."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from lcl_lab import reporting, store
from lcl_lab.control_characters import escape_controls
from lcl_lab.dashboard import controls, render
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.live_runs import show_live_runs
from lcl_lab.dashboard.pages import Page
from lcl_lab.dashboard.run_index import RunIndex, read_folder
from lcl_lab.dashboard.run_table import run_table, run_table_text
from lcl_lab.errors import UserError

__all__ = ["pages"]

_IN_USE = "in use"
_FOLDERS = {_IN_USE: "", "archived": store.ARCHIVE, "deleted": store.TRASH}
"""Where a run may be, and the folder of the results folder for it."""
_ACTIONS = {"Archive": "archived", "Delete": "deleted", "Restore": _IN_USE}
_EXPLANATIONS = {
    "Archive": "It disappears from all other pages. All its files stay, and it can be restored.",
    "Delete": "It disappears from all other pages. Its files move to the trash folder, from which it can be restored.",
    "Restore": "It appears on all pages again.",
}


def pages() -> list[Page]:
    """The page of runs."""
    return [Page("Runs", "runs", _show, section="Runs")]


def _show(index: RunIndex) -> None:
    """The runs of one place as a table, and one of them with its note, tags and actions."""
    show_live_runs(index)
    if index.shipped:
        st.info("These results come with LCL Lab and are read-only: no notes, and nothing to archive or delete.")
        place = _IN_USE
    else:
        place = controls.select("Show runs that are", list(_FOLDERS), "place")
    listed = index if place == _IN_USE else read_folder(index, _FOLDERS[place])
    paths = {run.run: run.path for run in listed.runs}
    paths |= {escape_controls(f"{run.path.parent.name}/{run.path.name}"): run.path for run in listed.broken}
    if not paths:
        st.info(f"No runs are {place}.")
        return
    rows = run_table(listed)
    _show_table(rows)
    name = controls.select_run(list(paths), listed.labels)
    if not index.shipped:
        _show_run(index, place, name, paths[name])
        _show_folders(index)
    table = reporting.Table("What they are and took", run_table_text(rows))
    render.show_export(
        reporting.Findings("Runs", [reporting.Section(f"Runs that are {place}", tables=[table])]), "runs"
    )


def _show_table(rows: pd.DataFrame) -> None:
    seconds = {
        name: st.column_config.NumberColumn(f"{name} (s)", format="%.1f") for name in ("wall time", "model time")
    }
    counts = {name: st.column_config.NumberColumn(format="localized") for name in ("records", "prompt tokens")}
    disk = st.column_config.NumberColumn("disk use", format="bytes")
    started = st.column_config.DatetimeColumn("started (UTC)", format="YYYY-MM-DD HH:mm", timezone="UTC")
    written = {"tags": st.column_config.ListColumn(width=160), "note": st.column_config.TextColumn(width=240)}
    columns = {**seconds, **counts, **written, "disk": disk, "started": started}
    empty = [name for name in rows if not any(map(_is_known, rows[name]))]
    st.dataframe(rows.drop(columns=empty), hide_index=True, column_config=columns)


def _is_known(value: Any) -> bool:
    """Whether a cell says something: an empty note or list of tags does not."""
    return bool(value) if isinstance(value, str | list) else not pd.isna(value)


def _show_run(index: RunIndex, place: str, name: str, path: Path) -> None:
    """Note and tags of a run, and what can be done with it."""
    is_open = store.is_open(path)
    _edit_notes(index, name, path)
    if is_open:
        st.caption("This run is running: it can be archived or deleted once it has ended.")
    with st.container(horizontal=True):
        for action, target in _ACTIONS.items():
            if target != place and st.button(f"{action} …", f"{action} {name}", disabled=is_open):
                st.dialog(f"{action} this run?")(_confirm)(index, name, path, action)


def _edit_notes(index: RunIndex, name: str, path: Path) -> None:
    notes = store.read_notes(path)
    known = sorted({tag for others in index.notes.values() for tag in others.tags} | set(notes.tags))
    key = f"{path} {hash(notes)}"  # fields that show what is stored now
    with st.form(f"notes {key}", border=False):
        note = st.text_area("Note", notes.note, key=f"note {key}", height=100)
        tags = st.multiselect(
            "Tags", known, list(notes.tags), key=f"tags {key}", accept_new_options=True, placeholder="Choose or type"
        )
        saved = st.form_submit_button("Save")
    if saved and _attempt(partial(store.write_notes, path, note, tags)):
        st.rerun()


def _confirm(index: RunIndex, name: str, path: Path, action: str) -> None:
    size = reporting.format_size(store.disk_use(path))
    st.write(f"{escape_markdown(name)}, {size}. {_EXPLANATIONS[action]}")
    target = index.requested / _FOLDERS[_ACTIONS[action]]
    if st.button(action, f"confirm {action}", type="primary", on_click=_move, args=(path, target)):
        st.rerun()


def _move(path: Path, target: Path) -> None:
    """Move a run, after which the address names none."""
    if _attempt(partial(store.move_run, path, target)):
        address: Mapping[str, list[str]] = controls.current_address()
        controls.go_to({key: values for key, values in address.items() if key != "run"})


def _attempt(change: Callable[[], object]) -> bool:
    """Whether a change of the results folder succeeded; shows what was wrong if it did not."""
    try:
        change()
    except UserError as error:
        st.toast(escape_markdown(str(error)), icon="⚠️", duration="infinite")
        return False
    return True


def _show_folders(index: RunIndex) -> None:
    """Disk use of the results folder, and how to free that of the trash."""
    everything, trash = store.disk_use(index.requested), store.disk_use(index.requested / store.TRASH)
    sizes = f"{reporting.format_size(everything)} in {index.requested}, {reporting.format_size(trash)} of it deleted"
    st.caption(escape_markdown(f"{sizes}. To free that space, remove the folder {store.TRASH} in it yourself."))
