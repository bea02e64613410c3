"""The units in the hands of a real systemd: a service manager of root's, in namespaces and a cgroup of its own.

Needs what a container or a small virtual machine has and a desktop does not: root, a writable cgroup2, and no systemd that runs
the machine already. Of that machine nothing is touched: were the manager not alone in its cgroup, it would not be started.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from precious_daemon.config import Places
from precious_daemon.running import units
from tests.conftest import until
from tests.web.matrix import free_port

SYSTEMD = Path("/lib/systemd/systemd")
BOOT = f"""
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
grep -qx 0::/ /proc/self/cgroup
[ "$(wc -l < /sys/fs/cgroup/cgroup.procs)" -le 3 ]  # this shell, what reads here, and what made the namespaces
mkdir -p /run/systemd/system
install -d -m 700 /run/user/0
exec {SYSTEMD} --user --unit=basic.target
"""
SOONER = "[Service]\nRestartSec=100ms\nWatchdogSec=1s\nTimeoutAbortSec=100ms\n"  # than an owner would want; the rest as it is


def cgroups() -> Path | None:
    """Where cgroup2 is mounted."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return None
    return next((Path(line.split()[1]) for line in mounts.read_text().splitlines() if line.split()[2] == "cgroup2"), None)


def possible() -> bool:
    """A container may be root and still not be let do this."""
    top = cgroups()
    if not (SYSTEMD.exists() and top and os.geteuid() == 0) or Path("/run/systemd/system").exists():
        return False
    apart = ["unshare", "--mount", "--cgroup", "true"]
    return os.access(top, os.W_OK) and subprocess.run(apart, check=False, capture_output=True).returncode == 0


pytestmark = pytest.mark.skipif(
    not possible(),
    reason="needs root and cgroup2 on a machine that no systemd runs",
)


class Manager:
    """`systemctl --user`, spoken to from outside its namespaces."""

    def __init__(self, home: Path) -> None:
        self._top = cgroups()
        assert self._top
        self._group = self._top / f"precious-test-{os.getpid()}"
        self._group.mkdir()
        environ = os.environ | {"HOME": str(home), "XDG_RUNTIME_DIR": "/run/user/0", "XDG_CONFIG_HOME": str(home / ".config")}
        join = f"echo $$ > {self._group}/cgroup.procs && exec unshare --mount --cgroup sh -c '{BOOT}'"
        self._process = subprocess.Popen(["sh", "-c", join], env=environ, stderr=subprocess.DEVNULL)
        self._environ = environ
        until(self._answers, 20, "systemd did not start")

    def _answers(self) -> bool:
        assert self._process.poll() is None, "systemd has ended"
        return self.ask("list-units").returncode == 0

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["nsenter", "--target", str(self._process.pid), "--mount", "--cgroup", "systemctl", "--user", *words]
        return subprocess.run(command, env=self._environ, capture_output=True, text=True, check=False, timeout=60)

    def do(self, *words: str) -> None:
        done = self.ask(*words)
        assert done.returncode == 0, done.stderr

    def show(self, what: str, unit: str = "precious-daemon.service") -> str:
        return self.ask("show", "-P", what, unit).stdout.strip()

    @property
    def pid(self) -> int:
        return int(self.show("MainPID"))

    def close(self) -> None:
        (self._group / "cgroup.kill").write_text("1")
        self._process.wait(10)
        until(self._removed, 10, "a cgroup is left behind")

    def _removed(self) -> bool:
        for folder in sorted(self._group.rglob("*/"), reverse=True):
            try:
                folder.rmdir()
            except OSError:
                return False
        self._group.rmdir()
        return True


@pytest.fixture
def manager(here: Places, tmp_path: Path) -> Iterator[Manager]:
    (tmp_path / "photos").mkdir()
    folder = tmp_path / ".config" / "systemd" / "user"
    (folder / "precious-daemon.service.d").mkdir(parents=True)
    (folder / "precious-daemon.service.d" / "sooner.conf").write_text(SOONER)
    text = units.render("precious-daemon.service", [sys.executable, "-m", "precious_daemon"], [tmp_path / "photos"])
    (folder / "precious-daemon.service").write_text(text)
    shutil.copy(Path(__file__).parents[1] / "systemd" / "precious-daemon.socket", folder)
    (folder / "precious-daemon.socket.d").mkdir()
    there = f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{free_port()}\n"
    (folder / "precious-daemon.socket.d" / "there.conf").write_text(there)
    here.config_file.parent.mkdir(parents=True, exist_ok=True)
    here.config_file.write_text("[web]\nport = 0\n")
    running = Manager(tmp_path)
    yield running
    running.close()


def test_unit_starts_reloads_comes_back_and_stops(manager: Manager, here: Places) -> None:
    manager.do("start", "precious-daemon.service")
    assert here.service_file.exists(), "it is started when it is ready, and not before"
    status = Path(f"/proc/{manager.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    first = manager.pid
    manager.do("reload", "precious-daemon.service")
    until(lambda: manager.show("StatusText") == "Watching")
    assert manager.pid == first

    os.kill(first, signal.SIGKILL)
    until(lambda: manager.show("NRestarts") == "1" and manager.show("ActiveState") == "active", 20, "it did not come back")
    second = manager.pid
    os.kill(second, signal.SIGSTOP)  # stuck: no sign of life any more
    until(lambda: manager.show("NRestarts") == "2" and manager.show("ActiveState") == "active", 20, "the watchdog slept")
    assert manager.pid not in (first, second)

    began = time.monotonic()
    manager.do("stop", "precious-daemon.service")
    assert time.monotonic() - began < 10
    assert (manager.show("ActiveState"), manager.show("Result")) == ("inactive", "success")
    assert not here.service_file.exists()


def test_a_visit_starts_the_service_where_systemd_holds_the_port(manager: Manager) -> None:
    manager.do("start", "precious-daemon.socket")
    assert manager.show("ActiveState") == "inactive"
    address = manager.show("Listen", "precious-daemon.socket").partition(" ")[0]
    with urllib.request.urlopen(f"http://{address}/", timeout=30) as answer:
        assert "Precious" in answer.read().decode()
    assert manager.show("ActiveState") == "active"
