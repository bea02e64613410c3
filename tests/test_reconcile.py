"""Whatever happens to files, seen or missed: after a full scan of every folder the library says what the disk does."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from precious_daemon.config import WatchSettings, places
from precious_daemon.disk.tree import walk
from precious_daemon.folders.scan import AWAY, scan
from precious_daemon.folders.watched import add_root, confirm_root
from precious_daemon.models import Photo, PhotoFacts, PhotoState, Role, Root, RootState, Stamp
from precious_daemon.pictures.ingest import read_photo
from precious_daemon.pure.captures import pair
from precious_daemon.store import Database, Store, changes, files, photos, roots, tallies
from tests.pictures import save

SETTINGS = WatchSettings()
STRICT = WatchSettings(freeze_count=1, freeze_percent=0)
TOPS = st.sampled_from(["pictures", "disk"])  # two watched folders
FOLDERS = st.sampled_from(["", "a", "b", "a/c"])
NAMES = st.sampled_from(["1.jpg", "2.jpg", "3.jpg", "1.png", "1.mov", "1.xmp", "2.nef", "2.jpg.xmp", "notes.txt"])
PATHS = st.builds(lambda top, folder, name: f"{top}/{folder}/{name}".replace("//", "/"), TOPS, FOLDERS, NAMES)
CONTENTS = st.sampled_from([b"one", b"two", b"six"])  # few, and of one length: as alike as files can be


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> PhotoFacts:
    return read_photo(str(save(tmp_path_factory.mktemp("example") / "a.jpg", 1, (32, 32))), 10)


def stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class Disk(RuleBasedStateMachine):
    """Two real folders, changed as owners, cameras and editors do, and the library that follows them."""

    facts: PhotoFacts

    @initialize()
    def start(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="precious-"))
        for folder in ("pictures/a/c", "pictures/b", "disk"):
            (self.home / folder).mkdir(parents=True)
        self.moments = itertools.count(int(time.time()) - 1_000_000)
        self.known: dict[int, tuple[Stamp, int, int]] = {}  # inode: stamp, photo and root, as of the last full scan
        self.places = replace(places(), data=self.home / "data", cache=self.home / "cache", run=self.home / "run")
        self.store = Store(self.places)
        self.roots = {name: add_root(self.store, str(self.home / name), 0.0) for name in ("pictures", "disk")}

    def teardown(self) -> None:
        if hasattr(self, "store"):
            try:
                self.all_is_looked_through()
            finally:
                self.store.close()
                shutil.rmtree(self.home)

    # --- what happens on the disk ----------------------------------------------------------------------------------

    def here(self) -> list[Path]:
        tops = [self.home / name for name in self.roots]
        return sorted(path for top in tops for path in top.rglob("*") if path.is_file() and not path.name.startswith("."))

    def put(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        self.date(path)

    def date(self, path: Path) -> None:
        moment = next(self.moments)
        os.utime(path, (moment, moment))

    def target(self, path: str) -> Path:
        target = self.home / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    @rule(path=PATHS, content=CONTENTS, atomic=st.booleans())
    def file_is_written(self, path: str, content: bytes, atomic: bool) -> None:
        """New, or edited: in place, or by a rename over it."""
        target = self.target(path)
        if atomic:
            part = target.with_name(".part")
            self.put(part, content)
            part.replace(target)
        else:
            self.put(target, content)

    @rule(data=st.data(), to=PATHS, how=st.sampled_from(["move", "copy", "copy with date", "link"]))
    def file_goes_somewhere(self, data: st.DataObject, to: str, how: str) -> None:
        if not self.here():
            return
        source, target = data.draw(st.sampled_from(self.here())), self.target(to)
        if source == target:
            return
        if how == "move":
            source.rename(target)
            return
        target.unlink(missing_ok=True)
        if how == "link":
            os.link(source, target)
            return
        shutil.copy2(source, target)
        if how == "copy":
            self.date(target)

    @rule(data=st.data())
    def two_files_change_places(self, data: st.DataObject) -> None:
        if len(self.here()) >= 2:
            one, other = data.draw(st.permutations(self.here()))[:2]
            between = self.home / "between"
            one.rename(between)
            other.rename(one)
            between.rename(other)

    @rule(data=st.data(), content=CONTENTS)
    def original_is_set_aside_and_edited(self, data: st.DataObject, content: bytes) -> None:
        if self.here():
            one = data.draw(st.sampled_from(self.here()))
            aside = one.with_name("3.jpg")
            if aside != one:
                one.rename(aside)
                self.put(one, content)

    @rule(data=st.data())
    def file_is_deleted(self, data: st.DataObject) -> None:
        if self.here():
            data.draw(st.sampled_from(self.here())).unlink()

    @rule(
        tops=st.tuples(TOPS, TOPS), one=st.sampled_from(["a", "b", "a/c"]), to=st.sampled_from(["a", "b", "a/c", "b/d"]),
        swap=st.booleans(),
    )  # fmt: skip
    def folder_is_moved(self, tops: tuple[str, str], one: str, to: str, swap: bool) -> None:
        source, target = self.home / tops[0] / one, self.home / tops[1] / to
        if not source.is_dir() or to.startswith(one) or one.startswith(to):
            return
        if target.exists() and not swap:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        between = self.home / "between"
        if target.exists():
            target.rename(between)
        source.rename(target)
        if between.exists():
            between.rename(source)

    @rule(top=TOPS, folder=st.sampled_from(["a", "b", "a/c"]))
    def folder_is_deleted(self, top: str, folder: str) -> None:
        shutil.rmtree(self.home / top / folder, ignore_errors=True)

    # --- what the service does, and misses --------------------------------------------------------------------------

    @rule(top=TOPS, hints=st.lists(st.tuples(FOLDERS, st.booleans()), min_size=1, max_size=3))
    def some_folders_are_looked_at(self, top: str, hints: list[tuple[str, bool]]) -> None:
        scan(self.store, self.root(top), SETTINGS, time.time, hints)

    def root(self, top: str) -> Root:
        return self.store.read(roots.get, self.roots[top].id)

    @rule(most=st.integers(1, 3))
    def some_photos_are_read(self, most: int) -> None:
        self.read(most)

    def read(self, most: int) -> None:
        names = {root.id: name for name, root in self.roots.items()}
        for entry in self.store.read(photos.to_ingest, most, names):
            path = self.home / names[entry.root_id] / entry.path
            if path.is_file() and not entry.stamp.is_same_file(stamp(path.stat())):
                continue  # changed since the scan
            if path.is_file():
                facts = replace(self.facts, content_hash=blake3(path.read_bytes()).digest())
                self.store.write(changes.record_facts, entry, facts, 0.0)
            else:
                self.store.write(changes.file_gone, entry, 0.0)

    @precondition(lambda self: hasattr(self, "store"))
    @rule()
    def service_is_started_anew(self) -> None:
        self.store.close()
        self.store = Store(self.places)

    @rule()
    def all_is_looked_through(self) -> None:
        for top in self.roots:
            confirm_root(self.store, self.root(top).id)  # where much is gone, the owner says that it was meant
            scan(self.store, self.root(top), SETTINGS, time.time, confirmed=True)
        self.read(1000)
        self.library_is_as_the_disk()
        self.photos_that_only_moved_are_themselves()

    @rule(order=st.permutations(["pictures", "disk"]), source=TOPS, copied=st.booleans())
    def everything_moves_to_the_other_root(self, order: list[str], source: str, copied: bool) -> None:
        """By renames, or as to another disk, by copying and deleting; and nobody has to confirm anything."""
        self.all_is_looked_through()
        start = self.home / source
        target = self.home / ("disk" if source == "pictures" else "pictures") / f"moved-{next(self.moments)}"
        for path in self.here():
            if path.is_relative_to(start):
                place = target / path.relative_to(start)
                place.parent.mkdir(parents=True, exist_ok=True)
                if copied:
                    shutil.copy2(path, place)
                    path.unlink()
                else:
                    path.rename(place)
        for _ in range(2):
            for top in order:
                scan(self.store, self.root(top), STRICT, time.time)
            self.read(1000)
        for top in order:
            assert scan(self.store, self.root(top), STRICT, time.time).problems == []
            assert self.root(top).state is RootState.WATCHED
        self.library_is_as_the_disk()
        if not copied:
            self.photos_that_only_moved_are_themselves(across=True)

    # --- what must hold ----------------------------------------------------------------------------------------------

    def library_is_as_the_disk(self) -> None:
        on_disk: dict[str, tuple[Role, Stamp]] = {}
        owners: dict[str, str] = {}
        unsupported: dict[str, int] = {}
        walks = [(top, *found) for top in self.roots for found in walk(str(self.home / top), "", True, SETTINGS, [])]
        for top, folder, names in walks:
            place = f"{top}/{folder}".rstrip("/")
            pairing = pair(names)
            for still, companions in pairing.companions.items():
                for name, role in {still: Role.STILL, **companions}.items():
                    on_disk[f"{place}/{name}"] = (role, stamp(names[name]))
                    owners[f"{place}/{name}"] = f"{place}/{still}"
            for suffix, count in pairing.unsupported.items():
                unsupported[suffix] = unsupported.get(suffix, 0) + count
        known = self.store.read(_files_there)
        assert {path: (role, its) for path, role, its, _ in known} == on_disk
        assert {path: owner for path, _, _, owner in known} == owners
        assert self.store.read(files.unsupported) == unsupported
        present = self.store.read(photos.page, PhotoState.PRESENT, None, 1000)
        assert sorted(self.path(photo) for photo in present) == sorted(set(owners.values()))
        for photo in present:
            assert photo.content_hash == blake3((self.home / self.path(photo)).read_bytes()).digest()

    def path(self, photo: Photo) -> str:
        return next(f"{name}/{photo.path}" for name, root in self.roots.items() if root.id == photo.root_id)

    def photos_that_only_moved_are_themselves(self, across: bool = False) -> None:
        """Within each folder; `across`: between them too. What moves there while another takes its name is thought edited."""
        now: dict[int, tuple[Stamp, int, int]] = {}
        for photo in self.store.read(photos.page, PhotoState.PRESENT, None, 1000):
            status = os.stat(self.home / self.path(photo))
            if status.st_nlink == 1:
                now[status.st_ino] = (stamp(status), photo.id, photo.root_id)
        for inode, (its, photo_id, root_id) in now.items():
            before, known_as, was_in = self.known.get(inode, (None, 0, 0))
            if before == its and (across or root_id == was_in):
                assert photo_id == known_as, "a photo that only moved is another one"
        self.known = now

    @invariant()
    def tallies_are_right(self) -> None:
        if hasattr(self, "store"):
            assert self.store.read(_tallies) == self.store.write(_recounted)


def _files_there(db: Database) -> list[tuple[str, Role, Stamp, str]]:
    away = ",".join(f"'{state}'" for state in AWAY)
    sql = f"""
        SELECT roots.path, files.path, role, dev, inode, files.size, mtime_ns, photos.path
        FROM files JOIN photos ON photos.id = photo_id JOIN roots ON roots.id = files.root_id
        WHERE photos.state NOT IN ({away})
    """
    found = []
    for top, path, role, *its, owner in db.execute(sql).fetchall():
        name = Path(os.fsdecode(top)).name
        found.append((f"{name}/{os.fsdecode(path)}", Role(role), Stamp(*its), f"{name}/{os.fsdecode(owner)}"))
    return found


def _tallies(db: Database) -> dict[tuple[str, int, str], int]:
    rows = db.execute("SELECT what, whose, which, count FROM tallies WHERE count != 0").fetchall()
    return {(what, whose, which): count for what, whose, which, count in rows}


def _recounted(db: Database) -> dict[tuple[str, int, str], int]:
    tallies.recount(db)
    return _tallies(db)


@pytest.mark.parametrize("examples", [pytest.param(int(os.environ.get("PRECIOUS_EXAMPLES", "25")), id="")])
def test_library_equals_the_disk_after_anything(facts: PhotoFacts, examples: int) -> None:
    Disk.facts = facts
    checks: Callable[..., None] = run_state_machine_as_test
    checks(
        Disk,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
