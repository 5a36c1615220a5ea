from .dashboard_config import DashboardConfig
from .launcher import serve, streamlit_command
from .model_overview import ALL_FALSE, MEASURES, ZERO_SHOT_CHANGE, overview_findings
from .shipping import ShipConfig, ship_runs
from .site_export import export_site
from .source_comparison import compared_conditions, comparison_findings, paired_records
from .sweep_events import read_trial_events, trial_states

__all__ = [
    "ALL_FALSE",
    "MEASURES",
    "ZERO_SHOT_CHANGE",
    "DashboardConfig",
    "ShipConfig",
    "compared_conditions",
    "comparison_findings",
    "export_site",
    "overview_findings",
    "paired_records",
    "read_trial_events",
    "serve",
    "ship_runs",
    "streamlit_command",
    "trial_states",
]
