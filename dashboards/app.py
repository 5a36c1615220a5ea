"""The dashboard of LCL Lab.

streamlit run dashboards/app.py
streamlit run dashboards/app.py -- --results DIR --data folder:PATH
"""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import streamlit as st

# Streamlit puts the folder of this file on the path, and not the one that `dashboards` lies in.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dashboards.text import title_of
from lcl_lab.errors import UserError
from lcl_lab.studies.all import studies

st.set_page_config(page_title="LCL Lab", page_icon="🔗", layout="wide")


def show(title: str, module: str, *given: Any) -> None:
    """Draw a page. It is imported below its title: what statistics need takes a second to import."""
    st.title(title)
    import_module(f"dashboards.{module}").page(*given)


def page(title: str, path: str, module: str = "", *given: Any, default: bool = False) -> Any:
    return st.Page(partial(show, title, module or path, *given), title=title, url_path=path, default=default)


chosen = st.navigation(
    {
        "": [page("Overview", "overview", default=True)],
        "Studies": [page(title_of(study.name), study.name, "study", study) for study in studies()],
        "Answers": [page("Episodes", "episodes"), page("Compare", "compare")],
        "Runs": [page("Sweeps", "sweeps"), page("Provenance", "provenance")],
    },
    expanded=True,
)
try:
    from dashboards.results import lab

    here = lab()
    st.sidebar.caption("Results that ship with LCL Lab" if here.shipped else f"Results in `{here.folder.name}`")
    chosen.run()
except UserError as error:
    st.error(str(error))
