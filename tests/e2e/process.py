"""The real service as a process, and its owner at a browser's place."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import until

EVERY = 0.25  # seconds between looks: the night's children are last in line for the processor, and each look takes some of it
READY = re.compile(r"http://precious\.localhost:(\d+)/login\?token=(\S+)")


class ServiceProcess:
    """`precious-daemon run` on a library, started, killed and stopped as the test wants."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.lines: list[str] = []

    def start(self, seconds: float = 30) -> Owner:
        """Start it, wait for the line with the login link, and sign in with that."""
        command = [sys.executable, "-m", "precious_daemon", "run", *self._arguments, "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines.clear()
        self._reader = threading.Thread(target=self._read, args=(self.process,))
        self._reader.start()
        until(lambda: self._link() is not None or self.process.poll() is not None, seconds, "the service did not become ready")
        link = self._link()
        assert link, "".join(self.lines)
        return Owner(int(link[1]), urllib.parse.unquote(link[2]))

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            self.lines.append(line)

    def _link(self) -> re.Match[str] | None:
        return next((found for line in self.lines if (found := READY.search(line))), None)

    def kill(self) -> None:
        """As if the power had gone for this process alone."""
        self.process.kill()
        self._ended()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> float:
        """Ask it to stop; the seconds that took."""
        began = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(30)
        took = time.monotonic() - began
        self._ended()
        return took

    def _ended(self) -> None:
        self.process.wait()
        self._reader.join()
        assert self.process.stdout
        self.process.stdout.close()

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()


class Owner:
    """A browser with a session, without the browser."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._cookie = ""
        status, headers, _ = self._send("POST", "/login", urllib.parse.urlencode({"token": token}).encode(),
                                        "application/x-www-form-urlencoded")  # fmt: skip
        assert status == 303, status
        self._cookie = headers["Set-Cookie"].split(";")[0]

    def _send(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, Any, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        headers = {"Sec-Fetch-Site": "same-origin", "Cookie": self._cookie} | ({"Content-Type": kind} if kind else {})
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        status, headers, body = self._send("GET", path)
        assert status == 200, (path, status, body[:300])
        return json.loads(body) if headers.get_content_type() == "application/json" else body

    def post(self, path: str, **fields: Any) -> Any:
        status, _, body = self._send("POST", path, json.dumps(fields).encode(), "application/json")
        assert status == 200, (path, status, body[:300])
        return json.loads(body)

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/api/status")
        return found

    def settled(self, photos: int, seconds: float = 300) -> dict[str, Any]:
        """Wait until so many photos are read and grouped, and nothing is under way."""

        def at_rest() -> bool:
            status = self.status
            return status["photos"]["present"] == photos and status["groups"]["clusters"] > 0 and not status["running"]

        until(at_rest, seconds, "the service did not come to rest", EVERY)
        return self.status

    def run(self, job: str, seconds: float = 400) -> dict[str, Any]:
        """Run a job and wait for it; how it ended."""

        def last() -> dict[str, Any]:
            return next(j["last"] for j in self.status["jobs"] if j["name"] == job) or {"id": 0, "outcome": ""}

        before = last()["id"]
        self.post(f"/api/jobs/{job}/run")
        until(lambda: last()["id"] != before and last()["outcome"] != "running", seconds, f"{job} did not end", EVERY)
        return last()

    def answer(self, asked: dict[str, Any], choice: str) -> None:
        self.post(
            "/api/answer", question=asked["question"], choice=choice, photos=[photo["uid"] for photo in asked["photos"]],
            purpose=asked["purpose"], request=uuid.uuid4().hex,
        )  # fmt: skip

    def label(self, count: int, goes: Callable[[str], bool]) -> None:
        """Answer keep-or-delete questions as somebody who throws away what `goes` says of a path."""
        for _ in range(count):
            asked = self.get("/api/question?kind=label")["next"]
            if asked is None:
                return
            self.answer(asked, "delete" if goes(asked["photos"][0]["path"]) else "keep")

    def vote(self, count: int, better: Callable[[str, str], bool]) -> None:
        for _ in range(count):
            asked = self.get("/api/question?kind=pair")["next"]
            first, second = (photo["path"] for photo in asked["photos"])
            self.answer(asked, "first" if better(first, second) else "second")


def bytes_under(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for what the service keeps there itself."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".precious") for part in path.relative_to(folder).parts)
    }


def command(*arguments: str, status: int = 0) -> str:
    """What a command prints, with the exit code it has to have."""
    done = subprocess.run(
        [sys.executable, "-m", "precious_daemon", *arguments], capture_output=True, text=True, env=os.environ, check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr
