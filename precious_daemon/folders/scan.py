"""The disk against the library: what is new, changed, moved, gone. Events are hints; this is the truth.

A scan walks folders, compares each with what is known of it, and writes the difference folder by folder. What seems
gone is decided last, when everything that moved has been found: never on a disk that went away, and never many at once.
"""

from __future__ import annotations

import os
import posixpath
import stat
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from precious_daemon.config import WatchSettings
from precious_daemon.disk.tree import keeps_numbers, there, walk
from precious_daemon.folders.vanished import is_gone, settle, settle_confirmed, stamp
from precious_daemon.folders.watched import check_root, is_inside
from precious_daemon.models import FileEntry, PhotoState, Role, Root, RootState, Stamp, Told
from precious_daemon.pure.captures import Pairing, pair, role_of
from precious_daemon.store import Database, Store, changes, files, relatives, roots
from precious_daemon.store.files import Known
from precious_daemon.store.relatives import Relative

AWAY = (PhotoState.MISSING, PhotoState.TRASHED, PhotoState.PURGED)


@dataclass(slots=True)
class ScanReport:
    """What one scan found."""

    new: int = 0
    changed: int = 0
    moved: int = 0
    missing: int = 0
    back: int = 0
    waiting: int = 0  # photos that seem gone, unless they are among those not yet read: scan again once those are
    unsettled: set[str] = field(default_factory=set)  # folders with files still being written
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [
            said
            for count, said in (
                (self.new, f"{self.new} new"),
                (self.changed, f"{self.changed} changed"),
                (self.moved, f"{self.moved} moved"),
                (self.missing, f"{self.missing} missing"),
                (self.back, f"{self.back} back"),
            )
            if count
        ]
        return ", ".join(parts) or "nothing new"


def scan(
    store: Store,
    root: Root,
    settings: WatchSettings,
    clock: Callable[[], float],
    hints: Iterable[tuple[str, bool]] = (("", True),),
    *,
    confirmed: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> ScanReport:
    """Bring the library up to date with (folder, with all below it) of a root; by default all of it.

    `confirmed`: the owner said that whatever is gone is gone.
    """
    report = ScanReport()
    if not confirmed:
        root = check_root(store, root)
    if root.state is not RootState.WATCHED:
        report.problems.append(root.reason or f"{root.path} is {root.state}")
        return report
    one = _Scan(store, root, settings, clock, report)
    for start, deep in sorted(set(hints)):
        unreadable: list[str] = []
        for folder, names in walk(root.path, start, deep, settings, unreadable):
            if stopped():
                return report
            one.compare(folder, names)
        report.problems += [f"{os.path.join(root.path, place)} cannot be read" for place in unreadable]
        one.look_for_lost_folders(start, deep, unreadable)
    for folder in one.changed:  # only now is it known that what was there before has not moved elsewhere
        for _, names in walk(root.path, folder, False, settings, []):
            one.compare(folder, names, last=True)
    if confirmed:
        settled = settle_confirmed(store, root, one.gone, clock())
    else:
        settled = settle(store, root, one.gone, settings, clock(), partial(check_root, store, root), one.look_elsewhere)
    report.missing, report.waiting = settled.missing, settled.waiting
    report.problems += [settled.problem] if settled.problem else []
    return report


@dataclass(slots=True)
class _Scan:
    """One pass over one root. `gone` are ids of files that were not where they are known to be."""

    store: Store
    root: Root
    settings: WatchSettings
    clock: Callable[[], float]
    report: ScanReport
    gone: array[int] = field(default_factory=lambda: array("q"))
    changed: list[str] = field(default_factory=list)
    keeps_numbers: bool = field(init=False)

    def __post_init__(self) -> None:
        self.keeps_numbers = keeps_numbers(self.root.path)

    def compare(self, folder: str, names: dict[str, os.stat_result], last: bool = False) -> None:
        """One folder. Where nothing has changed, it costs one read of the database."""
        known, unsupported, related = self.store.read(_in_folder, self.root.id, folder)
        if not self.keeps_numbers and (anew := _numbered_anew((known, related), names)):
            self.store.write(files.number_anew, self.root.id, folder, anew)
            known, unsupported, related = self.store.read(_in_folder, self.root.id, folder)
        pairing = pair(names, told=_told(known, related, names))
        kin = {name: stamp(status) for name, status in names.items() if role_of(name) in (Role.VIDEO, Role.RAW)}
        if not last:
            self.gone.extend(row.id for name, row in known.items() if name not in names)
        same_kin = kin.keys() == related.keys() and all(row.is_still_at(names[name]) for name, row in related.items())
        if same_kin and unsupported == pairing.unsupported and _unchanged(known, names, pairing):
            return
        now = self.clock()
        unsettled = {
            name for name, status in names.items()
            if 0 <= now - status.st_mtime < self.settings.settle_seconds and not _is_same(known.get(name), status)
        }  # fmt: skip
        if unsettled:
            self.report.unsettled.add(folder)
        new = {name: stamp(names[name]) for name in pairing.companions if not _is_same(known.get(name), names[name])}
        sources = self._moved_here(folder, {name: its for name, its in new.items() if name not in unsettled})
        other = [known[name] for name in new.keys() - sources.keys() - unsettled if name in known]
        left = [known[name] for name in pairing.companions if name in known and known[name].role != Role.STILL]
        if not last and any(row.state not in AWAY for row in [*other, *left]):
            self.changed.append(folder)
        work = _Work(self.root, folder, names, pairing, known, kin, unsettled, sources, now, last)
        self.gone.extend(self.store.write(_apply, work, self.report))

    def _moved_here(self, folder: str, stamps: dict[str, Stamp]) -> dict[str, FileEntry]:
        """Known photos that have left their place and are here now, by the name that they have here."""
        found: dict[str, FileEntry] = {}
        for name, entries in (self.store.read(files.by_stamps, stamps) if stamps else {}).items():
            for entry in entries:
                home = self.root if entry.root_id == self.root.id else self.store.read(roots.get, entry.root_id)
                if entry not in found.values() and is_gone(home, entry, or_another=True):
                    found[name] = entry
                    break
        return found

    def look_elsewhere(self) -> None:
        """Recognize what has moved from here into other roots."""
        for root in self.store.read(roots.all_roots):
            if root.id != self.root.id and check_root(self.store, root).state is RootState.WATCHED:
                other = _Scan(self.store, root, self.settings, self.clock, self.report)
                for folder, names in walk(root.path, "", True, self.settings, []):
                    other.compare(folder, names)

    def look_for_lost_folders(self, start: str, deep: bool, unreadable: list[str]) -> None:
        """Folders that hold known files, and are no folders any more."""
        for folder in self._lost(start, deep, unreadable, unsupported=False):
            self.gone.extend(self.store.read(files.ids, self.root.id, folder))
            self.store.write(relatives.put, self.root.id, folder, {})
        for folder in self._lost(start, deep, unreadable, unsupported=True):
            self.store.write(files.count_unsupported, self.root.id, folder, {})
            self.store.write(relatives.put, self.root.id, folder, {})

    def _lost(self, start: str, deep: bool, unreadable: list[str], unsupported: bool) -> Iterator[str]:
        after: str | None = None
        while found := self.store.read(files.folders, self.root.id, start, after, unsupported=unsupported):
            for folder in found if deep else [start]:
                if any(folder == place or is_inside(folder, place) for place in unreadable):
                    continue
                with suppress(OSError):  # cannot be told
                    status = there(self.root.path, folder)
                    if status is None or not stat.S_ISDIR(status.st_mode):
                        yield folder
            if not deep:
                return
            after = found[-1]


def _in_folder(db: Database, root_id: int, folder: str) -> tuple[dict[str, Known], dict[str, int], dict[str, Relative]]:
    return *files.in_folder(db, root_id, folder), relatives.in_folder(db, root_id, folder)


def _numbered_anew(
    known: Sequence[Mapping[str, Known | Relative]], names: dict[str, os.stat_result]
) -> dict[str, os.stat_result]:
    """The files of a folder that are what they were, but for their inode numbers."""
    return {
        name: names[name]
        for rows in known
        for name, row in rows.items()
        if name in names and not row.is_still_at(names[name])
        and (row.size, row.mtime_ns) == (names[name].st_size, names[name].st_mtime_ns)
    }  # fmt: skip


def _told(known: dict[str, Known], related: dict[str, Relative], names: dict[str, os.stat_result]) -> dict[str, Told]:
    """What the files of a folder said of themselves, as far as they were looked into and have not changed since."""
    if not related:
        return {}
    stills = {
        name: Told(row.content_id, row.taken_at if row.taken_from == "exif" else None)
        for name, row in known.items()
        if row.role == Role.STILL and name in names and row.is_still_at(names[name])
    }
    return stills | {n: row.told for n, row in related.items() if n in names and row.is_still_at(names[n])}


def _is_same(row: Known | None, status: os.stat_result) -> bool:
    return row is not None and row.is_still_at(status)


def _unchanged(known: dict[str, Known], names: dict[str, os.stat_result], pairing: Pairing) -> bool:
    """Whether the library says of a folder just what the disk does, but for files that are gone."""
    owned = 0
    for still, companions in pairing.companions.items():
        row, status = known.get(still), names[still]
        if row is None or row.role != Role.STILL or not row.is_still_at(status) or row.dev != status.st_dev or row.state in AWAY:
            return False
        if row.ambiguous != pairing.ambiguous.get(still):
            return False
        for name, role in companions.items():
            other = known.get(name)
            if other is None or not other.is_still_at(names[name]):
                return False
            if (other.photo_id, other.role, other.bond) != (row.photo_id, role, pairing.bonds.get(name)):
                return False
        owned += 1 + len(companions)
    return owned == len(known) or owned == sum(name in names for name in known)


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be written of one folder."""

    root: Root
    folder: str
    names: dict[str, os.stat_result]
    pairing: Pairing
    known: dict[str, Known]
    kin: dict[str, Stamp]  # videos and RAW files
    unsettled: set[str]
    sources: dict[str, FileEntry]  # photos that have moved here
    now: float
    last: bool  # everything else has been looked at: what is changed here has not moved elsewhere


def _apply(db: Database, work: _Work, report: ScanReport) -> list[int]:
    """Write it; return the ids of files whose place another has taken."""
    displaced: list[int] = []
    for name, source in work.sources.items():  # first, so that nothing else is taken for what has moved
        other = changes.file_moved(db, source, work.root.id, posixpath.join(work.folder, name), work.now)
        displaced += [other] if other is not None else []
        report.moved += 1
    for still, companions in work.pairing.companions.items():
        photo_id = None if still in work.unsettled else _still(db, work, still, report)
        if photo_id is None:
            continue
        known_as = photo_id
        for name in companions.keys() - work.unsettled:
            photo_id = changes.join(db, photo_id, work.root.id, posixpath.join(work.folder, name), work.now)
        changes.set_ambiguous(db, photo_id, work.pairing.ambiguous.get(still))
        for name, role in companions.items():
            row, its, bond = work.known.get(name), stamp(work.names[name]), work.pairing.bonds.get(name)
            right = row and photo_id == known_as and (row.photo_id, row.role, row.bond) == (photo_id, role, bond)
            if name not in work.unsettled and not (row and right and _same_stamp(row, its)):
                changes.put_file(db, photo_id, work.root.id, posixpath.join(work.folder, name), role, its, bond)
    owned = {name for still, companions in work.pairing.companions.items() for name in (still, *companions)}
    for name, row in work.known.items():
        if (
            name in work.names
            and row.role != Role.STILL
            and name not in owned
            and row.state not in (PhotoState.TRASHED, PhotoState.PURGED)
        ):
            files.forget_companion(db, row.id)
    files.count_unsupported(db, work.root.id, work.folder, dict(work.pairing.unsupported))
    relatives.put(db, work.root.id, work.folder, {name: its for name, its in work.kin.items() if name not in work.unsettled})
    return displaced


def _still(db: Database, work: _Work, name: str, report: ScanReport) -> int | None:
    """What has become of one still; its photo's id, or None where that cannot be told before all has been looked at."""
    source, status, path = work.sources.get(name), work.names[name], posixpath.join(work.folder, name)
    if source is not None:
        return source.photo_id
    row = work.known.get(name)
    if row is None and files.is_known(db, work.root.id, path):
        return None  # another scan, under way at the same time, has just seen to it
    if row is not None and not files.is_known(db, work.root.id, path, row.id):
        row = None  # it has just moved within this folder
    if row is not None and row.role != Role.STILL:
        still = _stands_in(db, work, row)
        if still and not work.last:
            return None
        if still:
            changes.still_replaced(db, still, path, stamp(status), work.now)
            report.changed += 1
            return row.photo_id
        row = None  # its still went elsewhere, or is another capture: a photo of its own now
    if row is None or (row.state in AWAY and not row.is_still_at(status)):
        report.new += 1
        return changes.add_still(db, work.root.id, path, stamp(status), work.now)
    if row.is_still_at(status):
        if row.dev != status.st_dev:
            files.on_disk(db, row.id, status.st_dev)
        if row.state in AWAY:
            changes.file_back(db, row.photo_id, work.now)
            report.back += 1
        return row.photo_id
    if not work.last:
        return None
    changes.still_changed(db, row.photo_id, path, stamp(status), work.now)
    report.changed += 1
    return row.photo_id


def _stands_in(db: Database, work: _Work, raw: Known) -> FileEntry | None:
    """The still that a RAW file has to stand in for, because it alone is gone."""
    still = changes.still_of(db, raw.photo_id) if raw.state not in AWAY else None
    if still is None or still.root_id != work.root.id or posixpath.dirname(still.path) != work.folder:
        return None
    return None if posixpath.basename(still.path) in work.names else still


def _same_stamp(row: Known, its: Stamp) -> bool:
    return Stamp(row.dev, row.inode, row.size, row.mtime_ns) == its
