"""The dashboard of LCL Lab.

streamlit run dashboards/app.py
streamlit run dashboards/app.py -- --results DIR --data folder:PATH
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import streamlit as st

# Streamlit puts the folder of this file on the path, and not the one that `dashboards` lies in.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dashboards import choose, compare, episodes, overview, provenance, study, sweeps
from dashboards.results import lab
from lcl_lab.errors import UserError
from lcl_lab.studies.all import studies

st.set_page_config(page_title="LCL Lab", layout="wide")
try:
    here = lab()
except UserError as error:
    st.error(str(error))
    st.stop()

pages = {
    "": [st.Page(overview.page, title="Overview", default=True)],
    "Studies": [
        st.Page(partial(study.page, one), title=choose.title_of(one.name), url_path=one.name) for one in studies()
    ],
    "Answers": [
        episodes.this_page(),
        st.Page(compare.page, title="Compare", url_path="compare"),
    ],
    "Runs": [
        st.Page(sweeps.page, title="Sweeps", url_path="sweeps"),
        st.Page(provenance.page, title="Provenance", url_path="provenance"),
    ],
}
chosen = st.navigation(pages, expanded=True)
st.sidebar.caption("Results that ship with LCL Lab" if here.shipped else f"Results in `{here.folder.name}`")
chosen.run()
