"""Executes the tutorial notebooks and stores their outputs, with small images: `python docs/run_tutorials.py`."""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent / "tutorials"
_WIDTH, _COLOURS = 720, 64
_LARGE = 60_000  # characters of an output that is stored as it is


def execute(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Run a notebook from its first to its last cell in a folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()


def main() -> None:
    """Run every notebook in an empty folder and write it back."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        with TemporaryDirectory() as folder:
            notebook = execute(path, Path(folder))
            for cell in notebook.cells:
                cell.metadata = {}
                if cell.cell_type == "code":
                    outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
                    cell.outputs = [_small(output, folder) for output in outputs]
            nbformat.write(notebook, path)
        print(path.name, path.stat().st_size)


def _small(output: nbformat.NotebookNode, folder: str) -> nbformat.NotebookNode:
    """An output without its large representations, and with a small version of its image."""
    data = output.get("data", {})
    if "text/plain" in data:
        data["text/plain"] = data["text/plain"].replace(f"{folder}/", "")
    if "image/png" in data:
        data["image/png"] = _compress(data["image/png"])
        data.pop("text/html", None)
    for kind in [kind for kind, value in data.items() if kind != "image/png" and len(str(value)) > _LARGE]:
        del data[kind]
    return output


def _compress(png: str) -> str:
    image = Image.open(io.BytesIO(b64decode(png))).convert("RGB")
    image.thumbnail((_WIDTH, _WIDTH))
    file = io.BytesIO()
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    main()
