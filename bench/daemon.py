"""What the service costs while nobody asks anything of it: memory, processor time, wake-ups; how soon it is ready; `status`.

    python -m bench.daemon [--quick] [--photos N] [--seconds S]

The service is started as a process on an empty library, and on one of N made-up photos (1,000,000 in the long run), and told when
it is ready by a notify socket, as systemd is. Processor time at rest is taken from /proc over S seconds and said for an hour;
wake-ups are the voluntary context switches of all its threads.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.common import Figure, arguments, report, rss_mb, say

PAGES = ("/api/status", "/api/suggestions", "/api/ranking.csv", "/metrics", "/api/openapi.json")
SETTLED = 5.0  # seconds after which a service that has nothing to do is at rest


class Started:
    """A service, and how long it took."""

    def __init__(self, home: Path, *folders: Path) -> None:
        self._box = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = home / "notify"
        address.unlink(missing_ok=True)
        self._box.bind(str(address))
        self._box.settimeout(600)
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ |= {"PRECIOUS_HOME": str(home), "NOTIFY_SOCKET": str(address)}
        command = [sys.executable, "-m", "precious_daemon", "run", "--port", "0", *map(str, folders)]
        began = time.perf_counter()
        self.process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
        while b"READY=1" not in self._box.recv(4096):
            pass
        self.seconds = time.perf_counter() - began
        self.pid = self.process.pid
        self.cpu_seconds = self.cpu()
        self._file = home / "run" / "service.json"

    def ask(self, path: str) -> None:
        import http.client

        told = json.loads(self._file.read_text())
        connection = http.client.HTTPConnection(told["host"], told["port"], timeout=60)
        connection.request("GET", path, headers={"Authorization": f"Bearer {told['key']}"})
        connection.getresponse().read()
        connection.close()

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def wakes(self) -> int:
        total = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            line = next(line for line in (task / "status").read_text().splitlines() if line.startswith("voluntary_ctxt"))
            total += int(line.split()[1])
        return total

    def stop(self) -> float:
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self._box.close()
        return time.perf_counter() - began


@contextmanager
def service(home: Path, *folders: Path) -> Iterator[Started]:
    found = Started(home, *folders)
    try:
        yield found
    finally:
        if found.process.poll() is None:
            found.stop()


def status_seconds(home: Path) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        command = [sys.executable, "-m", "precious_daemon", "status", "--json"]
        subprocess.run(command, env=os.environ | {"PRECIOUS_HOME": str(home)}, stdout=subprocess.DEVNULL, check=False)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def at_rest(started: Started, seconds: float) -> dict[str, float]:
    """Share of one core in percent, wake-ups a minute, memory in MB."""
    time.sleep(SETTLED)
    cpu, wakes, began = started.cpu(), started.wakes(), time.perf_counter()
    time.sleep(seconds)
    took = time.perf_counter() - began
    return {
        "cpu": (started.cpu() - cpu) / took * 100,
        "wakes": (started.wakes() - wakes) / took * 60,
        "rss": rss_mb(started.pid),
    }


def fill_library(home: Path, count: int) -> None:
    from bench.million import fill
    from precious_daemon import config
    from precious_daemon.store import Store, job_runs

    os.environ["PRECIOUS_HOME"] = str(home)
    now = time.time()
    with Store(config.places()) as store:
        fill(store, count, random.Random(0))
        night = store.write(job_runs.start, "night", "owner", now)  # nothing is to be made up for
        store.write(job_runs.finish, night, "done", "", None, now)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--photos", type=int)
    parser.add_argument("--seconds", type=float, help="how long it is watched at rest")
    options = parser.parse_args()
    count = options.photos if options.photos is not None else 20_000 if options.quick else 1_000_000
    seconds = options.seconds or (12.0 if options.quick else 300.0)
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder:
        empty, large, pictures = Path(folder, "empty"), Path(folder, "large"), Path(folder, "pictures")
        for made in (empty, large, pictures):
            made.mkdir()
        with service(empty, pictures):
            pass  # the first start compiles, and makes the databases
        say("an empty library at rest")
        with service(empty, pictures) as started:
            figures["ready"] = Figure(started.seconds, "s", 1.0)
            figures["ready, processor time"] = Figure(started.cpu_seconds, "s")
            rest = at_rest(started, seconds)
            figures["memory at rest"] = Figure(rest["rss"], "MB", 45)
            figures["processor at rest"] = Figure(rest["cpu"], "% of a core", 0.1)
            figures["wake-ups at rest"] = Figure(rest["wakes"], "a minute")
            figures["status"] = Figure(status_seconds(empty), "s", 0.3)
            figures["stopped"] = Figure(started.stop(), "s", 10)
        say(f"{count:,} photos")
        fill_library(large, count)
        with service(large):
            pass  # all votes are weighed once
        say("the same on those")
        with service(large) as started:
            figures["ready, large"] = Figure(started.seconds, "s", 1.0)
            figures["ready, large, processor time"] = Figure(started.cpu_seconds, "s")
            rest = at_rest(started, seconds)
            figures["memory at rest, large"] = Figure(rest["rss"], "MB", 80)
            figures["processor at rest, large"] = Figure(rest["cpu"], "% of a core", 0.1)
            figures["status, large"] = Figure(status_seconds(large), "s", 0.3)
            for page in PAGES:
                started.ask(page)
            figures["memory once asked, large"] = Figure(rss_mb(started.pid), "MB")
            figures["stopped, large"] = Figure(started.stop(), "s", 10)
    report("daemon", {"photos": count, "seconds at rest": seconds}, figures)


if __name__ == "__main__":
    main()
