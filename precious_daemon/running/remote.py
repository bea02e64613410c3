"""Speaks to the service for the command line. Where none runs, one is started for as long as the command lasts."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from precious_daemon import errors
from precious_daemon.config import Places, Settings

PATIENCE = 600.0  # seconds for one answer: a batch is hashed before and after it is moved


class Remote:
    """The JSON API of a service on this machine."""

    def __init__(self, host: str, port: int, key: str) -> None:
        self._host, self._port, self._key = host, port, key
        self.voter: str | None = None  # the name of the profile to speak for; None is the library's first

    def get(self, path: str, **query: Any) -> Any:
        """The answer as JSON, or as text where it is none. Raises the PreciousError that the service met."""
        return self._send("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""), None, "")

    def post(self, path: str, value: Any = None) -> Any:
        return self._send("POST", path, json.dumps(value or {}).encode(), "application/json")

    def post_text(self, path: str, text: str) -> Any:
        return self._send("POST", path, text.encode(), "text/csv; charset=utf-8")

    def _send(self, method: str, path: str, body: bytes | None, kind: str) -> Any:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=PATIENCE)
        headers = {"Authorization": f"Bearer {self._key}"}
        headers |= {"Content-Type": kind} if kind else {}
        headers |= {"Precious-Voter": urllib.parse.quote(self.voter)} if self.voter is not None else {}
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as exc:
            raise errors.ServiceError(f"The service does not answer ({exc}). Look at what it says, or start it again.") from exc
        finally:
            connection.close()
        told = json.loads(text) if response.headers.get_content_type() == "application/json" else text
        if response.status >= 400:
            raise _error(told, response.status)
        return told


def _error(told: Any, status: int) -> errors.PreciousError:
    if not isinstance(told, dict) or "error" not in told:
        return errors.ServiceError(f"The service answered with status {status}.")
    kind = getattr(errors, str(told.get("kind")), errors.PreciousError)
    if kind is errors.CountNeeded:
        return errors.CountNeeded(told["error"], told["count"])
    return kind(told["error"]) if issubclass(kind, errors.PreciousError) else errors.PreciousError(told["error"])


def find(places: Places) -> Remote | None:
    """The service that runs on this library, or None. A file that a killed one left behind is none."""
    try:
        said = json.loads(places.service_file.read_text("utf-8"))
        remote = Remote(said["host"], said["port"], said["key"])
    except (OSError, ValueError, KeyError):
        return None
    try:
        remote.get("/api/alive")
    except errors.PreciousError:
        return None
    return remote


@contextmanager
def reach(places: Places, settings: Settings) -> Iterator[Remote]:
    """A service to speak to. Raises what keeps one from starting, such as LibraryLocked."""
    remote = find(places)
    if remote is not None:
        yield remote
        return
    ready, leave = threading.Event(), asyncio.Event()
    found: list[Remote] = []
    failed: list[BaseException] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def live() -> None:
        from precious_daemon.running.daemon import running

        loops.append(asyncio.get_running_loop())
        async with running(places, settings, port=0, watching=False):
            own = await asyncio.to_thread(find, places)
            assert own, "a service that was just started answers"
            found.append(own)
            ready.set()
            await leave.wait()

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as exc:  # noqa: BLE001  # raised again below, in the thread that waits
            failed.append(exc)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="service for one command")
    thread.start()
    try:
        ready.wait()
        if not failed:
            yield found[0]
    finally:
        ready.wait()  # Ctrl-C may have come before there was anything to stop
        if not failed:
            loops[0].call_soon_threadsafe(leave.set)
        thread.join()
    if failed:
        raise failed[0]
