"""The dashboard of LCL Lab, from a checkout. `lcl dashboard` starts the same from an installation.

streamlit run dashboards/app.py
streamlit run dashboards/app.py -- --results DIR --data folder:PATH
"""

from __future__ import annotations

import sys
from pathlib import Path

# Streamlit adds the folder of this file to the path, but not the folder that contains lcl_lab.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lcl_lab.commands import Program
from lcl_lab.dashboard import DashboardConfig
from lcl_lab.dashboard.app import errors_on_page, show_app

with errors_on_page():
    Program("streamlit run dashboards/app.py --", DashboardConfig, show_app, __doc__ or "")(sys.argv[1:])
