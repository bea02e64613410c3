"""What is on the disk below a watched folder: seen by exactly its name, and through no link."""

from __future__ import annotations

import errno
import fnmatch
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from precious_daemon.config import WatchSettings
from precious_daemon.models import Root

log = logging.getLogger(__name__)


def filesystem_of(place: str | int) -> str | None:
    """The id of the file system that a path or descriptor is on, which most keep over a restart; None where it has none.

    FAT and the like give their device's number instead, which is another one in the next socket.
    """
    number = os.statvfs(place).f_fsid
    return f"{number:x}" if number not in (0, device := os.stat(place).st_dev) else _volume(device)


def _volume(device: int) -> str | None:
    """The id that udev read from a volume on this device."""
    with suppress(OSError), os.scandir("/dev/disk/by-uuid") as entries:
        for entry in entries:
            if entry.stat().st_rdev == device:
                return entry.name
    return None


def same_disk(root: Root, place: str | int) -> bool:
    """Whether a place is on the disk that a root was on, by the id of its file system or else by the device number."""
    if root.filesystem is not None and root.filesystem != f"{root.device or 0:x}":
        return filesystem_of(place) == root.filesystem
    return os.stat(place).st_dev == root.device


def file_system(path: str, mountinfo: str) -> str:
    """The type of the file system that an absolute path is on, from the text of /proc/self/mountinfo (proc(5))."""
    found, longest = "", -1
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split(" ")[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= longest:  # of several on one point, the last is on top
            found, longest = after.split(" ")[0], len(point)
    return found


def kind_of_disk(path: str) -> str:
    """The type of the file system that a path is on; empty where this machine does not tell."""
    try:
        return file_system(os.path.realpath(path), Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape"))
    except OSError:
        return ""


def keeps_numbers(path: str) -> bool:
    """Whether a file has the same inode number tomorrow: FAT has none on the disk, and a driver in user space may forget it."""
    return not (kind := kind_of_disk(path)).startswith("fuse") and kind not in ("vfat", "msdos", "exfat")


def walk(
    top: str, start: str, deep: bool, settings: WatchSettings, unreadable: list[str]
) -> Iterator[tuple[str, dict[str, os.stat_result]]]:
    """(folder, regular files by name) of `start` and, if `deep`, of all folders below it. Links are not followed."""
    waiting = [start]
    if _passed_over(top, start, settings):
        return
    while waiting:
        folder = waiting.pop()
        files: dict[str, os.stat_result] = {}
        inner: list[str] = []
        try:
            marked = _list(os.path.join(top, folder) if folder else top, files, inner, settings)
        except OSError as exc:
            # gone since, or a link now: what was in it is looked at as gone
            if exc.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                log.warning("%s cannot be read: %s", os.path.join(top, folder), exc.strerror)
                unreadable.append(folder)
            continue
        if marked:
            continue
        yield folder, files
        if deep:
            inner.sort(reverse=True)
            waiting += [f"{folder}/{name}" if folder else name for name in inner]


def _list(path: str, files: dict[str, os.stat_result], inner: list[str], settings: WatchSettings) -> bool:
    """Fill in the files and folders of one folder; True where a file in it says that it is to be passed over."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                name = entry.name
                if name in settings.ignore_marked:
                    return True
                if _ignored(name, settings.ignore):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    inner.append(name)
                elif entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):  # gone since
                        files[name] = entry.stat(follow_symlinks=False)
    finally:
        os.close(descriptor)
    return False


def _passed_over(top: str, folder: str, settings: WatchSettings) -> bool:
    """Whether a folder, or one that it is in, is ignored or marked, or reached through a link."""
    place = top
    for part in folder.split("/") if folder else ():
        if _ignored(part, settings.ignore) or any(os.path.lexists(f"{place}/{mark}") for mark in settings.ignore_marked):
            return True
        place = f"{place}/{part}"
        if os.path.islink(place):
            return True
    return False


@cache
def _patterns(ignore: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(fnmatch.translate, ignore)) or r"(?!)")


def _ignored(name: str, ignore: tuple[str, ...]) -> bool:
    return name.startswith(".") or _patterns(ignore).match(name) is not None


def there(top: str, path: str) -> os.stat_result | None:
    """What is at a path below `top`, by exactly this name and through no link; None where nothing is.

    Raises OSError where that cannot be told. On a file system that does not tell capitals from small letters, a file
    that was renamed from IMG.JPG to img.jpg is not at IMG.JPG any more.
    """
    whole = os.path.join(top, path)
    try:
        status = os.lstat(whole)
        if not path:
            return status
        folder = os.path.dirname(whole)
        if os.path.realpath(folder) != os.path.join(os.path.realpath(top), os.path.dirname(path)).rstrip("/"):
            return None
        if os.path.lexists(os.path.join(top, path.swapcase())):  # either such a file system, or another file
            place = top
            for part in path.split("/"):
                if part not in os.listdir(place):
                    return None
                place = f"{place}/{part}"
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status
