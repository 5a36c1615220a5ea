"""Streamlit without its warnings where pages are drawn, or their functions used, without a server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from streamlit import config
from streamlit.logger import set_log_level

__all__ = ["quiet_streamlit"]


@contextmanager
def quiet_streamlit() -> Iterator[None]:
    """While the block runs, Streamlit reports errors only; it would warn of every cached function."""
    set_log_level(logging.ERROR)
    try:
        yield
    finally:
        set_log_level(config.get_option("logger.level"))
