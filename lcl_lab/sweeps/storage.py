"""A sweep's files behind a URL (S3, GCS, …), for nodes that share no folder.

A trial works in a local folder that starts as a copy of what the storage has of it, and is copied back while the trial
runs. So a retry on any node resumes from what the previous attempt had copied.
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
from uuid import uuid4

import psutil
from pyarrow import ArrowException
from pyarrow.fs import FileSelector, FileSystem, FileType

from lcl_lab.atomic import TEMPORARY, atomic_path
from lcl_lab.cache_dir import cache_folder
from lcl_lab.errors import UserError
from lcl_lab.safe_console import SafeConsole

__all__ = ["Storage"]

_COPY_EVERY = 5.0  # seconds between two copies
_RENEW_EVERY = 10.0  # seconds between two renewals of a driver's claim
_LOOK_EVERY = 0.5  # seconds between two looks at the claim of another driver
_CLAIM_EXPIRES = 30.0  # seconds without renewal after which a driver counts as dead
_PART = 1 << 20  # bytes of a file that are copied at once
_COPIED_LAST = ("manifest.json",)  # its presence says that the files next to it are complete
_NOT_COPIED = (TEMPORARY, ".lock")


class Storage:
    """A folder at a URL.

    Args:
        url: a URL that `pyarrow.fs` knows.
        name: name of the sweep.

    Raises:
        UserError: the URL is of an unknown kind.
    """

    def __init__(self, url: str, name: str) -> None:
        self.url, self.name = url.rstrip("/"), name
        try:
            self.files, root = FileSystem.from_uri(url)
        except (ArrowException, OSError) as error:
            reason = f"{str(error).splitlines()[0]}; give s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, …"
            raise UserError(reason, option="storage", value=url) from error
        self.root = f"{root.rstrip('/')}/{name}"

    def model(self, trial: str) -> str:
        """The URL of a trial's model."""
        return f"{self.url}/{self.name}/trials/{trial}/sweep/models/{trial}"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Refuse other drivers of the sweep; the claim of one that died on another machine expires.

        Whether a claim is renewed is observed, not read from its time: clocks of machines differ and are set back.

        Raises:
            UserError: the storage cannot be written, or another driver runs the sweep.
        """
        path = f"{self.root}/driver.json"
        holder = self._read_claim(path)
        if holder and self._is_renewed(path, holder):
            reason = f"a driver on {holder['host']} runs this sweep; wait for it or stop it"
            raise UserError(reason, option="storage", value=self.url)
        stop = threading.Event()

        def claim() -> None:
            content = {"host": socket.gethostname(), "pid": os.getpid(), "renewal": uuid4().hex}
            with self.files.open_output_stream(path) as file:
                file.write(json.dumps(content).encode())

        def renew() -> None:
            while not stop.wait(_RENEW_EVERY):
                with suppress(OSError):  # the next attempt may succeed
                    claim()

        with self._reporting_errors():
            self.files.create_dir(self.root)
            claim()
        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            with suppress(OSError):  # out of reach: the claim expires
                self.files.delete_file(path)

    @contextmanager
    def folder(self, trial: str) -> Iterator[Path]:
        """A local folder with a trial's files, copied back every few seconds and when the block ends.

        Args:
            trial: name of the trial.

        Raises:
            UserError: the storage fails before or after the block. An error of the block itself is never hidden.
        """
        local = cache_folder() / "trials" / blake2b(self.root.encode(), digest_size=4).hexdigest() / trial
        shutil.rmtree(local, ignore_errors=True)  # of a killed attempt; another node may have continued since
        self.fetch(trial, "", local)
        copied = _scan(local)
        stop = threading.Event()

        def copy() -> None:
            while not stop.wait(_COPY_EVERY):
                with suppress(OSError):  # a file was removed or the network failed: the next copy includes it
                    self._send(trial, local, copied)

        thread = threading.Thread(target=copy, daemon=True)
        thread.start()
        try:
            yield local
        except BaseException:
            stop.set()
            thread.join()
            with suppress(OSError):
                self._send(trial, local, copied)
            raise
        stop.set()
        thread.join()
        with self._reporting_errors():
            self._send(trial, local, copied)
        shutil.rmtree(local)

    def fetch(self, trial: str, subfolder: str, folder: Path) -> None:
        """Copy files of a trial from the storage.

        Args:
            trial: name of the trial.
            subfolder: the part to copy, such as ``"results"``; all of it if empty.
            folder: the local folder to copy into.

        Raises:
            UserError: the storage fails, or a file cannot be written here.
        """
        root = f"{self.root}/trials/{trial}/{subfolder}".rstrip("/")
        with self._reporting_errors():
            infos = self.files.get_file_info(FileSelector(root, recursive=True, allow_not_found=True))
        names = [info.path.removeprefix(f"{root}/") for info in infos if info.type == FileType.File]
        for name in sorted(names, key=_copy_order):
            with atomic_path(folder / name) as temporary, temporary.open("wb") as file:
                file.writelines(self._read(f"{root}/{name}"))

    def has(self, trial: str, name: str) -> bool:
        """Whether the storage has a file of a trial; raises UserError if the storage fails."""
        with self._reporting_errors():
            return bool(self.files.get_file_info(f"{self.root}/trials/{trial}/{name}").type == FileType.File)

    def _read(self, path: str) -> Iterator[bytes]:
        """The parts of a file. Errors of the storage are reported here, and so never as those of the local file."""
        with self._reporting_errors(), self.files.open_input_stream(path) as source:
            while part := source.read(_PART):
                yield part

    @contextmanager
    def _reporting_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(" ".join(str(error).split()), option="storage", value=self.url) from error

    def _send(self, trial: str, folder: Path, copied: dict[str, tuple[int, int]]) -> None:
        """Copy the files that changed since `copied`, remove those that are gone, and update `copied`."""
        current, root = _scan(folder), f"{self.root}/trials/{trial}"
        for name in sorted(current, key=_copy_order):
            if current[name] != copied.get(name):
                if self.files.type_name == "local":  # buckets need no folders
                    self.files.create_dir(f"{root}/{name}".rpartition("/")[0])
                with (folder / name).open("rb") as source, self.files.open_output_stream(f"{root}/{name}") as target:
                    shutil.copyfileobj(source, target)
                copied[name] = current[name]
        for name in copied.keys() - current.keys():
            self.files.delete_file(f"{root}/{name}")
            del copied[name]

    def _is_renewed(self, path: str, claim: dict[str, Any]) -> bool:
        """Whether the driver that wrote a claim is alive; waits for its next renewal."""
        if claim["host"] == socket.gethostname() and not psutil.pid_exists(claim["pid"]):
            return False
        end = time.monotonic() + _CLAIM_EXPIRES
        with SafeConsole(stderr=True, force_jupyter=False).status(f"is the driver on {claim['host']} alive? …"):
            while time.monotonic() < end:
                time.sleep(_LOOK_EVERY)
                if self._read_claim(path) not in (None, claim):  # None while it is being written
                    return True
        return False

    def _read_claim(self, path: str) -> dict[str, Any] | None:
        try:
            with self.files.open_input_stream(path) as file:
                return dict(json.loads(file.read()))
        except (OSError, ValueError):  # no claim; if the storage is unusable, the first write reports it
            return None


def _scan(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and modification time (ns) of every file to copy, by its path relative to the folder."""
    files = {}
    for parent, _, names in os.walk(folder):  # unlike `rglob`, goes on when the trial removes a folder meanwhile
        for path in (Path(parent, name) for name in names):
            with suppress(FileNotFoundError):  # removed since its folder was read
                if path.is_file() and path.suffix not in _NOT_COPIED:
                    status = path.stat()
                    files[str(path.relative_to(folder))] = (status.st_size, status.st_mtime_ns)
    return files


def _copy_order(name: str) -> tuple[bool, str]:
    """Files whose presence says that others are complete come last: manifests of runs, then the mark of the trial."""
    return name.rpartition("/")[2] in _COPIED_LAST or name.startswith("sweep/trials/"), name
