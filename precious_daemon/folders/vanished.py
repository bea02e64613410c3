"""Marks as missing what is gone from a folder: never much at once, and never what has only moved."""

from __future__ import annotations

import logging
import os
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from precious_daemon.config import WatchSettings
from precious_daemon.disk.tree import there
from precious_daemon.models import FileEntry, Role, Root, RootState, Stamp
from precious_daemon.store import Database, Store, changes, files, photos, roots

log = logging.getLogger(__name__)

Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of files that seemed gone. `waiting` photos may be among those not yet read: the next scan can tell."""

    missing: int = 0
    waiting: int = 0
    problem: str | None = None


def settle(
    store: Store,
    root: Root,
    gone: Ids,
    settings: WatchSettings,
    now: float,
    check: Callable[[], Root],
    look_elsewhere: Callable[[], None],
) -> Settled:
    """Mark as missing what is really gone; where that is suspiciously much, freeze the root instead.

    `check` sees to the root as a whole. `look_elsewhere` finds what has moved into other folders; it is asked only where
    much is gone.
    """
    really, stills = _really_gone(store, root, gone)
    if not really:
        return Settled()
    root = check()
    if root.state is not RootState.WATCHED:
        return Settled(problem=root.reason or f"{root.path} is {root.state}")
    limit = max(settings.freeze_count, store.read(photos.present_count, root.id) * settings.freeze_percent / 100)
    waiting: set[int] = set()
    if stills > limit:
        look_elsewhere()
        really, stills = _really_gone(store, root, really)
        lost, waiting = _told_apart(store, really)
        if lost > limit:
            return Settled(problem=_freeze(store, root, lost))
    _mark(store, really, now, waiting)
    return Settled(stills - len(waiting), len(waiting))


def settle_confirmed(store: Store, root: Root, gone: Ids, now: float) -> Settled:
    """As `settle`, where the owner said that whatever is gone was meant to go."""
    really, stills = _really_gone(store, root, gone)
    _mark(store, really, now, ())
    return Settled(stills)


def is_gone(root: Root, entry: FileEntry, or_another: bool = False) -> bool:
    """Whether a file is not where it is known to be; with `or_another`, also where it is not that file any more."""
    try:
        status = there(root.path, entry.path)
    except OSError:
        return False  # cannot be told
    return status is None or (or_another and stamp(status) != entry.stamp)


def stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _really_gone(store: Store, root: Root, gone: Ids) -> tuple[Ids, int]:
    """(ids of files, how many of them are stills). Ids only: there may be a million."""
    really, stills = array("q"), 0
    for entry in _entries(store, gone):
        if entry.root_id == root.id and is_gone(root, entry):
            really.append(entry.id)
            stills += entry.role is Role.STILL
    return really, stills


def _told_apart(store: Store, gone: Ids) -> tuple[int, set[int]]:
    """(photos that are lost, ids of those that may be a photo not yet read). What stands elsewhere too is neither.

    A photo copied to another disk and deleted here is such a photo: its bytes are known there, or a file of its size waits.
    """
    watched = {root.id: root for root in store.read(roots.all_roots) if root.state is RootState.WATCHED}
    unread = Counter(store.read(photos.unread_sizes, watched))
    lost, waiting = 0, set()
    for entry in _entries(store, gone):
        if entry.role is not Role.STILL:
            continue
        twins = store.read(files.with_content, entry.content_hash, watched) if entry.content_hash else []
        if any(twin.id != entry.id and not is_gone(watched[twin.root_id], twin) for twin in twins):
            continue
        if entry.content_hash and unread[entry.stamp.size] > 0:
            unread[entry.stamp.size] -= 1
            waiting.add(entry.photo_id)
        else:
            lost += 1
    return lost, waiting


def _freeze(store: Store, root: Root, lost: int) -> str:
    reason = (
        f"{lost:,} photos of {root.path} are gone at once: nothing of it is changed or suggested until you "
        "confirm that this was meant."
    )
    log.warning(reason)
    store.write(roots.set_state, root.id, RootState.FROZEN, reason)
    return reason


def _mark(store: Store, gone: Ids, now: float, but: Collection[int]) -> None:
    """Mark these files as gone, except those of the photos `but`."""

    def mark(db: Database, ids: Ids) -> None:
        for entry in files.should_be_there(db, ids):
            if entry.photo_id not in but:
                changes.file_gone(db, entry, now)

    for ids in _parts(gone):
        store.write(mark, ids)


def _entries(store: Store, ids: Ids) -> Iterator[FileEntry]:
    for part in _parts(ids):
        yield from store.read(files.should_be_there, part)


def _parts(ids: Ids, size: int = 500) -> Iterator[Ids]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
