"""Several files as the content of one ZIP file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

__all__ = ["zip_archive"]


def zip_archive(files: Mapping[str, bytes]) -> bytes:
    """The content of a ZIP file.

    Args:
        files: the content of each file by its name.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)  # of a fixed date, so that equal files have equal archives
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return content.getvalue()
