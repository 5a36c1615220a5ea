from .paper_config import PaperConfig
from .paper_items import ITEMS, PaperData, PaperItem
from .paper_systems import SYSTEMS, System, find_systems
from .reproduction import PaperComparison, PaperReport, compare_with_paper

__all__ = [
    "ITEMS",
    "SYSTEMS",
    "PaperComparison",
    "PaperConfig",
    "PaperData",
    "PaperItem",
    "PaperReport",
    "System",
    "compare_with_paper",
    "find_systems",
]
