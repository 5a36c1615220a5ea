"""A sweep's folder behind a URL (S3, GCS, …), for nodes that share no folder.

A trial there works in a folder of its own, which begins as what the storage has of it and is copied back while the
trial runs. So a trial that is tried again, on whatever node, goes on from what the last one had copied.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import psutil

from lcl_lab.cache_dir import cache_folder
from lcl_lab.errors import UserError

__all__ = ["Storage"]

_EVERY = 5.0  # seconds between two copies
_CLAIMED = 30.0  # seconds without a word after which a driver counts as dead
_LAST = ("manifest.json",)  # says that what lies beside it is complete
_UNKEPT = (".tmp", ".lock")


class Storage:
    """A folder at a URL that `pyarrow.fs` knows; `name` is that of the sweep.

    Raises:
        UserError: no such kind of URL.
    """

    def __init__(self, url: str, name: str) -> None:
        from pyarrow import ArrowException
        from pyarrow.fs import FileSystem

        self.url = url
        try:
            self.files, root = FileSystem.from_uri(url)
        except (ArrowException, OSError) as error:
            told = str(error).splitlines()[0]
            raise UserError(f"--storage {url}: {told}; give s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, …") from error
        self.root = f"{root.rstrip('/')}/{name}"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep other drivers off the sweep; one that died on another machine holds it for half a minute more.

        Raises:
            UserError: the storage cannot be written, or another driver has the sweep.
        """
        path = f"{self.root}/driver.json"
        held = self._read_claim(path)
        if held and _is_alive(held):
            told = f"a driver on {held['host']} runs this sweep; wait for it, or stop it"
            raise UserError(f"--storage {self.url}: {told} (of a dead one this is said for {_CLAIMED:.0f} s)")
        stop = threading.Event()

        def claim() -> None:
            content = {"host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
            with self.files.open_output_stream(path) as file:
                file.write(json.dumps(content).encode())

        def hold() -> None:
            while not stop.wait(_CLAIMED / 3):
                with suppress(OSError):  # the next one says it
                    claim()

        try:
            self.files.create_dir(self.root)
            claim()
        except OSError as error:
            raise UserError(f"--storage {self.url}: {' '.join(str(error).split())}") from error
        holder = threading.Thread(target=hold, daemon=True)
        holder.start()
        try:
            yield
        finally:
            stop.set()
            holder.join()
            self.files.delete_file(path)

    @contextmanager
    def folder(self, trial: str) -> Iterator[Path]:
        """A folder of this machine that is, and in the end leaves, what the storage has of a trial."""
        mine = cache_folder() / "trials" / blake2b(self.root.encode(), digest_size=4).hexdigest() / trial
        shutil.rmtree(mine, ignore_errors=True)  # of an attempt that was killed, and another node may have gone on
        self.fetch(trial, "", mine)
        sent = _state(mine)
        stop = threading.Event()

        def copy() -> None:
            while not stop.wait(_EVERY):
                with suppress(OSError):  # a file went while it was read, or the net did: the next copy has it
                    self._send(trial, mine, sent)

        copier = threading.Thread(target=copy, daemon=True)
        copier.start()
        try:
            yield mine
        finally:
            stop.set()
            copier.join()
            self._send(trial, mine, sent)
        shutil.rmtree(mine)

    def fetch(self, trial: str, below: str, folder: Path) -> None:
        """Copy what the storage has of a trial, below a folder of it, into a folder of this machine."""
        from pyarrow.fs import FileSelector, FileType

        root = f"{self.root}/trials/{trial}/{below}".rstrip("/")
        found = self.files.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
        names = [info.path.removeprefix(f"{root}/") for info in found if info.type == FileType.File]
        for name in sorted(names, key=_in_order):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f"{target.name}.tmp")
            with self.files.open_input_stream(f"{root}/{name}") as source, part.open("wb") as file:
                shutil.copyfileobj(source, file)
            part.replace(target)

    def has(self, trial: str, name: str) -> bool:
        """Whether the storage has a file of a trial."""
        from pyarrow.fs import FileType

        return bool(self.files.get_file_info(f"{self.root}/trials/{trial}/{name}").type == FileType.File)

    def _send(self, trial: str, folder: Path, sent: dict[str, tuple[int, int]]) -> None:
        """Copy what has changed since `sent`, remove what is gone, and keep `sent` true."""
        state, root = _state(folder), f"{self.root}/trials/{trial}"
        for name in sorted(state, key=_in_order):
            if state[name] != sent.get(name):
                if self.files.type_name == "local":  # a bucket has no folders to be made
                    self.files.create_dir(f"{root}/{name}".rpartition("/")[0])
                with (folder / name).open("rb") as source, self.files.open_output_stream(f"{root}/{name}") as target:
                    shutil.copyfileobj(source, target)
                sent[name] = state[name]
        for name in sent.keys() - state.keys():
            self.files.delete_file(f"{root}/{name}")
            del sent[name]

    def _read_claim(self, path: str) -> dict[str, Any] | None:
        try:
            with self.files.open_input_stream(path) as file:
                return dict(json.loads(file.read()))
        except (OSError, ValueError):  # none there; what the storage refuses is told by the first write
            return None


def _is_alive(claim: dict[str, Any]) -> bool:
    """Whether a driver may still run: on this machine its process is there, on another it spoke lately."""
    if claim["host"] == socket.gethostname():
        return psutil.pid_exists(claim["pid"])
    return bool(time.time() - claim["time"] < _CLAIMED)


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file that is kept, by its name in the folder."""
    state = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in _UNKEPT:
            found = path.stat()
            state[str(path.relative_to(folder))] = (found.st_size, found.st_mtime_ns)
    return state


def _in_order(name: str) -> tuple[bool, str]:
    """What says that others are complete comes after them: manifests of runs, and last the mark of the trial."""
    return name.rpartition("/")[2] in _LAST or name.startswith("sweep/trials/"), name
