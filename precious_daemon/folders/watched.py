"""Watched folders: how one comes to be watched, by what it is known again, and whether it is there."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import time
from pathlib import Path

from precious_daemon.disk import deeds
from precious_daemon.disk.tree import filesystem_of, same_disk
from precious_daemon.errors import RootError
from precious_daemon.models import Role, Root, RootState
from precious_daemon.pure.captures import role_of
from precious_daemon.store import Store, photos, roots
from precious_daemon.trash.moves import Disk, Unsupported

log = logging.getLogger(__name__)

MARKER = ".precious-root"
MARKER_NEW = ".precious-root.new"
SAMPLE = 20  # known files looked for before anything of a root is believed gone


def add_root(store: Store, path: str, now: float) -> Root:
    """Watch a folder. Raises RootError with the reason where it cannot be; a folder already watched is returned."""
    shown = _as_pasted(path)
    path = os.path.expanduser(shown)
    if not os.path.isabs(path):  # it would be below wherever the service was started
        raise RootError(f'"{shown}" is not the whole path of a folder. Begin it with / or ~.')
    path = os.path.realpath(path)
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
            if root.reason == roots.NO_LONGER_WATCHED:
                store.write(roots.set_state, root.id, RootState.WATCHED, None)
            return store.read(roots.get, root.id)
        if root.reason == roots.NO_LONGER_WATCHED:
            continue
        if is_inside(path, root.path):
            raise RootError(f"{shown} is inside {root.path}, which is already watched with all that is in it.")
        if is_inside(root.path, path):
            raise RootError(
                f"{shown} holds {root.path}, which is already watched. Remove that one first: precious-daemon roots remove"
            )
    marker, why_not = _mark(store, path)
    root = store.write(roots.add, path, marker, status.st_dev, now, filesystem_of(path))
    if why_not:
        store.write(roots.set_suggest_only, root.id, why_not)
    return root


def _as_pasted(path: str) -> str:
    """Without the quotes or blanks around it that file managers and terminals copy along, unless a folder has just that name."""
    if os.path.isdir(os.path.expanduser(path)):
        return path
    bare = path.strip()
    return bare[1:-1] if len(bare) > 2 and bare[0] == bare[-1] and bare[0] in "'\"" else bare


def is_inside(inner: str, outer: str) -> bool:
    return inner.startswith(outer.rstrip("/") + "/")


def _mark(store: Store, path: str) -> tuple[str | None, str | None]:
    """(the id written into the folder, by which it is known again; why its photos are only suggested, as far as is known).

    The first is None where the folder cannot be written. It gets its name as photos get theirs in the trash, so that what its
    file system cannot do is known before any photo depends on it.
    """
    if marker := read_marker(path):
        return marker, None
    if not os.access(path, os.W_OK):
        return None, None
    marker = secrets.token_hex(16)
    deed = deeds.entry(time.time(), "wrote", path=os.path.join(path, MARKER), reason="the folder is known by it")
    try:
        deeds.append(store.places.audit_log, [deed])
        descriptor = os.open(os.path.join(path, MARKER_NEW), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    except OSError:
        return None, None
    with os.fdopen(descriptor, "w") as file:
        file.write(marker + "\n")
        file.flush()
        os.fsync(descriptor)  # after a power cut, a folder without its marker would be taken for another one
    why_not = None
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            Disk().rename(folder, MARKER_NEW, folder, MARKER)
        except Unsupported as exc:
            os.rename(MARKER_NEW, MARKER, src_dir_fd=folder, dst_dir_fd=folder)
            why_not = str(exc)
        os.fsync(folder)
    finally:
        os.close(folder)
    return marker, why_not


def read_marker(path: str) -> str | None:
    try:
        return Path(path, MARKER).read_text("ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def check_root(store: Store, root: Root) -> Root:
    """See whether a root is there and is what it was; store and return its state.

    A frozen root stays frozen, unless all its photos have turned up in other roots.
    """
    state, reason = _condition(store, root)
    frozen = root.state is RootState.FROZEN
    if frozen and state is RootState.WATCHED and not store.read(photos.all_stand_elsewhere, root.id):
        return root
    if state is RootState.WATCHED:
        root = _writable_now(store, _on_its_disk(store, root))
    if (state, reason) != (root.state, root.reason) and root.reason != roots.NO_LONGER_WATCHED:
        log.warning("%s is %s%s", root.path, state, f": {reason}" if reason else " again")
        store.write(roots.set_state, root.id, state, reason)
        return store.read(roots.get, root.id)
    return root


def _on_its_disk(store: Store, root: Root) -> Root:
    """After a restart a disk may have another number: where its file system says it is the same, that is remembered."""
    device, filesystem = os.stat(root.path).st_dev, filesystem_of(root.path)
    if (device, filesystem) != (root.device, root.filesystem) and same_disk(root, root.path):
        store.write(roots.set_disk, root.id, device, filesystem)
    return store.read(roots.get, root.id)


def _writable_now(store: Store, root: Root) -> Root:
    """A folder that could only be read until now gets its marker, and its photos can be moved from here on."""
    if root.marker is not None or not os.access(root.path, os.W_OK):
        return root
    marker, why_not = _mark(store, root.path)
    if marker is None:
        return root
    store.write(roots.set_marker, root.id, marker)
    if why_not:
        store.write(roots.set_suggest_only, root.id, why_not)
    return store.read(roots.get, root.id)


def _condition(store: Store, root: Root) -> tuple[RootState, str | None]:
    try:
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
    if root.marker is None and not same_disk(root, root.path):
        return RootState.OFFLINE, f"{root.path} is on another disk than before."
    sample = store.read(photos.known_sample, root.id, SAMPLE)
    if (
        sample
        and not any(os.path.lexists(os.path.join(root.path, entry.path)) for entry in sample)
        and _holds_no_still(root.path)
        and not store.read(photos.all_stand_elsewhere, root.id)
    ):
        known = store.read(photos.present_count, root.id)
        return RootState.FROZEN, f"{root.path} is empty, and held {known:,} photos: nothing is changed until you confirm."
    return RootState.WATCHED, None


def _holds_no_still(path: str) -> bool:
    """Whether there is no photo at all. It ends at the first one found, so it is slow only where there is nothing."""
    return not any(role_of(name) in (Role.STILL, Role.RAW) for _, _, names in os.walk(path) for name in names)


def confirm_root(store: Store, root_id: int) -> Root:
    """The owner says that what vanished was meant to. The next scan believes it."""
    root = store.read(roots.get, root_id)
    try:
        device = os.stat(root.path).st_dev
    except OSError as exc:
        raise RootError(f"{root.path} cannot be read ({exc.strerror}): bring it back first, then confirm.") from exc
    marker, why_not = _mark(store, root.path)
    store.write(roots.remember, root_id, marker, device, filesystem_of(root.path))
    if why_not:
        store.write(roots.set_suggest_only, root_id, why_not)
    store.write(roots.set_state, root_id, RootState.WATCHED, None)
    return store.read(roots.get, root_id)
