"""What processes listen on."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address

import psutil

__all__ = ["listening", "open_to_others"]


def listening(process: psutil.Process) -> set[tuple[str, str, int]]:
    """Name of the process, address and port of every TCP socket on which a process and its descendants listen."""
    found = set()
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            sockets = one.net_connections("tcp")
            found |= {(one.name(), s.laddr.ip, s.laddr.port) for s in sockets if s.status == psutil.CONN_LISTEN}
    return found


def open_to_others(process: psutil.Process) -> set[tuple[str, str, int]]:
    """The sockets among those of `listening` that other machines may reach."""
    return {found for found in listening(process) if not ip_address(found[1].removeprefix("::ffff:")).is_loopback}
