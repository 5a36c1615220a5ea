from .attention_plot import attention_figure
from .converter import vega_scripts
from .dot_plot import dot_figure
from .emergence_plot import emergence_figure
from .false_ratio_plot import false_ratio_figure
from .heat_map_plot import heat_map_figure
from .histogram_plot import histogram_figure
from .line_plot import line_figure
from .overview_plot import overview_figure
from .page_panels import DARK, panel_specs, recolored
from .panels import Figure, Panel
from .position_plot import position_figure
from .power_plot import power_figure
from .radar_plot import radar_figure
from .ranked_plot import ranked_figure
from .reliability_plot import reliability_figure
from .removal_plot import removal_figure
from .search_plot import parallel_figure, slice_figure
from .theme import Chart, themed
from .training_plot import training_figure, trials_figure

__all__ = [
    "DARK",
    "Chart",
    "Figure",
    "Panel",
    "attention_figure",
    "dot_figure",
    "emergence_figure",
    "false_ratio_figure",
    "heat_map_figure",
    "histogram_figure",
    "line_figure",
    "overview_figure",
    "panel_specs",
    "parallel_figure",
    "position_figure",
    "power_figure",
    "radar_figure",
    "ranked_figure",
    "recolored",
    "reliability_figure",
    "removal_figure",
    "slice_figure",
    "themed",
    "training_figure",
    "trials_figure",
    "vega_scripts",
]
