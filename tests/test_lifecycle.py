"""What the service manager sees: readiness, signs of life, new settings on SIGHUP, a log that it understands."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from precious_daemon import status
from precious_daemon.cli import logs
from precious_daemon.config import Places, ScheduleSettings, Settings, WebSettings
from precious_daemon.machine import lifeline
from precious_daemon.reload import apply, changed
from precious_daemon.running.daemon import running
from tests.conftest import until
from tests.e2e.process import ServiceProcess


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def told(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


async def test_a_loop_that_is_stuck_falls_silent(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    task = asyncio.create_task(lifeline.keep_telling(lambda: "Watching"))
    assert await asyncio.to_thread(told, manager) == ["WATCHDOG=1", "STATUS=Watching"]
    assert await asyncio.to_thread(told, manager) == ["WATCHDOG=1"], "what has not changed is not said again"
    time.sleep(0.5)  # the loop is stuck: longer than the watchdog waits
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)
    task.cancel()


def test_the_watchdog_of_another_process_is_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    assert lifeline.watchdog_seconds() == 1.0
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert lifeline.watchdog_seconds() is None


async def test_nobody_is_told_anything_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    await asyncio.wait_for(lifeline.keep_telling(lambda: "Watching"), 1)


def test_a_service_is_ready_alive_reloaded_and_stopped(manager: socket.socket, here: Places, tmp_path: Path) -> None:
    here.make()
    here.config_file.write_text("[service]\nlog_level = 'info'\n")
    os.environ["WATCHDOG_USEC"] = "60000000"
    service = ServiceProcess(str(tmp_path))
    try:
        owner = service.start()
        said = told(manager)
        while said != ["READY=1"]:
            said = told(manager)
        alive = told(manager)
        assert alive[0] == "WATCHDOG=1"
        assert alive[1].startswith("STATUS=")

        for text, sentence in (
            ("[ask]\ntrain_labels = 10\n", "ask.train_labels is now 10"),
            ("[ask]\ntrain_lables = 9\n", "did you mean train_labels"),
        ):
            here.config_file.write_text("[service]\nlog_level = 'info'\n" + text)
            service.process.send_signal(signal.SIGHUP)
            while not (said := told(manager))[0].startswith("RELOADING=1"):
                pass
            assert said[1].startswith("MONOTONIC_USEC=")
            while told(manager) != ["READY=1"]:
                pass
            until(lambda sentence=sentence: any(sentence in line for line in service.lines), 10, "".join(service.lines))
            assert owner.status["answers"]["train_goal"] == 10, "a file with a mistake changes nothing"

        service.stop()
        while told(manager) != ["STOPPING=1"]:
            pass
    finally:
        del os.environ["WATCHDOG_USEC"]
        service.close()


async def test_new_settings_reach_those_who_keep_some(here: Places) -> None:
    async with running(here, Settings(), port=0) as started:
        service = started.service
        new = replace(Settings(), schedule=ScheduleSettings(night="04:15"), web=WebSettings(port=1234))
        new = replace(new, watch=replace(new.watch, rescan_hours=1.0), trash=replace(new.trash, batch=7))
        new = replace(new, ingest=replace(new.ingest, workers=3), plugins=replace(new.plugins, enabled=("webhook",)))
        said = await apply(service, new)
        assert "web.port is now 1234; it counts from the next start on." in said
        assert time.localtime(service.jobs.next_run("night") or 0)[3:5] == (4, 15)
        assert (service.jobs.next_run("scan") or 0) < time.time() + 3601
        assert service.jobs.arrivals.ingest.readers.workers == 3
        assert [info.name for info in service.plugins.names() if info.enabled] == ["webhook"]
        warnings = (await status.snapshot(service))["warnings"]
        assert any(line.startswith("The plugin webhook does not work: ") for line in warnings), "it has no address yet"


def test_nothing_changed_is_nothing_to_say() -> None:
    assert list(changed(Settings(), Settings())) == []


# --- the log -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("precious_daemon")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.mark.usefixtures("_logging_as_before")
def test_the_json_log_is_one_object_a_line_whatever_a_name_holds() -> None:
    out = io.StringIO()
    logs.configure("json", "info", out)
    log = logging.getLogger("precious_daemon.test")
    log.debug("not this")
    log.info("read %s", 'a"b\nc\udcff.jpg')
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("failed")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("info", "precious_daemon.test", 'read a"b\nc?.jpg')
    assert "ValueError: broken" in second["exception"]


@pytest.mark.usefixtures("_logging_as_before")
def test_under_journald_each_line_has_its_priority_and_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w") as out:
        there = os.fstat(out.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{there.st_dev}:{there.st_ino}")
        logs.configure("plain", "warning", out)
        logging.getLogger("precious_daemon.test").error("first\nsecond")
        logging.getLogger("precious_daemon.test").info("for the run of a job alone")
    assert (tmp_path / "journal").read_text() == "<3>precious_daemon.test: first\n<3>second\n"
