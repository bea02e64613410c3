"""The system calls that moving needs: open beneath a held folder, rename without replacing, sync.

All of them take descriptors, so that a name swapped for a link in the meantime leads nowhere else. The only files that
are ever removed are our own records of what was moved, and, by `purge` alone, what has lain in the trash.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import posixpath
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from precious_daemon.errors import TrashRefused
from precious_daemon.models import Stamp

RECORD = "record.json"
RECORD_NEW = "record.json.new"
NAMES = 100  # "name (restored 99)" is the last that is tried

_SYS_OPENAT2 = 437  # on every architecture that Python runs on, and in no C library yet
_RESOLVE_NO_SYMLINKS, _RESOLVE_BENEATH = 0x04, 0x08
_RENAME_NOREPLACE = 1  # Linux, renameat2(2)
_RENAME_EXCL = 4  # macOS, renameatx_np(2)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY

_UNSUPPORTED = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
_BROKEN = {errno.EIO, errno.EROFS, errno.ENODEV, errno.ENXIO, errno.ESTALE, getattr(errno, "EUCLEAN", errno.EIO)}


class Unsupported(TrashRefused):
    """This file system cannot rename without the risk of replacing, or not to the trash: suggest only."""


class Swapped(TrashRefused):
    """What was moved is not what was verified; it was moved back. Somebody is changing the folder: freeze."""


class DiskFailed(TrashRefused):
    """The disk cannot be trusted to hold what it said it holds: stop at once, freeze, try nothing again."""


def printable(text: str) -> str:
    """Text for a sentence, whatever bytes a name is made of."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def shown(path: str) -> str:
    """The name of a file for a sentence."""
    return printable(posixpath.basename(path))


def stamp_of(status: os.stat_result) -> Stamp:
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def mount_of(place: str | int) -> tuple[int, str]:
    """What tells mounts apart: two of one file system have one device, and yet nothing can be renamed between them."""
    folder = os.open(place, _FOLDER | os.O_CLOEXEC) if isinstance(place, str) else place
    try:
        device, mount = os.fstat(folder).st_dev, ""
        with contextlib.suppress(OSError), open(f"/proc/self/fdinfo/{folder}", encoding="ascii") as lines:
            mount = next((line for line in lines if line.startswith("mnt_id:")), "")
        return device, mount
    finally:
        if isinstance(place, str):
            os.close(folder)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class Disk:
    """The real disk. Tests put one in its place that fails where they say."""

    def __init__(self, *, openat2: bool = True) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._openat2 = openat2 and sys.platform == "linux"

    # --- looking -------------------------------------------------------------------------------------------------------

    def open(self, folder: int, path: str, flags: int = os.O_RDONLY) -> int:
        """A descriptor of `path` beneath a held folder. No component may be a link, and none may lead out."""
        flags |= os.O_CLOEXEC | os.O_NOFOLLOW
        if self._openat2:
            how = _OpenHow(flags, 0, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS)
            while True:
                fd: int = self._libc.syscall(
                    ctypes.c_long(_SYS_OPENAT2), ctypes.c_int(folder), ctypes.c_char_p(os.fsencode(path)),
                    ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)),
                )  # fmt: skip
                if fd >= 0:
                    return fd
                code = ctypes.get_errno()
                if code in (errno.ENOSYS, errno.EPERM):  # an old kernel, or a sandbox that knows no openat2
                    break
                if code not in (errno.EINTR, errno.EAGAIN):
                    raise OSError(code, os.strerror(code), path)
        return self._open_by_steps(folder, path, flags)

    def _open_by_steps(self, folder: int, path: str, flags: int) -> int:
        """The same without openat2: one component at a time, none of them a link."""
        *parents, name = path.split("/")
        if path != "." and any(part in ("", ".", "..") for part in (*parents, name)):
            raise OSError(errno.EXDEV, "leads out of its folder", path)
        with ExitStack() as stack:
            for part in parents:
                folder = os.open(part, _FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                stack.callback(os.close, folder)
            return os.open(name, flags, dir_fd=folder)

    @contextmanager
    def folder(self, folder: int, path: str) -> Iterator[int]:
        """A held descriptor of a folder beneath a held folder; the empty path is that folder itself."""
        fd = self.open(folder, path or ".", _FOLDER)
        try:
            yield fd
        finally:
            os.close(fd)

    def status(self, folder: int, path: str) -> os.stat_result | None:
        """What stands at `path` beneath a held folder, a link being a link; None where nothing does."""
        try:
            with self.folder(folder, posixpath.dirname(path)) as parent:
                return os.stat(posixpath.basename(path), dir_fd=parent, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            if exc.errno == errno.ELOOP:
                return None
            raise

    # --- changing ------------------------------------------------------------------------------------------------------

    def make_folder(self, folder: int, name: str) -> None:
        """A new folder, open to its owner only: what was private stays so in the trash. It may be there already."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=folder)
            self.sync(folder)

    def rename(self, source_folder: int, source: str, target_folder: int, target: str) -> None:
        """Move within one file system and never replace: FileExistsError where the target is taken."""
        try:
            self._rename(source_folder, os.fsencode(source), target_folder, os.fsencode(target))
        except OSError as exc:
            raise (unsupported(exc.errno) if exc.errno in _UNSUPPORTED else explained(exc)) from exc

    def _rename(self, source_folder: int, source: bytes, target_folder: int, target: bytes) -> None:
        if sys.platform == "darwin":
            call, flag = self._libc.renameatx_np, _RENAME_EXCL
        elif hasattr(self._libc, "renameat2"):
            call, flag = self._libc.renameat2, _RENAME_NOREPLACE
        else:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        folders = ctypes.c_int(source_folder), ctypes.c_int(target_folder)
        if call(folders[0], ctypes.c_char_p(source), folders[1], ctypes.c_char_p(target), ctypes.c_uint(flag)):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), source)

    def write_record(self, folder: int, data: bytes) -> None:
        """Write `record.json`, whole and on the disk before it has its name.

        Its own rename shows whether this file system can rename without replacing, before any photo depends on it.
        """
        self.write_new(folder, RECORD_NEW, data)
        self.rename(folder, RECORD_NEW, folder, RECORD)
        self.sync(folder)

    def write_new(self, folder: int, name: str, data: bytes) -> None:
        """Write a file of ours that is not there yet, and put its content on the disk."""
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            while data:
                data = data[os.write(fd, data) :]
            self.sync(fd)
        finally:
            os.close(fd)

    def drop_record(self, folder: int) -> None:
        """Remove our own record from a unit's folder that holds nothing else."""
        if not set(os.listdir(folder)) - {RECORD, RECORD_NEW}:
            for name in (RECORD, RECORD_NEW):
                self.drop(folder, name)

    def drop(self, folder: int, name: str) -> None:
        """Remove a file that we wrote beside what was moved. It may be gone already."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)

    def remove(self, folder: int, name: str) -> None:
        """Remove a file from our trash for good."""
        os.unlink(name, dir_fd=folder)

    def drop_folder(self, folder: int, name: str) -> None:
        """Remove a folder of ours. OSError where something is in it."""
        os.rmdir(name, dir_fd=folder)

    def sync(self, fd: int) -> None:
        """Put a file or a folder on the disk. After a failure nobody knows what is there, so it is never tried again."""
        try:
            self._sync(fd)
        except OSError as exc:
            if exc.errno in _UNSUPPORTED:
                raise unsupported(exc.errno) from exc
            raise DiskFailed(f"The disk did not confirm what was written to it ({exc.strerror}).") from exc

    def _sync(self, fd: int) -> None:
        if sys.platform == "darwin":
            import fcntl

            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # fsync stops at the drive's cache there
        else:
            os.fsync(fd)


def unsupported(code: int | None) -> Unsupported:
    return Unsupported(
        f"a file cannot be moved to the trash here without risk ({os.strerror(code or 0)}), so its photos are only suggested."
    )


def explained(exc: OSError) -> OSError | DiskFailed:
    """The error itself, or DiskFailed where it says that the disk is failing rather than this one file."""
    if exc.errno in _BROKEN:
        return DiskFailed(f"The disk reports an error ({exc.strerror}).")
    return exc


# --- all or none -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """One file from a name in one held folder to a name in another.

    `file` is a descriptor of the very file that is meant, and `stamp` what it has to be before and after.
    """

    source_folder: int
    source: str
    target_folder: int
    target: str
    file: int
    stamp: Stamp


def carry(disk: Disk, moves: Sequence[Move]) -> None:
    """Move all files or none, and check of each that what moved is what was meant (steps 6 and 7).

    FileExistsError, TrashRefused and other OSErrors: everything is back, though under another name where its own was
    taken meanwhile. DiskFailed: stopped at once, and the files are where they are.
    """
    moved: list[Move] = []
    try:
        for move in moves:
            disk.rename(move.source_folder, move.source, move.target_folder, move.target)
            moved.append(move)
            _recheck(move)
    except DiskFailed:
        raise
    except (TrashRefused, OSError):
        take_back(disk, moved)
        raise


def take_back(disk: Disk, moved: Sequence[Move]) -> None:
    """Reverse moves that were made, newest first, and put that on the disk. Where it cannot be done: DiskFailed."""
    for move in reversed(moved):
        try:
            _put_back(disk, move)
        except FileNotFoundError:
            continue  # somebody took it from its new place: there is nothing to move back
        except (Unsupported, OSError) as exc:
            raise DiskFailed(f"{shown(move.source)} could not be moved back to its place ({exc}).") from exc
    sync_folders(disk, [folder for move in moved for folder in (move.source_folder, move.target_folder)])


def _put_back(disk: Disk, move: Move) -> None:
    """To its own name, or the first "name (restored)" that is free."""
    for attempt in range(NAMES):
        with contextlib.suppress(FileExistsError):
            return disk.rename(move.target_folder, move.target, move.source_folder, renamed(move.source, move.source, attempt))
    raise FileExistsError(errno.EEXIST, "all its names are taken")


def sync_folders(disk: Disk, folders: Sequence[int]) -> None:
    """Put these folders on the disk, each once. It is the end of a move, so every failure is DiskFailed."""
    once = {(status.st_dev, status.st_ino): folder for folder in folders for status in [os.fstat(folder)]}
    for folder in once.values():
        try:
            disk.sync(folder)
        except Unsupported as exc:
            raise DiskFailed(f"The disk does not say whether a move is on it ({exc}).") from exc


def renamed(name: str, still: str, attempt: int) -> str:
    """`name` with " (restored)" after the stem that it shares with its still, so that companions stay companions."""
    if not attempt:
        return name
    stem = posixpath.splitext(still)[0]
    if not name.startswith(stem):
        stem = posixpath.splitext(name)[0]
    mark = " (restored)" if attempt == 1 else f" (restored {attempt})"
    rest = name[len(stem) :]
    while stem and len(os.fsencode(stem + mark + rest)) > 255:  # the longest name that file systems take
        stem = stem[:-1]
    return stem + mark + rest


def _recheck(move: Move) -> None:
    """The name leads to the file that was meant, and that is as it was."""
    try:
        found = os.stat(move.target, dir_fd=move.target_folder, follow_symlinks=False)
    except FileNotFoundError:
        raise Swapped(f"{shown(move.source)} was taken away at the moment it was moved.") from None
    if (found.st_dev, found.st_ino) != (move.stamp.dev, move.stamp.inode):
        raise Swapped(f"{shown(move.source)} was replaced by something else at the moment it was moved.")
    if stamp_of(os.fstat(move.file)) != move.stamp:
        raise TrashRefused(f"{shown(move.source)} was changed while it was being moved, so it stays; look at it again.")
