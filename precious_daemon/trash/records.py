"""The trash on the disk: `ROOT/.precious-trash/<batch>/<unit>/` holds the files of one capture under their own names,
and a `record.json` that says where each came from. Files that go to the trash of the desktop have their record here, too.

The records alone are enough to put everything back, so a lost database loses no photo. `recover_records` does that; so
can anybody with a file manager.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from precious_daemon.errors import RootError, TrashRefused
from precious_daemon.models import Role, Root, Unit
from precious_daemon.trash import desktop
from precious_daemon.trash.moves import (
    NAMES,
    RECORD,
    RECORD_NEW,
    Disk,
    DiskFailed,
    Move,
    carry,
    explained,
    printable,
    renamed,
    shown,
    stamp_of,
    sync_folders,
    unsupported,
)

TRASH = ".precious-trash"
_VERSION = 1
_RECORD_BYTES = 1 << 20
_HELP = (
    "Moved here by precious-daemon because its owner approved it. To put it back, move each file to its path, "
    "or run: precious-daemon trash recover ROOT"
)


def home_of(unit: Unit) -> str:
    """The folder of a unit in the trash of its root: there is its record, and its files where they are in no other trash."""
    return f"{TRASH}/{unit.batch}/{unit.uid}"


def where_is(unit: Unit, root: Root) -> str:
    """The folder that its files are in, for its owner."""
    return posixpath.join(unit.place, desktop.FILES) if unit.place else posixpath.join(root.path, home_of(unit))


def trash_paths(unit: Unit, in_desktop: bool = False) -> list[str]:
    """Where each file of a unit goes: its own name, made different where two files of the capture share it.

    In the trash of the desktop, which is everybody's, the name has the id of the unit in it.
    """
    taken, paths = {RECORD, RECORD_NEW}, []
    for file in unit.files:
        own = posixpath.basename(file.path)
        stem, suffix = posixpath.splitext(own)
        name, number = own, 2
        while name.casefold() in taken:
            name, number = f"{stem} ({number}){suffix}", number + 1
        taken.add(name.casefold())
        paths.append(f"{desktop.FILES}/{_marked(name, unit.uid)}" if in_desktop else f"{home_of(unit)}/{name}")
    return paths


def _marked(name: str, mark: str) -> str:
    stem, suffix = posixpath.splitext(name)
    while stem and len(os.fsencode(f"{stem}.{mark}{suffix}")) > desktop.LONGEST:
        stem = stem[:-1]
    return f"{stem}.{mark}{suffix}"


@contextmanager
def made_home(disk: Disk, root: int, unit: Unit) -> Iterator[int]:
    """The unit's folder in the trash, made and on the disk, as a held descriptor."""
    with ExitStack() as stack:
        folder = root
        for name in home_of(unit).split("/"):
            disk.make_folder(folder, name)
            try:
                folder = stack.enter_context(disk.folder(folder, name))
            except OSError as exc:
                trouble = explained(exc)
                if isinstance(trouble, DiskFailed):
                    raise trouble from exc
                raise TrashRefused(f"{TRASH} is not a folder that can be used ({exc.strerror}). Move it away first.") from exc
            if os.fstat(folder).st_dev != os.fstat(root).st_dev:
                raise unsupported(errno.EXDEV)
        yield folder


def drop_home(disk: Disk, root: int, home: str) -> None:
    """Remove the record of a unit and its folders beneath a root, as far as nothing else is in them.

    What cannot be removed stays: a record without files harms nothing.
    """
    batch, name = posixpath.split(home)
    with contextlib.suppress(OSError), disk.folder(root, home) as folder:
        disk.drop_record(folder)
    for parent, child in ((batch, name), posixpath.split(batch)):
        with contextlib.suppress(OSError), disk.folder(root, parent) as folder:
            disk.drop_folder(folder, child)


# --- the record --------------------------------------------------------------------------------------------------------


def record(root: Root, unit: Unit, now: float) -> bytes:
    """What stands beside the files. ASCII: a name that is not UTF-8 is kept as JSON's lone surrogates."""
    files = [
        {
            "path": file.path,
            "trash": posixpath.basename(file.trash_path or ""),
            "role": file.role,
            "size": file.stamp.size,
            "mtime_ns": file.stamp.mtime_ns,
            "inode": file.stamp.inode,
            "blake3": file.content_hash.hex(),
        }
        for file in unit.files
    ]
    entry = {
        "note": _HELP, "version": _VERSION, "unit": unit.uid, "batch": unit.batch, "root": root.path, "marker": root.marker,
        "reason": unit.reason, "approved_at": _utc(unit.approved_at), "moved_at": _utc(now), "files": files,
    }  # fmt: skip
    if unit.place is not None:
        entry["trash"] = unit.place
    return json.dumps(entry, indent=1).encode("ascii") + b"\n"


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Member:
    """One file on its way back. `path` is relative to the root, `trash_path` to that or to the trash of the desktop."""

    trash_path: str
    path: str
    role: Role


def _read_record(disk: Disk, root: int, home: str) -> tuple[bool, list[Member]]:
    """(whether they are in the trash of the desktop, the members that a record names). ValueError where it is none of ours."""
    fd = disk.open(root, f"{home}/{RECORD}", os.O_RDONLY | os.O_NONBLOCK)
    try:
        return members_of(os.read(fd, _RECORD_BYTES), home)
    finally:
        os.close(fd)


def members_of(data: bytes, home: str) -> tuple[bool, list[Member]]:
    """The members that a record names, for a unit's folder of this name. ValueError where it is no record of ours."""
    try:
        entry: Any = json.loads(data)
        if entry["version"] != _VERSION:
            raise ValueError("it was written by another version")
        in_desktop = "trash" in entry
        files = [(str(file["path"]), str(file["trash"]), Role(file["role"])) for file in entry["files"]]
    except (KeyError, TypeError, RecursionError) as exc:
        raise ValueError(f"something is missing in it, or not what it has to be: {exc}") from exc
    for path, name, _ in files:
        os.fsencode(path + name)  # a ValueError where no file can be called so
        if "/" in name or any(part in ("", ".", "..") for part in (name, *path.split("/"))) or "\0" in path + name:
            raise ValueError("it names a file outside its folder")
        if in_desktop and posixpath.basename(home) not in name:
            raise ValueError("it names a file that is not its own")
    folder = desktop.FILES if in_desktop else home
    return in_desktop, [Member(f"{folder}/{name}", path, role) for path, name, role in files]


# --- putting back ------------------------------------------------------------------------------------------------------


def free_names(disk: Disk, root: int, members: Sequence[Member], attempt: int = 0) -> tuple[int, list[str]]:
    """The first attempt from `attempt` on at which the names of all members are free, and these paths.

    All get the same mark, so that a companion still goes with its still.
    """
    still = next((m.path for m in members if m.role is Role.STILL), members[0].path)
    while attempt < NAMES:
        paths = [
            posixpath.join(posixpath.dirname(m.path), renamed(posixpath.basename(m.path), posixpath.basename(still), attempt))
            for m in members
        ]
        if all(disk.status(root, path) is None for path in paths):
            return attempt, paths
        attempt += 1
    raise TrashRefused(f"All names for {shown(still)} are taken; it is still in the trash.")


def bring_back(disk: Disk, root: int, trash: int, moves: Sequence[tuple[str, str]]) -> None:
    """Move (path below the trash, target) pairs, all or none, and put the result on the disk. Errors as `carry`."""
    with ExitStack() as stack:
        carried, folders = [], []
        for trash_path, target in moves:
            home = stack.enter_context(disk.folder(trash, posixpath.dirname(trash_path)))
            folder = made_folder(disk, root, posixpath.dirname(target), stack)
            file = disk.open(home, posixpath.basename(trash_path), os.O_RDONLY | os.O_NONBLOCK)
            stack.callback(os.close, file)
            stamp = stamp_of(os.fstat(file))
            carried.append(Move(home, posixpath.basename(trash_path), folder, posixpath.basename(target), file, stamp))
            folders += [home, folder]
        carry(disk, carried)
        sync_folders(disk, folders)


def made_folder(disk: Disk, root: int, path: str, stack: ExitStack) -> int:
    """A folder beneath the root, made again where the owner has removed it since."""
    folder = stack.enter_context(disk.folder(root, ""))
    for name in path.split("/") if path else ():
        try:
            folder = stack.enter_context(disk.folder(folder, name))
        except FileNotFoundError:
            disk.make_folder(folder, name)
            folder = stack.enter_context(disk.folder(folder, name))
    return folder


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of one capture in the trash, in a sentence; `files` of it are back, and `left` says that something is not."""

    message: str
    files: int = 0
    left: bool = False


def recover_records(root_path: str, disk: Disk | None = None, *, dry_run: bool = False) -> list[Recovered]:
    """Put back everything that the records in a root's trash name, without any database.

    A `dry_run` says what would come back, and changes nothing.

    For the day when the database is gone: whoever calls it has to hold the library's lock, if there is a library. It can
    be repeated at will. A name that is taken stays as it is, and the photo comes back as "name (restored)".
    Raises RootError where the folder has no trash, DiskFailed where the disk fails.
    """
    disk = disk or Disk()
    try:
        root = os.open(root_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise RootError(f"{printable(root_path)} cannot be opened ({exc.strerror}).") from exc
    try:
        try:
            homes = list(_homes(disk, root))
        except FileNotFoundError:
            raise RootError(
                f"{printable(root_path)} has no {TRASH}: nothing was ever moved to the trash in this folder."
            ) from None
        return [_recover_one(disk, root, root_path, home, dry_run) for home in homes]
    finally:
        os.close(root)


def _homes(disk: Disk, root: int) -> Iterator[str]:
    with disk.folder(root, TRASH) as trash:
        for batch in sorted(os.listdir(trash)):
            try:
                with disk.folder(trash, batch) as folder:
                    yield from (f"{TRASH}/{batch}/{name}" for name in sorted(os.listdir(folder)))
            except OSError:
                continue  # no folder of ours


def _recover_one(disk: Disk, root: int, root_path: str, home: str, dry_run: bool) -> Recovered:
    try:
        in_desktop, named = _read_record(disk, root, home)
        for place in [p.path for p in desktop.places(root_path)] if in_desktop else [None]:
            with contextlib.suppress(TrashRefused), desktop.held(place, root) as trash:
                members = [m for m in named if trash is not None and disk.status(trash, m.trash_path) is not None]
                if trash is not None and members and dry_run:
                    return _back(free_names(disk, root, members)[1], "would be restored")
                if trash is not None and members:
                    return _recovered(disk, root, trash, home, place, members)
    except (OSError, ValueError) as exc:
        return Recovered(f"{home} was left as it is, for its {RECORD} cannot be used: {exc}.", left=True)
    if not dry_run:
        drop_home(disk, root, home)
    return Recovered(f"{home} {'is' if dry_run else 'was'} empty.")


def _back(targets: Sequence[str], what: str) -> Recovered:
    return Recovered(f"{', '.join(map(printable, targets))} {what}.", files=len(targets))


def _recovered(disk: Disk, root: int, trash: int, home: str, place: str | None, members: Sequence[Member]) -> Recovered:
    attempt = 0
    while True:
        try:
            attempt, targets = free_names(disk, root, members, attempt)
            bring_back(disk, root, trash, [(m.trash_path, target) for m, target in zip(members, targets, strict=True)])
        except FileExistsError:
            attempt += 1
        except DiskFailed:
            raise
        except (TrashRefused, OSError) as exc:
            return Recovered(f"{printable(members[0].path)} is still in {printable(place or home)}: {exc}.", left=True)
        else:
            desktop.drop_infos(disk, trash, place, (m.trash_path for m in members))
            drop_home(disk, root, home)
            return _back(targets, "restored")
