"""Any order of approving, moving, restoring, crashing and meddling: every byte that ever was is still on the disk, but
for what the owner confirmed to be removed for good."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from precious_daemon.config import Places
from precious_daemon.models import Photo, PhotoState, RootState, UnitState
from precious_daemon.store import Store, changes, roots
from precious_daemon.trash import recover_records
from tests.trash.library import DATA_HOME, FaultyDisk, Killed, Library, info_of, ripen, stamp

HOW = ["before", "after", errno.EIO, errno.ENOSPC, errno.EXDEV, errno.EACCES]
FAULTS = st.one_of(
    st.none(),
    st.tuples(st.integers(1, 14), st.sampled_from(HOW), st.none()),
    st.tuples(st.integers(1, 5), st.sampled_from(HOW), st.just("rename")),
    st.tuples(st.integers(2, 4), st.just("before"), st.just("rename")),
)
UNDER_WAY = UnitState.PLANNED, UnitState.RESTORING, UnitState.PURGING
Fault = tuple[int, str | int, str | None] | None


class Trashing(RuleBasedStateMachine):
    to_desktop = False

    @initialize()
    def start(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="precious-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        self.places = Places(self.base / "config.toml", self.base / "data", self.base / "cache", self.base / "run")
        if self.to_desktop:
            (self.base / "share").mkdir()
            os.environ[DATA_HOME] = str(self.base / "share")
        self.disk = FaultyDisk()
        self.ever: set[str] = set()
        self.number = 0
        self.open()
        self.create()
        self.create()

    def open(self) -> None:
        """A start of the service."""
        self.store = Store(self.places)
        self.library = Library(self.store, self.places, self.base / "photos", disk=self.disk)

    def crash(self) -> None:
        """The process is gone. A new one starts, and has not yet recovered what this one left."""
        self.disk.arm(None)
        self.store.close()
        self.open()

    def teardown(self) -> None:
        try:
            self.check_the_end()
        finally:
            os.environ.pop(DATA_HOME, None)

    def check_the_end(self) -> None:
        if hasattr(self, "store"):
            self.disk.arm(None)
            self.confirm()
            self.library.recover()
            self.library.check_agreement()
            self.store.close()
            shutil.rmtree(self.base)

    def confirm(self) -> None:
        """The owner confirms the folder, and all that was moved safely is."""
        self.store.write(roots.set_state, 1, RootState.WATCHED, None)
        self.store.write(roots.remember, 1, self.library.root.marker, self.library.folder.stat().st_dev)

    def content(self) -> bytes:
        self.number += 1
        return b"content %d" % self.number

    @rule()
    def create(self) -> None:
        """A capture under the first name that is free, which may be one that was moved away."""
        stem = next(stem for stem in "abcdefghijklmnopqrstuvwxyz" if not list((self.library.folder / "x").glob(f"{stem}.*")))
        self.library.add(f"x/{stem}.jpg", self.content(), f"x/{stem}.mov", f"x/{stem}.jpg.xmp")

    @rule(name=st.sampled_from(["x/a.mov", "x/a (restored).jpg", "x/b.jpg.xmp", ".precious-trash/note.txt"]))
    def meddle(self, name: str) -> None:
        """The owner puts a file of his own somewhere."""
        path = self.library.folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.content())

    def occupy(self) -> None:
        """While the service is down, new files take the names of what was being moved."""
        for unit in self.library.units(*UNDER_WAY):
            for file in unit.files:
                path = self.library.folder / (file.restored_path or file.path)
                if not path.exists():
                    path.write_bytes(self.content())

    def approve(self, *chosen: Photo, **more: Any) -> str:
        self.store.write(lambda db: db.execute("UPDATE suggestions SET state = 'withdrawn' WHERE state = 'restored'"))
        return self.library.approve(*chosen, **more)

    @rule(fault=FAULTS, count=st.integers(1, 3), occupied=st.sampled_from([True, True, False]))
    @precondition(lambda self: self.library.root_now().state is RootState.WATCHED)
    def approve_and_apply(self, fault: Fault, count: int, occupied: bool) -> None:
        sql = "SELECT id FROM photos WHERE state = 'present' ORDER BY id DESC LIMIT ?"
        chosen = [self.library.photo(row[0]) for row in self.store.read(lambda db: db.execute(sql, [count]).fetchall())]
        if chosen:
            batch = self.approve(*chosen)
            self.arm(fault)
            try:
                self.library.apply(batch)
            except Killed:
                self.crash()
                if occupied:
                    self.occupy()
            self.disk.arm(None)

    @rule(meanwhile=st.sampled_from(["edited", "edited in place", "renamed", "moved away and back"]), fault=FAULTS)
    @precondition(lambda self: self.library.root_now().state is RootState.WATCHED)
    def approve_and_change_then_apply(self, meanwhile: str, fault: Fault) -> None:
        """Between the approval and the move, the owner does something to the photo: what was not approved does not go."""
        self.create()
        photo = self.newest()
        path = self.library.folder / photo.path
        old = path.read_bytes()
        batch = self.approve(photo)
        if meanwhile == "edited":  # as most programs save: a new file in the place of the old one, which is kept
            path.rename(path.with_suffix(f".{self.number}.bak"))
            path.write_bytes(self.content())
        elif meanwhile == "edited in place":
            self.ever.discard(hashlib.sha256(old).hexdigest())
            path.write_bytes(self.content())
        else:
            path.rename(path.with_suffix(".elsewhere"))
            if meanwhile == "moved away and back":
                path.with_suffix(".elsewhere").rename(path)
        self.arm(fault)
        try:
            (outcome,) = self.library.apply(batch)
            assert not outcome.moved or meanwhile == "moved away and back"
        except Killed:
            self.crash()
        self.disk.arm(None)
        self.know_again(photo.id, path)

    @rule(of_the_keeper=st.sampled_from(["stays", "edited", "deleted", "going too"]), fault=FAULTS)
    @precondition(lambda self: self.library.root_now().state is RootState.WATCHED)
    def approve_a_copy(self, of_the_keeper: str, fault: Fault) -> None:
        """One of two copies goes only while the other is there: whatever happens, the bytes are somewhere."""
        self.create()
        keeper = self.newest()
        path = self.library.folder / keeper.path
        copy = self.library.add(f"x/copy {self.number}.jpg", path.read_bytes())
        if of_the_keeper == "going too":
            self.library.apply(self.approve(keeper, kind="copy", keeper=copy))
        batch = self.approve(copy, kind="copy", keeper=keeper)
        if of_the_keeper == "edited":
            path.write_bytes(self.content())
        elif of_the_keeper == "deleted":
            path.unlink()
        self.arm(fault)
        try:
            (outcome,) = self.library.apply(batch)
            assert not outcome.moved or of_the_keeper == "stays"
        except Killed:
            self.crash()
        self.disk.arm(None)
        self.know_again(keeper.id, path)

    @rule(empty=st.sampled_from(["nothing there", "an empty folder", "an empty folder with the marker"]))
    def unmount(self, empty: str) -> None:
        """The disk is away for a while, and everything is tried: nothing happens, and nothing is concluded."""
        chosen = [self.newest()] if self.library.root_now().state is RootState.WATCHED and self.present() else []
        batch = self.approve(*chosen) if chosen else None
        folder = self.library.folder
        folder.rename(self.base / "away")
        if empty != "nothing there":
            folder.mkdir()
            if "marker" in empty:
                shutil.copy(self.base / "away/.precious-root", folder)
        before = self.states()
        if batch:
            assert not any(outcome.moved for outcome in self.library.apply(batch))
        if done := self.library.units(UnitState.DONE):
            restored = "marker" in empty and self.to_desktop  # its files are elsewhere, and come back to where they were
            if not restored:
                assert not any(outcome.moved for outcome in self.library.undo(*done))
        asyncio.run(self.library.trash.notice())
        asyncio.run(self.library.trash.settle())
        assert self.states() == before
        shutil.rmtree(folder, ignore_errors=True)
        (self.base / "away").rename(folder)

    def states(self) -> dict[int, UnitState]:
        """Of what is neither refused nor waiting for the owner."""
        return {u.id: u.state for u in self.library.units(UnitState.DONE, UnitState.UNDONE, UnitState.PURGED)}

    def present(self) -> list[int]:
        sql = "SELECT id FROM photos WHERE state = 'present' ORDER BY id DESC"
        return [row[0] for row in self.store.read(lambda db: db.execute(sql).fetchall())]

    def newest(self) -> Photo:
        return self.library.photo(self.present()[0])

    def know_again(self, photo_id: int, path: Path) -> None:
        """A scan: what is there is known as it is now, and what is not there is missing."""
        if self.library.photo(photo_id).state is not PhotoState.PRESENT:
            return
        if path.exists():
            self.store.write(changes.still_changed, photo_id, f"x/{path.name}", stamp(path), 0.0)
            self.library.read(photo_id, path)
        else:
            sql = "UPDATE photos SET state = 'missing' WHERE id = ?"
            self.store.write(lambda db: db.execute(sql, [photo_id]))

    @rule(fault=FAULTS, occupied=st.booleans())
    @precondition(lambda self: self.library.units(UnitState.DONE) and self.library.root_now().state is RootState.WATCHED)
    def undo(self, fault: Fault, occupied: bool) -> None:
        self.arm(fault)
        try:
            self.library.undo(self.library.units(UnitState.DONE)[0])
        except Killed:
            self.crash()
            if occupied:
                self.occupy()
        self.disk.arm(None)

    @rule(fault=FAULTS)
    @precondition(lambda self: self.library.units(UnitState.DONE) and self.library.root_now().state is RootState.WATCHED)
    def purge(self, fault: Fault) -> None:
        """A month later, the owner confirms that all in the trash may go: only that is allowed to be gone."""
        there = {path: digest for digest, paths in self.library.contents().items() for path in paths}
        going = {u.id: {there[self.below(path)] for path in self.library.trashed(u)} for u in self.library.units(UnitState.DONE)}
        ripen(self.library)
        self.arm(fault)
        try:
            asyncio.run(self.library.trash.purge(len(asyncio.run(self.library.trash.ripe()))))
        except Killed:
            self.crash()
        self.disk.arm(None)
        for unit in self.library.units(UnitState.PURGING, UnitState.PURGED):
            self.ever -= going.get(unit.id, set())

    @rule(fault=FAULTS)
    def recover(self, fault: Fault) -> None:
        self.confirm()
        self.arm(fault)
        try:
            self.library.recover()
        except Killed:
            self.crash()
        self.disk.arm(None)

    @rule()
    @precondition(lambda self: self.library.units(UnitState.DONE))
    def recover_from_records(self) -> None:
        if not self.library.units(*UNDER_WAY):
            recover_records(str(self.library.folder))
            self.confirm()
            self.library.undo(*self.library.units(UnitState.DONE))

    def below(self, path: Path) -> str:
        """A path as `contents` has it."""
        return os.path.relpath(path, self.base / "share" if self.to_desktop else self.library.folder)

    def arm(self, fault: Fault) -> None:
        if fault:
            self.disk.arm(*fault)

    @invariant()
    def every_byte_is_on_the_disk(self) -> None:
        if hasattr(self, "library"):
            now = set(self.library.contents())
            assert self.ever <= now
            self.ever = now

    @invariant()
    def the_journal_and_the_disk_agree(self) -> None:
        if hasattr(self, "library") and not self.library.units(*UNDER_WAY):
            for unit in self.library.units(UnitState.DONE):
                assert all(path.exists() for path in self.library.trashed(unit))
                assert self.library.photo(unit.photo_id).state is PhotoState.TRASHED


class TrashingToTheDesktop(Trashing):
    """With the trash that file managers show, where the owner does things, too."""

    to_desktop = True

    @rule(restore=st.booleans(), fault=FAULTS)
    @precondition(lambda self: self.library.units(UnitState.DONE) and self.library.root_now().state is RootState.WATCHED)
    def act_there(self, restore: bool, fault: Fault) -> None:
        unit = self.library.units(UnitState.DONE)[0]
        there = {path: digest for digest, paths in self.library.contents().items() for path in paths}
        for file, path in zip(unit.files, self.library.trashed(unit), strict=True):
            target = self.library.folder / file.path
            if not restore:
                self.ever.discard(there[self.below(path)])
                path.unlink()
            elif not target.exists():
                target.parent.mkdir(exist_ok=True)
                path.rename(target)
            else:
                continue
            info_of(path).unlink()
        self.arm(fault)
        try:
            asyncio.run(self.library.trash.notice())
        except Killed:
            self.crash()
        self.disk.arm(None)
        self.confirm()
        self.library.recover()
        asyncio.run(self.library.trash.notice())


LONG = settings(max_examples=40, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
TestTrashing = Trashing.TestCase
TestTrashing.settings = LONG
TestTrashingToTheDesktop = TrashingToTheDesktop.TestCase
TestTrashingToTheDesktop.settings = settings(LONG, max_examples=25)
