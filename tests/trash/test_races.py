"""Others change the folder while photos are moved: what was approved moves, or nothing does, and no byte is lost."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from precious_daemon.config import places
from precious_daemon.models import RootState, UnitState
from precious_daemon.store import Store, roots
from precious_daemon.trash.moves import Disk
from precious_daemon.trash.records import TRASH
from tests.trash.library import Library, contents

TRIES = 100
PROCESSES = 8


def exchange(one: Path, two: Path, spare: Path) -> None:
    """Put `two` where `one` is and back, as often as asked, without ever replacing anything itself."""
    disk = Disk()
    for source, target in ((one, spare), (two, one), (one, two), (spare, one)):
        with contextlib.suppress(OSError):
            disk._rename(-100, os.fsencode(source), -100, os.fsencode(target))


@contextmanager
def racer(act: Callable[[], None]) -> Iterator[None]:
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.0001):  # the others get their turn too
            act()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that both get their turn
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)


def settle(library: Library) -> None:
    """Between two tries: the owner confirms the folder, and what waited is settled."""
    library.store.write(roots.set_state, library.root.id, RootState.WATCHED, None)
    library.recover()


def check_trash(library: Library) -> None:
    """Nothing is in the trash but what was approved, and whatever the journal calls done is there."""
    for file in (library.folder / TRASH).rglob("IMG*"):
        assert file.read_bytes().startswith(b"approved")
    for unit in library.units(UnitState.DONE):
        assert all((library.folder / (file.trash_path or "")).is_file() for file in unit.files)


@pytest.mark.parametrize("name", ["IMG.JPG", "IMG.MOV"], ids=["the still is swapped", "a companion is swapped"])
def test_a_racer_that_swaps_a_file_gets_nothing_of_its_own_moved(library: Library, name: str) -> None:
    for i in range(20):
        library.add(f"known/{i}.jpg", b"known %d" % i)
    for number in range(TRIES // 2):
        base = library.folder / str(number)
        photo = library.add(f"{number}/IMG.JPG", b"approved %d" % number, f"{number}/IMG.MOV")
        (base / "stranger").write_bytes(b"stranger %d" % number)
        before = library.contents()
        batch = library.approve(photo)
        with racer(lambda: exchange(base / name, base / "stranger", base / "spare")):  # noqa: B023
            library.apply(batch)
        assert library.contents().keys() == before.keys()
        settle(library)
        assert library.contents().keys() == before.keys()
        check_trash(library)
    library.check_agreement()


def test_a_racer_that_swaps_the_folder_for_a_link_gets_nothing_outside_moved(library: Library, tmp_path: Path) -> None:
    for i in range(20):
        library.add(f"known/{i}.jpg", b"known %d" % i)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "IMG.JPG").write_bytes(b"outside")
    inode = (outside / "IMG.JPG").stat().st_ino
    for number in range(TRIES // 2):
        base = library.folder / str(number)
        photo = library.add(f"{number}/IMG.JPG", b"approved %d" % number)
        (library.folder / "link").symlink_to(outside)
        before = library.contents()
        batch = library.approve(photo)
        with racer(lambda: exchange(base, library.folder / "link", library.folder / "spare")):  # noqa: B023
            library.apply(batch)
        exchange(library.folder / "nothing", library.folder / "nothing", base)
        settle(library)
        assert library.contents().keys() == before.keys()
        assert (outside / "IMG.JPG").stat().st_ino == inode
        assert [p.name for p in outside.iterdir()] == ["IMG.JPG"]
        check_trash(library)
        for left in ("link", "spare"):
            if (library.folder / left).is_symlink():
                (library.folder / left).unlink()
        if base.is_symlink():
            base.unlink()


def test_a_racer_that_moves_the_trash_away_loses_nothing(library: Library, tmp_path: Path) -> None:
    for number in range(TRIES // 4):
        photo = library.add(f"{number}/IMG.JPG", b"approved %d" % number)
        library.add(f"other{number}/IMG.JPG", b"other %d" % number)
        before = contents(tmp_path)
        batch = library.approve(photo)
        with racer(lambda: exchange(library.folder / TRASH, tmp_path / "nothing", tmp_path / "carried off")):
            library.apply(batch)
        settle(library)
        assert contents(tmp_path).keys() == before.keys()


# --- the same at a chosen moment ---------------------------------------------------------------------------------------


class Interrupted(Disk):
    """Does something to the folder right before the `at`-th rename."""

    def __init__(self, act: Callable[[], object], at: int) -> None:
        super().__init__()
        self.act, self.left = act, at

    def _rename(self, source_folder: int, source: bytes, target_folder: int, target: bytes) -> None:
        self.left -= 1
        if not self.left:
            self.act()
        super()._rename(source_folder, source, target_folder, target)


def approved(library: Library, act: Callable[[Path], object], at: int) -> tuple[Library, str]:
    """A library with one approved capture, in whose folder `act` happens before the `at`-th rename of its move."""
    photo = library.add("a/IMG.JPG", b"approved", "a/IMG.MOV")
    (library.folder / "a/stranger").write_bytes(b"stranger")
    batch = library.approve(photo)
    disk = Interrupted(lambda: act(library.folder / "a"), at)
    return Library(library.store, library.places, library.folder, disk=disk), batch


def swap_file(name: str) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        (folder / name).rename(folder / "aside")
        (folder / "stranger").rename(folder / name)

    return act


@pytest.mark.parametrize(("name", "at"), [("IMG.JPG", 2), ("IMG.MOV", 3)])
def test_a_file_swapped_after_it_was_verified_is_put_back_and_freezes_the_folder(library: Library, name: str, at: int) -> None:
    library, batch = approved(library, swap_file(name), at)
    (outcome,) = library.apply(batch)
    assert not outcome.moved
    assert outcome.message == f"{name} was replaced by something else at the moment it was moved."
    assert library.root_now().state is RootState.FROZEN
    assert {p.name for p in (library.folder / "a").iterdir()} == {"IMG.JPG", "IMG.MOV", "aside"}
    assert (library.folder / "a" / name).read_bytes() == b"stranger"
    assert not list((library.folder / TRASH).iterdir())


def test_a_link_swapped_in_after_it_was_verified_is_put_back(library: Library, tmp_path: Path) -> None:
    def act(folder: Path) -> None:
        (folder / "IMG.JPG").rename(folder / "aside")
        (folder / "IMG.JPG").symlink_to(tmp_path)

    library, batch = approved(library, act, 2)
    assert not library.apply(batch)[0].moved
    assert (library.folder / "a/IMG.JPG").is_symlink()
    assert library.root_now().state is RootState.FROZEN


def test_a_folder_swapped_for_a_link_after_it_was_verified_is_not_followed(library: Library, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "IMG.JPG").write_bytes(b"outside")

    def act(folder: Path) -> None:
        folder.rename(folder.with_name("b"))
        folder.symlink_to(outside)

    library, batch = approved(library, act, 2)
    (outcome,) = library.apply(batch)
    assert outcome.moved, "the very file that was approved, through the folder that was held"
    assert [p.name for p in outside.iterdir()] == ["IMG.JPG"]


@pytest.mark.parametrize("change", ["content", "time"])
def test_a_file_written_to_after_it_was_verified_is_put_back(library: Library, change: str) -> None:
    def act(folder: Path) -> None:
        if change == "content":
            (folder / "IMG.JPG").write_bytes(b"edited at the last moment")
        else:
            os.utime(folder / "IMG.JPG", ns=(1, 1))

    library, batch = approved(library, act, 2)
    (outcome,) = library.apply(batch)
    assert outcome.message == "IMG.JPG was changed while it was being moved, so it stays; look at it again."
    assert (library.folder / "a/IMG.JPG").exists()
    assert library.root_now().state is RootState.WATCHED
    library.check_agreement()


def test_a_trash_moved_out_of_the_folder_gives_back_what_was_put_into_it(library: Library, tmp_path: Path) -> None:
    library, batch = approved(library, lambda folder: (folder.parent / TRASH).rename(tmp_path / "carried off"), 3)
    (outcome,) = library.apply(batch)
    assert outcome.message == "The trash folder itself was moved away or replaced."
    assert {p.name for p in (library.folder / "a").iterdir()} == {"IMG.JPG", "IMG.MOV", "stranger"}
    assert library.root_now().state is RootState.FROZEN


def test_a_file_that_disappears_during_the_move_leaves_the_others_in_place(library: Library) -> None:
    library, batch = approved(library, lambda folder: (folder / "IMG.MOV").rename(folder / "aside"), 3)
    assert not library.apply(batch)[0].moved
    assert {p.name for p in (library.folder / "a").iterdir()} == {"IMG.JPG", "aside", "stranger"}
    library.check_agreement()


def test_a_name_taken_at_the_very_moment_of_an_undo_gets_the_next_one(library: Library) -> None:
    library, batch = approved(library, lambda folder: (folder / "IMG.MOV").write_bytes(b"late"), 3 + 2)
    (outcome,) = library.apply(batch)
    (outcome,) = library.undo(outcome.unit)
    assert outcome.moved
    names = {p.name for p in (library.folder / "a").iterdir()}
    assert names == {"IMG.MOV", "IMG (restored).JPG", "IMG (restored).MOV", "stranger"}
    library.check_agreement()


# --- many at once ------------------------------------------------------------------------------------------------------


def at_once(folder: Path, homes: Path, count: int) -> None:
    """All processes do it at the same moment, each with a home of its own."""
    commands = [[sys.executable, "-m", "tests.trash.at_once", str(folder), f"p{n}", str(count)] for n in range(PROCESSES)]
    running = [
        subprocess.Popen(
            command,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PRECIOUS_HOME": str(homes / f"p{n}")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n, command in enumerate(commands)
    ]
    for process in running:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_many_processes_that_trash_one_name_at_once_lose_nothing(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    at_once(folder, home, 3)
    assert len(contents(folder)) == PROCESSES * 3
    assert all(TRASH in path for paths in contents(folder).values() for path in paths)
    at_once(folder, home, 0)
    assert len(contents(folder)) == PROCESSES * 3
    assert not any(TRASH in path for paths in contents(folder).values() for path in paths)


def test_many_processes_that_restore_one_name_at_once_lose_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photos"
    for n in range(PROCESSES):
        monkeypatch.setenv("PRECIOUS_HOME", str(home / f"p{n}"))
        with Store(places()) as store:
            library = Library(store, places(), folder)
            library.send(library.add("a/IMG.JPG", b"%d" % n, "a/IMG.MOV"))
    before = contents(folder)
    at_once(folder, home, 0)
    assert contents(folder).keys() == before.keys()
    stills = {p.stem for p in (folder / "a").iterdir() if p.suffix == ".JPG"}
    assert stills == {p.stem for p in (folder / "a").iterdir() if p.suffix == ".MOV"}, "companions stay with their stills"
    assert stills == {"IMG", "IMG (restored)", *(f"IMG (restored {n})" for n in range(2, PROCESSES))}
