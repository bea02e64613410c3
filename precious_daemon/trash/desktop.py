"""The trash that file managers show: freedesktop.org's trash specification 1.0.

What was thrown away lies in `files/`, and `info/NAME.trashinfo` says from where it came and when. It is always on the mount of
the photo's own folder, so that a move there is one rename, as it is into our own trash:

    $XDG_DATA_HOME/Trash    where that is on the same mount
    $topdir/.Trash/$uid     where an administrator has made .Trash, which has to be no link, and sticky
    $topdir/.Trash-$uid     otherwise

The latter two are at the top of a whole file system: where only a part of one is mounted, as in a container or under a unit of
systemd that sees little but the photos, no file manager would look for them there.

Each name there carries the id of its unit, which no other program's file does: whatever bears it after a crash is ours. Only
files are put there, so `directorysizes`, which caches the sizes of folders, is never needed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from precious_daemon.errors import TrashRefused
from precious_daemon.models import Root, Unit
from precious_daemon.trash.moves import Disk, explained, mount_of, printable

FILES, INFO, SUFFIX = "files", "info", ".trashinfo"
LONGEST = 255 - len(SUFFIX)  # bytes of a name, so that its .trashinfo has one as well
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_SHARED = ".Trash"
_SUBVOLUME = 256  # inode of its top: BTRFS_FIRST_FREE_OBJECTID


@dataclass(frozen=True, slots=True)
class Place:
    """A trash that there may be: `names` are its folders below `base`. What it holds came from below `top`, or anywhere."""

    base: str
    names: tuple[str, ...]
    top: str | None

    @property
    def path(self) -> str:
        return posixpath.join(self.base, *self.names)


class _NotOurs(OSError):
    """Somebody else's folder, or one on another disk."""


def places(root_path: str) -> Iterator[Place]:
    """Those that the specification names for files below a folder, in its order, whether they are there or not."""
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    if os.path.isabs(home):
        yield Place(home, ("Trash",), None)
    top, user = _topdir(root_path), os.geteuid()
    if not _is_whole(top):
        return
    yield Place(top, (_SHARED, str(user)), top)
    yield Place(top, (f"{_SHARED}-{user}",), top)


def _topdir(path: str) -> str:
    """The topmost folder above a path that is on the same mount."""
    place = os.path.realpath(path)
    while (above := os.path.dirname(place)) != place:
        try:
            if mount_of(above) != mount_of(place):
                break
        except OSError:
            break
        place = above
    return place


def _is_whole(top: str) -> bool:
    """Whether a mount shows its file system, or a subvolume of btrfs, from the top and not a folder in it."""
    with contextlib.suppress(OSError):
        _, mount = mount_of(top)
        number = mount.partition(":")[2].strip()
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                mine, _, _, shown, *_, kind, _, _ = line.split(" ")
                if mine == number:
                    return shown == "/" or (kind == "btrfs" and os.stat(top).st_ino == _SUBVOLUME)
    return True


def choose(disk: Disk, root: int, root_path: str) -> Place | None:
    """The trash to use for the files of a held root, or None where there is none that can be trusted and written."""
    for place in places(root_path):
        with ExitStack() as stack, contextlib.suppress(OSError):
            last = len(place.names) - 1
            folder = _base(place, root, stack)
            for number, name in enumerate(place.names):
                try:
                    folder = _inner(disk, folder, name, root, stack)
                except FileNotFoundError:
                    if number < last:
                        raise
                    break  # it can be made
            if os.access(".", os.W_OK | os.X_OK, dir_fd=folder):
                return place
    return None


def _base(place: Place, root: int, stack: ExitStack) -> int:
    folder = os.open(place.base, _FOLDER)
    stack.callback(os.close, folder)
    if mount_of(folder) != mount_of(root):
        raise _NotOurs(errno.EXDEV, "it is on another disk")
    return folder


def _inner(disk: Disk, parent: int, name: str, root: int, stack: ExitStack) -> int:
    """One of the folders of a trash: never a link, and ours; the one that all users share is sticky instead."""
    folder = stack.enter_context(disk.folder(parent, name))
    status = os.fstat(folder)
    if mount_of(folder) != mount_of(root):
        raise _NotOurs(errno.EXDEV, "it is on another disk")
    if not status.st_mode & stat.S_ISVTX if name == _SHARED else status.st_uid != os.geteuid():
        raise _NotOurs(errno.EPERM, "it can be changed by others")
    return folder


@contextmanager
def made(disk: Disk, place: Place, root: int) -> Iterator[tuple[int, int, int]]:
    """Held descriptors of a trash, its files and its info, made where they were not. TrashRefused where they cannot be used."""
    with ExitStack() as stack:
        try:
            trash = _base(place, root, stack)
            for name in place.names:
                if name != _SHARED:
                    disk.make_folder(trash, name)
                trash = _inner(disk, trash, name, root, stack)
            inside = []
            for name in (FILES, INFO):
                disk.make_folder(trash, name)
                inside.append(_inner(disk, trash, name, root, stack))
        except OSError as exc:
            trouble = explained(exc)
            if trouble is not exc:
                raise trouble from exc
            raise TrashRefused(f"{printable(place.path)} cannot be used as a trash ({exc.strerror}).") from exc
        yield trash, inside[0], inside[1]


@contextmanager
def held(place: str | None, root: int) -> Iterator[int | None]:
    """What the places of a unit in the trash are relative to: the root, or its trash of the desktop; None where that is gone."""
    if place is None:
        yield root
        return
    try:
        trash = os.open(place, _FOLDER | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield None
        return
    except OSError as exc:
        raise TrashRefused(f"{printable(place)} cannot be opened ({exc.strerror}): nothing was changed.") from exc
    try:
        status = os.fstat(trash)
        if status.st_dev != os.fstat(root).st_dev or status.st_uid != os.geteuid():
            raise TrashRefused(f"{printable(place)} is not the trash that it was: nothing was changed. Is its disk mounted?")
        yield trash
    finally:
        os.close(trash)


# --- what stands beside a file -----------------------------------------------------------------------------------------


def write_infos(disk: Disk, info: int, place: Place, root: Root, unit: Unit, now: float) -> None:
    """Say of each file where it came from, before it comes, and put that on the disk."""
    for file in unit.files:
        path = posixpath.join(os.path.realpath(root.path), file.path)
        if place.top is not None:
            path = posixpath.relpath(path, place.top)
        disk.write_new(info, _info_name(file.trash_path), trashinfo(path, now))
    disk.sync(info)


def trashinfo(path: str, now: float) -> bytes:
    """The text that file managers read. `path` is absolute, or relative to the top of its mount; the date is local time."""
    from urllib.parse import quote  # here: only a move needs it

    date = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now))
    return f"[Trash Info]\nPath={quote(os.fsencode(path))}\nDeletionDate={date}\n".encode("ascii")


def drop_infos(disk: Disk, trash: int | None, place: str | None, trash_paths: Iterable[str | None]) -> None:
    """Remove what stands beside files that are not there any more. What cannot be removed harms nothing."""
    if place is None or trash is None:
        return
    with contextlib.suppress(OSError), disk.folder(trash, INFO) as info:
        for path in trash_paths:
            if path and disk.status(trash, path) is None:
                disk.drop(info, _info_name(path))


def _info_name(trash_path: str | None) -> str:
    return posixpath.basename(trash_path or "") + SUFFIX
