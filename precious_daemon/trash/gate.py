"""Step 0, before anything is touched: is this folder what it was, and step 4: is each file what it was?"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from precious_daemon.disk.tree import same_disk
from precious_daemon.errors import TrashRefused
from precious_daemon.models import FileEntry, Root, RootState, Stamp
from precious_daemon.trash.moves import Disk, explained, printable, shown, stamp_of

MARKER = ".precious-root"
SAMPLE = 20  # known photos that are looked for
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A file opened without following links, and read to its end. The descriptors are held by the caller's stack."""

    folder: int
    name: str
    file: int
    stamp: Stamp
    content_hash: bytes


@contextmanager
def entered(disk: Disk, root: Root, why_not: str | None = None, *, writing: bool = True) -> Iterator[int]:
    """A held descriptor of a watched folder that is the one it was; TrashRefused otherwise.

    `why_not` says that nothing can be moved safely in it. Without `writing` it will only be read.
    """
    if root.state is RootState.OFFLINE:
        raise TrashRefused(
            f"{printable(root.path)} is not there ({root.reason or 'offline'}): nothing was changed. Connect it and scan again."
        )
    if root.state is RootState.FROZEN:
        raise TrashRefused(f"{printable(root.path)} is frozen ({root.reason}): nothing was changed. Confirm the folder first.")
    if writing and root.marker is None:
        raise TrashRefused(
            f"{printable(root.path)} cannot be written, so its photos are only suggested. "
            "Make it writable and scan it to move them."
        )
    if writing and why_not:
        raise TrashRefused(f"{printable(root.path)}: {why_not}")
    try:
        fd = os.open(root.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise TrashRefused(
            f"{printable(root.path)} cannot be opened ({exc.strerror}): nothing was changed. Is its disk mounted?"
        ) from exc
    try:
        _recognise(disk, root, fd)
        if writing:
            _writable(root, fd)
        yield fd
    finally:
        os.close(fd)


def _recognise(disk: Disk, root: Root, fd: int) -> None:
    if root.device is not None and not same_disk(root, fd):
        raise TrashRefused(
            f"{printable(root.path)} is on another disk than it was: nothing was changed. Confirm the folder first."
        )
    if root.marker is not None and read_marker(disk, fd) != root.marker:
        raise TrashRefused(
            f"{printable(root.path)} is not the folder it was, for its file {MARKER} is missing or another one: "
            "nothing was changed. If its disk is not mounted, mount it; if this is the right folder, confirm it."
        )


def read_marker(disk: Disk, root: int) -> str | None:
    """The id written into a folder, or None."""
    try:
        fd = disk.open(root, MARKER, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return os.read(fd, 256).decode("ascii", "replace").strip() if stat.S_ISREG(os.fstat(fd).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(fd)


def _writable(root: Root, fd: int) -> None:
    if os.fstatvfs(fd).f_flag & os.ST_RDONLY or not os.access(".", os.W_OK | os.X_OK, dir_fd=fd):
        raise TrashRefused(
            f"{printable(root.path)} cannot be written at the moment: nothing was changed. Is it mounted read-only?"
        )


def look_for(disk: Disk, root: Root, fd: int, sample: Sequence[FileEntry]) -> None:
    """Check that a sample of known photos is where it was; one, or a tenth, the owner may have moved since the last scan."""
    gone = sum(1 for entry in sample if disk.status(fd, entry.path) is None)
    if sample and (gone > max(1, len(sample) // 10) or gone == len(sample)):
        raise TrashRefused(
            f"{printable(root.path)}: {gone} of {len(sample)} known photos are not where they were. "
            "Nothing was moved; scan the folder first."
        )


# --- files -------------------------------------------------------------------------------------------------------------


def read_file(disk: Disk, root: int, path: str, stack: ExitStack) -> Found:
    """Open a regular file beneath a root and hash all of it. What it opens is closed by `stack`."""
    try:
        folder = stack.enter_context(disk.folder(root, posixpath.dirname(path)))
        name = posixpath.basename(path)
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            raise TrashRefused(f"{shown(path)} is a link now, and links are never followed; it was left alone.")
        if not stat.S_ISREG(status.st_mode):
            raise TrashRefused(f"{shown(path)} is not a file any more; it was left alone.")
        file = disk.open(folder, name, os.O_RDONLY | os.O_NONBLOCK)
        stack.callback(os.close, file)
        before = os.fstat(file)
        content_hash = _hash(file)
        after = os.fstat(file)
    except (FileNotFoundError, NotADirectoryError):
        raise TrashRefused(f"{shown(path)} is not there any more.") from None
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise TrashRefused(
                f"A link stands in the way to {shown(path)}, and links are never followed; it was left alone."
            ) from exc
        trouble = explained(exc)
        if trouble is exc:
            raise TrashRefused(f"{shown(path)} cannot be read ({exc.strerror}); it was left alone.") from exc
        raise trouble from exc
    if stamp_of(before) != stamp_of(after) or not stat.S_ISREG(after.st_mode):
        raise TrashRefused(f"{shown(path)} is being changed at this moment; try again later.")
    return Found(folder, name, file, stamp_of(after), content_hash)


def find_file(disk: Disk, root: int, folder: str, stamp: Stamp) -> str | None:
    """The path of the file with this inode, size and time in a folder beneath a root, or None."""
    try:
        with disk.folder(root, folder) as fd, os.scandir(fd) as entries:
            for entry in entries:
                if entry.inode() == stamp.inode and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    if (status.st_size, status.st_mtime_ns) == (stamp.size, stamp.mtime_ns):
                        return posixpath.join(folder, entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return None


def _hash(file: int) -> bytes:
    from blake3 import blake3  # here: a service that deletes nothing does without

    digest = blake3()
    while block := os.read(file, _BLOCK):
        digest.update(block)
    return digest.digest()
