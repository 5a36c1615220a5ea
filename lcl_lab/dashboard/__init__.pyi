from .dashboard_config import DashboardConfig
from .launcher import serve, streamlit_command
from .model_overview import ALL_FALSE, MEASURES, ZERO_SHOT_CHANGE, overview_findings
from .shipping import ShipConfig, ship_runs
from .side_comparison import comparison_findings
from .sides import Side, find_sides, labels_of, side_records
from .site_export import export_site
from .streamlit_logging import quiet_streamlit
from .sweep_events import read_trial_events, trial_states
from .sweep_trials import SweepTrial, read_sweep_trials

__all__ = [
    "ALL_FALSE",
    "MEASURES",
    "ZERO_SHOT_CHANGE",
    "DashboardConfig",
    "ShipConfig",
    "Side",
    "SweepTrial",
    "comparison_findings",
    "export_site",
    "find_sides",
    "labels_of",
    "overview_findings",
    "quiet_streamlit",
    "read_sweep_trials",
    "read_trial_events",
    "serve",
    "ship_runs",
    "side_records",
    "streamlit_command",
    "trial_states",
]
