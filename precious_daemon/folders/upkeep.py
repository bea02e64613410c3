"""`verify`: is everything as the library says? `repair`: make the cache anew."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from precious_daemon.config import Places
from precious_daemon.errors import DatabaseError
from precious_daemon.models import FileEntry, Root, RootState, Stamp
from precious_daemon.store import Store, backup, files, photos, roots

BLOCK = 1 << 20
SAMPLE = 200  # files of each folder that `verify` reads unless asked for all
A_PAGE = 500


@dataclass(slots=True)
class Verdict:
    """What `verify` found. Paths are whole."""

    databases: list[str] = field(default_factory=list)  # what is wrong with them, in sentences
    read: int = 0
    damaged: list[str] = field(default_factory=list)  # date and size as ever, and other bytes
    unreadable: list[str] = field(default_factory=list)
    changed: int = 0  # since the last scan: the next one sees to it
    absent: int = 0  # likewise
    away: list[str] = field(default_factory=list)  # folders that are not there now

    @property
    def ok(self) -> bool:
        return not (self.databases or self.damaged or self.unreadable)


def verify(places: Places, everything: bool = False, say: Callable[[int, int], None] = lambda done, total: None) -> Verdict:
    """Check both databases, and read files to see whether they are what they were: some, or all. Changes nothing.

    May be run while the service runs. `say` is told of files read, and how many there are. Raises DatabaseError where there
    is no library.
    """
    verdict = Verdict()
    if not places.library_db.exists():
        raise DatabaseError("There is no library yet. Start one with: precious-daemon run FOLDER")
    for file, remedy in ((places.library_db, backup.advice(places)), (places.cache_db, "Make it anew: precious-daemon repair")):
        if found := backup.damage(file):
            verdict.databases.append(f"{file} is damaged ({found[0]}). {remedy}")
    if verdict.databases:
        return verdict  # what it says of the files is not to be believed
    with Store(places, writer=False) as store:
        for root in store.read(roots.all_roots):
            if root.state is not RootState.OFFLINE:
                _verify_root(store, root, everything, verdict, say)
            elif root.reason != roots.NO_LONGER_WATCHED:
                verdict.away.append(root.path)
    return verdict


def _verify_root(store: Store, root: Root, everything: bool, verdict: Verdict, say: Callable[[int, int], None]) -> None:
    total = verdict.read + store.read(photos.present_count, root.id)
    for entry in _all_files(store, root) if everything else store.read(photos.known_sample, root.id, SAMPLE):
        if entry.content_hash is None:
            continue
        path = os.path.join(root.path, entry.path)
        try:
            found, its = _hash(path)
        except FileNotFoundError:
            verdict.absent += 1
            continue
        except OSError as exc:
            verdict.unreadable.append(f"{path}: {exc.strerror}")
            continue
        verdict.read += 1
        say(verdict.read, total)
        if (its.inode, its.size, its.mtime_ns) != (entry.stamp.inode, entry.stamp.size, entry.stamp.mtime_ns):
            verdict.changed += 1
        elif found != entry.content_hash:
            verdict.damaged.append(path)


def _all_files(store: Store, root: Root) -> Iterator[FileEntry]:
    after = 0
    while part := store.read(files.of_root, root.id, after, A_PAGE):
        yield from part
        after = part[-1].id


def _hash(path: str) -> tuple[bytes, Stamp]:
    """BLAKE3 of a regular file, and its stamp once it is read."""
    from blake3 import blake3

    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(path)
        digest = blake3()
        while block := file.read(BLOCK):
            digest.update(block)
        status = os.fstat(descriptor)
    return digest.digest(), Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def repair(places: Places, now: float) -> int:
    """Make `cache.db` anew and have every photo read again; how many. Nothing that the owner said is touched.

    Raises LibraryLocked while the service runs, and DatabaseError where `library.db` itself is damaged.
    """
    if not places.library_db.exists():
        raise DatabaseError("There is no library yet. Start one with: precious-daemon run FOLDER")
    if found := backup.damage(places.library_db):
        raise DatabaseError(f"{places.library_db} is damaged ({found[0]}). Nothing was changed. {backup.advice(places)}")
    with Store(places, new_cache=True) as store:
        return store.write(backup.forget_cache, now)
