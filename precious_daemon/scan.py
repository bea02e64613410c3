"""The disk against the library: what is new, changed, moved, gone. Events are hints; this is the truth.

A scan walks folders, compares each with what is known of it, and writes the difference folder by folder. What seems
gone is decided last, when everything that moved has been found: never on a disk that went away, and never many at once.
"""

from __future__ import annotations

import errno
import fnmatch
import logging
import os
import posixpath
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from precious_daemon.captures import Pairing, pair, role_of
from precious_daemon.config import WatchSettings
from precious_daemon.errors import RootError
from precious_daemon.models import FileEntry, PhotoState, Role, Root, RootState, Stamp
from precious_daemon.store import Database, Store, photos, roots

log = logging.getLogger(__name__)

MARKER = ".precious-root"
SAMPLE = 20  # known files looked for before anything of a root is believed gone
NO_LONGER_WATCHED = "no longer watched"
AWAY = (PhotoState.MISSING, PhotoState.TRASHED)


@dataclass(slots=True)
class ScanReport:
    """What one scan found."""

    new: int = 0
    changed: int = 0
    moved: int = 0
    missing: int = 0
    back: int = 0
    unsettled: set[str] = field(default_factory=set)  # folders with files still being written
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [
            f"{getattr(self, name)} {name}" for name in ("new", "changed", "moved", "missing", "back") if getattr(self, name)
        ]
        return ", ".join(parts) or "nothing new"


# --- roots -------------------------------------------------------------------------------------------------------------


def add_root(store: Store, path: str, now: float) -> Root:
    """Watch a folder. Raises RootError with the reason where it cannot be; a folder already watched is returned."""
    shown = path
    path = os.path.realpath(os.path.expanduser(path))
    try:
        status = os.stat(path)
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECTORY))
        os.listdir(path)
    except FileNotFoundError:
        raise RootError(f"There is no folder {shown}. Check the name, or plug in the disk that it is on.") from None
    except NotADirectoryError:
        raise RootError(f"{shown} is a file. Give the folder that it is in.") from None
    except PermissionError:
        raise RootError(f"{shown} may not be read by this user. Change its permissions, or run as its owner.") from None
    for root in store.read(roots.all_roots):
        if root.path == path:
            if root.reason == NO_LONGER_WATCHED:
                store.write(roots.set_state, root.id, RootState.WATCHED, None)
            return store.read(roots.get, root.id)
        if root.reason == NO_LONGER_WATCHED:
            continue
        if _inside(path, root.path):
            raise RootError(f"{shown} is inside {root.path}, which is already watched with all that is in it.")
        if _inside(root.path, path):
            raise RootError(
                f"{shown} holds {root.path}, which is already watched. Remove that one first: precious-daemon roots remove"
            )
    return store.write(roots.add, path, _mark(path), status.st_dev, now)


def _inside(inner: str, outer: str) -> bool:
    return inner.startswith(outer.rstrip("/") + "/")


def _mark(path: str) -> str | None:
    """The id written into the folder, by which it is known again; None where the folder cannot be written."""
    marker = read_marker(path)
    if marker:
        return marker
    marker = secrets.token_hex(16)
    try:
        descriptor = os.open(os.path.join(path, MARKER), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except OSError:
        return None
    with os.fdopen(descriptor, "w") as file:
        file.write(marker + "\n")
    return marker


def read_marker(path: str) -> str | None:
    try:
        return Path(path, MARKER).read_text("ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def check_root(store: Store, root: Root) -> Root:
    """See whether a root is there and is what it was; store and return its state. A frozen root stays frozen."""
    state, reason = _condition(store, root)
    if root.state is RootState.FROZEN and state is RootState.WATCHED:
        return root
    if (state, reason) != (root.state, root.reason) and root.reason != NO_LONGER_WATCHED:
        log.warning("%s is %s%s", root.path, state, f": {reason}" if reason else " again")
        store.write(roots.set_state, root.id, state, reason)
        return store.read(roots.get, root.id)
    return root


def _condition(store: Store, root: Root) -> tuple[RootState, str | None]:
    try:
        status = os.stat(root.path)
        with os.scandir(root.path) as entries:
            next(entries, None)
    except OSError as exc:
        known = store.read(photos.present_count, root.id)
        what = "is not there" if exc.errno == errno.ENOENT else f"cannot be read ({exc.strerror})"
        return RootState.OFFLINE, f"{root.path} {what}: its {known:,} photos are left as they are until it is back."
    if root.marker is not None and read_marker(root.path) != root.marker:
        return (
            RootState.OFFLINE,
            f"{root.path} is there, but it is not the folder that was watched: its marker {MARKER} is gone or another.",
        )
    if root.marker is None and status.st_dev != root.device:
        return RootState.OFFLINE, f"{root.path} is on another disk than before."
    sample = store.read(photos.known_sample, root.id, SAMPLE)
    if (
        sample
        and not any(os.path.lexists(os.path.join(root.path, entry.path)) for entry in sample)
        and _holds_no_still(root.path)
    ):
        known = store.read(photos.present_count, root.id)
        return RootState.FROZEN, f"{root.path} is empty, and held {known:,} photos: nothing is changed until you confirm."
    return RootState.WATCHED, None


def _holds_no_still(path: str) -> bool:
    """Whether there is no photo at all: ends at the first one found, so it is dear only where there is nothing."""
    return not any(role_of(name) is Role.STILL for _, _, names in os.walk(path) for name in names)


def confirm_root(store: Store, root_id: int) -> Root:
    """The owner says that what vanished was meant to. The next scan believes it."""
    root = store.read(roots.get, root_id)
    try:
        device = os.stat(root.path).st_dev
    except OSError as exc:
        raise RootError(f"{root.path} cannot be read ({exc.strerror}): bring it back first, then confirm.") from exc
    store.write(roots.remember, root_id, _mark(root.path), device)
    store.write(roots.set_state, root_id, RootState.WATCHED, None)
    return store.read(roots.get, root_id)


# --- scanning ----------------------------------------------------------------------------------------------------------


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
    gone: list[FileEntry] = []
    for start, deep in sorted(set(hints)):
        visited: set[str] = set()
        unreadable: list[str] = []
        for folder, names in _walk(root.path, start, deep, settings, unreadable):
            if stopped():
                return report
            visited.add(folder)
            gone += _reconcile(store, root, folder, names, settings, clock(), report)
        report.problems += [f"{os.path.join(root.path, place)} cannot be read" for place in unreadable]
        for folder in store.read(photos.folders, root.id, start) if deep else [start]:
            if folder not in visited and not any(folder == u or _inside(folder, u) for u in unreadable):
                gone += store.read(photos.in_folder, root.id, folder)
    _settle_gone(store, root, gone, settings, clock(), report, confirmed)
    return report


def _walk(
    top: str, start: str, deep: bool, settings: WatchSettings, unreadable: list[str]
) -> Iterator[tuple[str, dict[str, os.stat_result]]]:
    """(folder, regular files by name) of `start` and, if `deep`, of all folders below it. Links are not followed."""
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        if any(_ignored(part, settings) for part in folder.split("/") if part):
            continue
        files: dict[str, os.stat_result] = {}
        inner: list[str] = []
        try:
            with os.scandir(os.path.join(top, folder)) as entries:
                for entry in entries:
                    if _ignored(entry.name, settings):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        inner.append(posixpath.join(folder, entry.name))
                    elif entry.is_file(follow_symlinks=False):
                        files[entry.name] = entry.stat(follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            continue  # gone since: what was in it is looked at as gone
        except OSError as exc:
            log.warning("%s cannot be read: %s", os.path.join(top, folder), exc.strerror)
            unreadable.append(folder)
            continue
        if os.path.lexists(os.path.join(top, folder, ".nomedia")):
            continue
        yield folder, files
        if deep:
            waiting += sorted(inner)


def _ignored(name: str, settings: WatchSettings) -> bool:
    return name.startswith(".") or any(fnmatch.fnmatch(name, pattern) for pattern in settings.ignore)


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _reconcile(
    store: Store,
    root: Root,
    folder: str,
    names: dict[str, os.stat_result],
    settings: WatchSettings,
    now: float,
    report: ScanReport,
) -> list[FileEntry]:
    """Store what is new and changed in one folder; return the entries of files that are not there any more."""
    known = {posixpath.basename(entry.path): entry for entry in store.read(photos.in_folder, root.id, folder)}
    settled = {}
    for name, status in names.items():
        if 0 <= now - status.st_mtime < settings.settle_seconds and not _same(known.get(name), status):
            report.unsettled.add(folder)
        else:
            settled[name] = _stamp(status)
    pairing = pair(settled)
    if any(not _same(known.get(name), names[name]) for name in settled) or pairing.ambiguous or _needs_look(store, known, names):
        moved_from = {
            name: _moved_from(store, root, stamp) for name, stamp in settled.items() if not _same(known.get(name), names[name])
        }
        store.write(_apply, root, folder, settled, pairing, known, moved_from, now, report)
    store.write(photos.count_unsupported, root.id, folder, dict(pairing.unsupported))
    return [entry for name, entry in known.items() if name not in names]


def _same(entry: FileEntry | None, status: os.stat_result) -> bool:
    return entry is not None and entry.stamp == _stamp(status)


def _needs_look(store: Store, known: dict[str, FileEntry], names: dict[str, os.stat_result]) -> bool:
    """Whether a photo thought missing or in the trash is there again."""
    ids = {entry.photo_id for name, entry in known.items() if name in names and entry.role is Role.STILL}
    return any(photo.state in AWAY for photo in store.read(photos.many, ids).values())


def _moved_from(store: Store, root: Root, stamp: Stamp) -> FileEntry | None:
    """A known file with this very stamp that is not at its old place any more."""
    for entry in store.read(photos.by_inode, stamp):
        home = root if entry.root_id == root.id else store.read(roots.get, entry.root_id)
        if not os.path.lexists(os.path.join(home.path, entry.path)):
            return entry
    return None


def _apply(
    db: Database,
    root: Root,
    folder: str,
    settled: dict[str, Stamp],
    pairing: Pairing,
    known: dict[str, FileEntry],
    moved_from: dict[str, FileEntry | None],
    now: float,
    report: ScanReport,
) -> None:
    for still, companions in pairing.companions.items():
        path = posixpath.join(folder, still)
        entry, stamp, source = known.get(still), settled[still], moved_from.get(still)
        if entry is not None and entry.role is Role.STILL and entry.stamp == stamp:
            photo_id = entry.photo_id
            if photos.get(db, photo_id).state in AWAY:
                photos.file_back(db, entry, now)
                report.back += 1
        elif source is not None and source.role is Role.STILL:
            photos.file_moved(db, source, root.id, path, now)
            photo_id = source.photo_id
            report.moved += 1
        elif entry is not None and entry.role is Role.STILL and photos.get(db, entry.photo_id).state not in AWAY:
            photos.still_changed(db, entry.photo_id, path, stamp, now)
            photo_id = entry.photo_id
            report.changed += 1
        else:
            photo_id = photos.add_still(db, root.id, path, stamp, now)
            report.new += 1
        photos.set_ambiguous(db, photo_id, pairing.ambiguous.get(still))
        for name, role in companions.items():
            other = known.get(name)
            if other is None or other.stamp != settled[name] or other.photo_id != photo_id:
                photos.put_file(db, photo_id, root.id, posixpath.join(folder, name), role, settled[name])


def _settle_gone(
    store: Store,
    root: Root,
    gone: list[FileEntry],
    settings: WatchSettings,
    now: float,
    report: ScanReport,
    confirmed: bool,
) -> None:
    """Mark as missing what is really gone; freeze the root instead where that is suspiciously much."""
    really = [entry for entry in store.read(_still_known, gone) if not os.path.lexists(os.path.join(root.path, entry.path))]
    stills = [entry for entry in really if entry.role is Role.STILL]
    if not really:
        return
    if not confirmed:
        root = check_root(store, root)
        if root.state is not RootState.WATCHED:
            report.problems.append(root.reason or f"{root.path} is {root.state}")
            return
        limit = max(settings.freeze_count, store.read(photos.present_count, root.id) * settings.freeze_percent / 100)
        if len(stills) > limit:
            reason = (
                f"{len(stills):,} photos of {root.path} are gone at once: nothing of it is changed or suggested until you "
                "confirm that this was meant."
            )
            log.warning(reason)
            store.write(roots.set_state, root.id, RootState.FROZEN, reason)
            report.problems.append(reason)
            return
    for start in range(0, len(really), 500):
        store.write(_mark_gone, really[start : start + 500], now)
    report.missing += len(stills)


def _still_known(db: Database, entries: list[FileEntry]) -> list[FileEntry]:
    """Those whose row still says the same place, of photos that are neither missing already nor in the trash."""
    left = []
    for entry in entries:
        row = next(db.query("SELECT * FROM files WHERE id = ?", [entry.id]), None)
        if row is None or os.fsdecode(row["path"]) != entry.path:
            continue
        if photos.get(db, entry.photo_id).state not in AWAY:
            left.append(entry)
    return left


def _mark_gone(db: Database, entries: list[FileEntry], now: float) -> None:
    for entry in entries:
        photos.file_gone(db, entry, now)
