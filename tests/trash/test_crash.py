"""SIGKILL at every system call that changes something, in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from precious_daemon.config import Places
from precious_daemon.models import UnitState
from precious_daemon.store import Store
from tests.trash.library import Library, everything

STRACE = shutil.which("strace")
pytestmark = pytest.mark.skipif(STRACE is None, reason="needs strace")


def prepared(here: Places, folder: Path) -> tuple[str, set[str]]:
    """A batch of one capture with three files, and every content there is."""
    with Store(here) as store:
        library = Library(store, here, folder)
        number = len(library.units(*UnitState))
        photo = library.add(f"{number}/IMG.JPG", b"%d" % number, f"{number}/IMG.MOV", f"{number}/IMG.JPG.xmp")
        return library.approve(photo), set(library.contents())


def killed(here: Places, folder: Path, batch: str, call: str, when: int, program: str = "tests.trash.apply_and_undo") -> bool:
    """Run it with a SIGKILL at the `when`-th of these system calls; False when it ended before."""
    assert STRACE
    trace = [STRACE, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={when}"]
    command = [*trace, sys.executable, "-m", program, str(folder), *filter(None, [batch])]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], env=os.environ, capture_output=True, timeout=60, check=False)
    if done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return True
    assert done.returncode == 0, done.stderr.decode()
    return False


def settled(here: Places, folder: Path) -> UnitState:
    """The state of the newest unit after recovery. The journal and the disk agree, and the database is whole."""
    with Store(here) as store:
        library = Library(store, here, folder)
        library.recover()
        library.check_agreement()
        assert store.read(lambda db: db.execute("PRAGMA integrity_check").fetchone()[0]) == "ok"
        return library.units(*UnitState)[-1].state


@pytest.mark.parametrize(
    ("call", "step", "at_least"),
    [
        ("mkdirat", 1, 3),  # the trash, the batch, the unit
        ("renameat2", 1, 7),  # the record, three files, and the files back
        ("fsync", 1, 10),  # folders, the record, folders of the moves, the audit log
        ("unlinkat", 1, 3),  # the record and two folders of ours
        ("fdatasync", 1, 5),  # the journal
        ("pwrite64", 17, 20),
    ],
)
def test_killed_at_every_change(here: Places, tmp_path: Path, call: str, step: int, at_least: int) -> None:
    check_killed_at_every_change(here, tmp_path, call, step, at_least)


@pytest.mark.parametrize(
    ("call", "step", "at_least"),
    [
        ("mkdirat", 1, 3),  # batch and unit each time; the trash, its files and its info only once
        ("renameat2", 1, 7),
        ("fsync", 2, 14),  # the three .trashinfo and their folder as well
        ("unlinkat", 1, 6),  # and their end
    ],
)
@pytest.mark.usefixtures("desktop")
def test_killed_at_every_change_of_the_trash_of_the_desktop(
    here: Places, tmp_path: Path, call: str, step: int, at_least: int
) -> None:
    check_killed_at_every_change(here, tmp_path, call, step, at_least)
    there = {name: {path.name for path in (tmp_path / "share/Trash" / name).iterdir()} for name in ("files", "info")}
    assert there["info"] == {f"{name}.trashinfo" for name in there["files"]}, (
        "each file has its .trashinfo, and none is left over"
    )


def check_killed_at_every_change(here: Places, tmp_path: Path, call: str, step: int, at_least: int) -> None:
    folder = tmp_path / "photos"
    for when in range(1, 500, step):
        batch, before = prepared(here, folder)
        alive = not killed(here, folder, batch, call, when)
        assert set(everything(folder)) == before
        state = settled(here, folder)
        assert set(everything(folder)) == before
        if alive:
            break
    assert when > at_least
    assert state is UnitState.UNDONE


@pytest.mark.parametrize(
    ("call", "step", "at_least"),
    [
        ("unlinkat", 1, 6),  # three files, the record and two folders of ours
        ("fsync", 1, 3),  # the audit log, the unit's folder, the audit log
        ("fdatasync", 1, 3),  # the journal
    ],
)
def test_killed_at_every_change_of_a_removal_for_good(here: Places, tmp_path: Path, call: str, step: int, at_least: int) -> None:
    folder = tmp_path / "photos"
    with Store(here) as store:
        Library(store, here, folder).add("stays.jpg", b"stays")
    for when in range(1, 100, step):
        with Store(here) as store:
            library = Library(store, here, folder)
            number = len(library.units(*UnitState))
            library.send(library.add(f"{number}/IMG.JPG", b"%d" % number, f"{number}/IMG.MOV", f"{number}/IMG.JPG.xmp"))
            before = set(everything(folder))
        alive = not killed(here, folder, "", call, when, "tests.trash.apply_and_purge")
        state = settled(here, folder)
        after = set(everything(folder))
        assert state in (UnitState.DONE, UnitState.PURGED)
        assert after == before if state is UnitState.DONE else len(before - after) == 3
        assert ["stays.jpg"] in everything(folder).values()
        if alive:
            break
        with Store(here) as store:
            library = Library(store, here, folder)
            library.undo(*library.units(UnitState.DONE))
    assert when > at_least
    assert state is UnitState.PURGED
