"""Starts a child process on a job folder, passes on how far it is, and stops it in time."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from precious_daemon.config import Places
from precious_daemon.errors import ChildFailed
from precious_daemon.machine.progress import Say
from precious_daemon.work import jobfolder

log = logging.getLogger(__name__)

LOOK = 2.0  # seconds between looks at what a child takes
GRACE = 8.0  # seconds between SIGTERM and SIGKILL: the service itself has to be gone in ten


@dataclass(slots=True)
class Allowance:
    """What children may take: processor seconds, all of them together, and bytes of memory, each of them. None: no limit.

    It is held where /proc tells what a process takes, which is Linux; elsewhere the time budget alone holds.
    """

    cpu_seconds: float | None = None  # what is left
    memory: float | None = None

    @property
    def spent(self) -> bool:
        return self.cpu_seconds is not None and self.cpu_seconds <= 0


@contextmanager
def job_folder(places: Places, name: str) -> Iterator[Path]:
    """A folder for one child, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=places.jobs))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_leftovers(places: Places) -> None:
    """Job folders of a service that was killed."""
    for folder in places.jobs.iterdir():
        shutil.rmtree(folder, ignore_errors=True)


async def run_child(module: str, folder: Path, say: Say, allowance: Allowance | None = None) -> bool:
    """Run `python -m module folder` to its end. True when it did all of its work, False when it stopped before.

    One that has used up the processor time of its `allowance` is stopped as if asked to, one that takes too much memory fails.

    Raises ChildFailed with the last line of its complaint. Cancelling stops the child and waits for it.
    """
    with open(folder / "child.log", "wb") as complaints:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            str(folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=complaints,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # Ctrl-C in the terminal is for the service, which then stops its children
        )
    too_much: list[str] = []
    meter = asyncio.create_task(_measure(process, allowance, too_much)) if allowance else None
    try:
        await _listen(process, say)
        status = await process.wait()
    except asyncio.CancelledError:
        await _end(process)
        raise
    finally:
        if process.returncode is None:
            await _end(process)
        if meter:
            meter.cancel()
            await asyncio.wait([meter])
    if too_much:
        raise ChildFailed(too_much[0])
    if status in (0, jobfolder.STOPPED):
        return status == 0
    lines = (folder / "child.log").read_text("utf-8", "replace").strip().splitlines()
    for line in lines[-20:]:
        log.error("%s: %s", module, line)
    raise ChildFailed(_complaint(folder) or f"{module} ended with status {status}: {lines[-1] if lines else 'no message'}")


async def _measure(process: asyncio.subprocess.Process, allowance: Allowance, too_much: list[str]) -> None:
    """Hold a child to its allowance, and deduct what it uses. `too_much` gets the reason before the child is ended."""
    used = 0.0
    while (taken := _taken(process.pid)) is not None:
        seconds, memory = taken
        if allowance.cpu_seconds is not None:
            allowance.cpu_seconds -= seconds - used
        used = seconds
        if allowance.memory is not None and memory > allowance.memory:
            too_much.append(
                f"It took {memory / 1e6:,.0f} MB of memory, and may take {allowance.memory / 1e6:,.0f}. "
                "Raise schedule.memory_megabytes in the settings."
            )
            await _end(process)
            return
        if allowance.spent:
            log.info("the night's processor time is used up: this goes on in the next one")
            await _end(process)
            return
        await asyncio.sleep(LOOK)


def _taken(pid: int) -> tuple[float, int] | None:
    """(processor seconds, bytes of memory) of a process; None where it is gone or this system does not tell."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    except (OSError, IndexError):
        return None
    return sum(map(int, words[11:13])) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")


def _complaint(folder: Path) -> str | None:
    """The sentence that a child leaves when it ends without a result on purpose."""
    try:
        error = jobfolder.read_json(folder, "report.json").get("error")
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return str(error) if error else None


async def _listen(process: asyncio.subprocess.Process, say: Say) -> None:
    """Pass on what a child says. Plugins and libraries may print anything there: that is logged."""
    assert process.stdout
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:
            continue  # longer than the buffer, and dropped
        if not line:
            return
        try:
            word = json.loads(line)
            say(word["what"], word["done"], word["total"])
        except (ValueError, KeyError, TypeError):
            log.info("child: %s", line.decode("utf-8", "replace").rstrip())


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), GRACE)
    except TimeoutError:
        log.warning("a child did not stop within %g s and is killed", GRACE)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
