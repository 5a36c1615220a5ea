"""Options of the dashboard."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from lcl_lab.config import Config

__all__ = ["DashboardConfig"]


class DashboardConfig(Config):
    """Which results the dashboard shows, and where it is served or written."""

    results: Path = Field(Path("results"), description="folder of all runs; while it is empty, shipped results appear")
    data: tuple[str, ...] = Field(
        (), description="datasets whose images may be shown in addition to the embedded ones, such as folder:PATH"
    )
    port: int | None = Field(None, ge=1, le=65535, description="port (default: the first free one from 8501)")
    address: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 lets other machines connect")
    headless: bool = Field(False, description="do not open a browser")
    export: Path | None = Field(
        None, description="folder to write as a web site that needs no server, instead of serving"
    )
    episodes: int = Field(3, ge=0, le=1000, description="episodes with images per study in the exported site")
