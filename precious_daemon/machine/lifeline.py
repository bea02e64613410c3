"""What systemd is told, where it is what started the service (sd_notify): ready, what it is doing, and that it lives."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

QUIET = 30.0  # seconds between words on what is being done, where no watchdog wants them sooner


def notify(*states: str) -> None:
    """Tell systemd, in one message."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.sendto("\n".join(states).encode(), "\0" + address[1:] if address.startswith("@") else address)


def reloading() -> None:
    """The settings are read anew; `READY=1` follows once that is done."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def watchdog_seconds() -> float | None:
    """After so long without a sign of life systemd starts the service anew; None where it does not watch this process."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        return int(os.environ["WATCHDOG_USEC"]) / 1e6
    except (KeyError, ValueError):
        return None


async def keep_telling(doing: Callable[[], str]) -> None:
    """From the event loop, so that one that is stuck falls silent: a sign of life, and in a sentence what is being done.

    Returns at once where nobody listens.
    """
    if "NOTIFY_SOCKET" not in os.environ:
        return
    limit = watchdog_seconds()
    said = ""
    while True:
        news = doing()
        states = ["WATCHDOG=1"] if limit else []
        if news != said:
            states.append(f"STATUS={news}")
            said = news
        if states:
            notify(*states)
        await asyncio.sleep(min(limit / 3, QUIET) if limit else QUIET)
