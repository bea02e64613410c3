"""What tells of changes below a folder: the kernel where it can; where it cannot, why.

Events are hints only. Two things must not go unnoticed: that events were lost because they came too fast, and that some
folder below is not watched at all because the system's limit is reached. watchdog logs the one and passes over the other.
"""

from __future__ import annotations

import asyncio
import errno
import os
import posixpath
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver

from precious_daemon.disk.tree import file_system

Hint = tuple[str, bool]  # a folder below the root, and whether with all below it

# Not opening and reading, which is what we do ourselves; nor each single write, for closing tells of the last one.
CHANGES: list[type[FileSystemEvent]] = [
    DirCreatedEvent, DirDeletedEvent, DirMovedEvent, FileClosedEvent, FileCreatedEvent, FileDeletedEvent, FileMovedEvent,
]  # fmt: skip
NETWORK = re.compile(
    r"(nfs4?|cifs|smb2|smb3|smbfs|afs|ceph|9p|lustre|davfs|virtiofs|vboxsf|prl_fs|acfs|drvfs"
    r"|fuse\.(sshfs|rclone|glusterfs|s3fs|davfs2|vmhgfs-fuse|gvfsd-fuse|curlftpfs|juicefs))"
)
EVERYTHING: Hint = ("", True)


class Eyes:
    """Watches one folder with all below it, and says where to look: `hint` is called from another thread."""

    def __init__(self, path: str, hint: Callable[[Hint], None]) -> None:
        self._observer, self._limits = _observer(lambda: hint(EVERYTHING))
        self._observer.schedule(_Handler(path, hint), path, recursive=True, event_filter=CHANGES)

    def open(self) -> None:
        """Begin. Raises OSError where not everything can be watched; then nothing is."""
        try:
            self._observer.start()
            if self.failure:
                raise self.failure
        except OSError:
            self.close()
            raise

    @property
    def failure(self) -> OSError | None:
        """Why some folder is not watched, be it one that was made since."""
        return self._limits[0] if self._limits else None

    def close(self) -> None:
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join()
        else:
            self._observer.on_thread_stop()  # it could not be started, but what it reads from was


class _Handler(FileSystemEventHandler):
    """Runs in the observer's thread, which an exception here would end for good: so it only passes on."""

    def __init__(self, top: str, hint: Callable[[Hint], None]) -> None:
        self._top, self._hint = top, hint

    def on_any_event(self, event: FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            if not path:
                continue
            place = os.path.relpath(os.fsdecode(path), self._top)
            folder = place if event.is_directory else posixpath.dirname(place)
            folder = "" if folder == "." else folder
            if not any(part.startswith(".") for part in folder.split("/")):
                self._hint((folder, event.is_directory))


class Mailbox:
    """Hints on their way from another thread to the event loop: many at once are one errand."""

    def __init__(self, loop: asyncio.AbstractEventLoop, deliver: Callable[[Hint], None]) -> None:
        self._loop, self._deliver = loop, deliver
        self._lock, self._hints = threading.Lock(), set[Hint]()

    def put(self, hint: Hint) -> None:
        with self._lock:
            first = not self._hints
            self._hints.add(hint)
        if first:
            with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
                self._loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        with self._lock:
            hints, self._hints = self._hints, set()
        for hint in hints:
            self._deliver(hint)


if sys.platform == "linux":
    from watchdog.observers.inotify import InotifyEmitter
    from watchdog.observers.inotify_c import CallbackId, InotifyEvent, InotifyFD, Mask, WatchCallback, WatchDescriptor

    class _Inotify(InotifyFD):
        """Says when events were lost, and remembers when a watch was refused."""

        def __init__(self, lost: Callable[[], None]) -> None:
            super().__init__()
            self._lost = lost
            self.limits: list[OSError] = []

        def add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
            try:
                return super().add_callback(path, mask, callback, id_)
            except OSError as exc:
                if exc.errno in (errno.ENOSPC, errno.ENOMEM):
                    self.limits.append(exc)
                raise

        def handle_event(self, event: InotifyEvent) -> None:
            super().handle_event(event)
            if event.is_queue_overflow:
                self._lost()

    class _InotifyObserver(BaseObserver):
        """As watchdog's own, with the above."""

        def __init__(self, inotify: _Inotify) -> None:
            super().__init__(InotifyEmitter, inotify_fd=inotify)
            self._inotify = inotify
            inotify.start()

        def on_thread_stop(self) -> None:
            super().on_thread_stop()
            self._inotify.stop()
            self._inotify.join()

    def _observer(lost: Callable[[], None]) -> tuple[BaseObserver, list[OSError]]:
        inotify = _Inotify(lost)
        return _InotifyObserver(inotify), inotify.limits

else:

    def _observer(lost: Callable[[], None]) -> tuple[BaseObserver, list[OSError]]:
        from watchdog.observers import Observer

        return Observer(), []


# --- where events cannot be had ----------------------------------------------------------------------------------------


def why_blind(path: str, exc: OSError, minutes: float) -> str:
    """A sentence on why a folder cannot be watched, and what mends it."""
    meanwhile = f"It is looked through every {minutes:g} minutes instead"
    if exc.errno == errno.ENOSPC:
        now = _limit("max_user_watches")
        return (
            f"{path} has more folders than this system lets a user watch ({now}). {meanwhile}, until you raise the limit: "
            "sudo sysctl fs.inotify.max_user_watches=1048576"
        )
    if exc.errno == errno.EMFILE:
        now = _limit("max_user_instances")
        return (
            f"{path} cannot be watched: programs of yours watch as much as this system lets them ({now}). {meanwhile}, until "
            "you raise the limit: sudo sysctl fs.inotify.max_user_instances=1024"
        )
    return f"{path} cannot be watched ({exc.strerror}). {meanwhile}."


def _limit(name: str) -> str:
    file = Path("/proc/sys/fs/inotify") / name
    return file.read_text().strip() if file.exists() else "?"


def why_polled(path: str, minutes: float, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """A sentence where a folder is on a network file system, which says nothing of what other machines change."""
    try:
        kind = file_system(path, mounts.read_text("utf-8", "surrogateescape"))
    except OSError:
        return None  # no Linux: taken for a disk of this machine
    if not NETWORK.fullmatch(kind):
        return None
    return (
        f"{path} is on a network file system ({kind}), which does not tell of changes made by other machines: "
        f"it is looked through every {minutes:g} minutes."
    )
