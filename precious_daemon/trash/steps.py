"""The steps of one unit, to the trash and back: the protocol, in its order.

0 gate, 3 intent, 4 verify, 5 record, 6 move, 7 recheck, 8 commit; 9 undo; and `settle`, for what a crash left. Every
function here blocks, and is run for one unit at a time.
"""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Sequence
from contextlib import ExitStack

from precious_daemon.errors import TrashRefused
from precious_daemon.models import Photo, PhotoState, Role, Root, Unit, UnitFile, UnitState
from precious_daemon.pure.captures import pair
from precious_daemon.store import photos, roots, units
from precious_daemon.trash import desktop
from precious_daemon.trash.desktop import held
from precious_daemon.trash.gate import SAMPLE, Found, entered, find_file, look_for, read_file
from precious_daemon.trash.journal import Journal, LogFailed, name_of, refusal_of
from precious_daemon.trash.keeper import check_keeper
from precious_daemon.trash.moves import (
    DiskFailed,
    Move,
    Swapped,
    Unsupported,
    carry,
    mount_of,
    printable,
    shown,
    sync_folders,
    take_back,
)
from precious_daemon.trash.records import (
    Member,
    bring_back,
    free_names,
    home_of,
    made_folder,
    made_home,
    record,
    trash_paths,
    where_is,
)

log = logging.getLogger(__name__)


class Steps(Journal):
    """What one unit goes through. Refusals are TrashRefused: nothing was moved, or everything is back."""

    to_desktop = False  # to the trash that file managers show, where there is one on the same mount

    # --- step 2: what an approval is bound to --------------------------------------------------------------------------

    def bind(self, photo: Photo) -> tuple[UnitFile, ...]:
        """Every file of a capture as it is now, if that is what the library knows and the owner was shown."""
        _require_present(photo)
        if why := self._store.read(photos.ambiguous, photo.id):
            raise TrashRefused(f"{shown(photo.path)} stays, for it is not clear which files belong to it: {why}")
        root = self._store.read(roots.get, photo.root_id)
        entries = self._store.read(photos.files_of, photo.id)
        files = []
        with entered(self._disk, root, self._store.read(roots.suggest_only, root.id)) as fd:
            for entry in entries:
                with ExitStack() as stack:
                    found = read_file(self._disk, fd, entry.path, stack)
                if found.stamp != entry.stamp or (entry.content_hash or found.content_hash) != found.content_hash:
                    raise TrashRefused(
                        f"{shown(entry.path)} has changed since it was last read; look at it again after the next scan."
                    )
                files.append(UnitFile(entry.path, entry.role, found.stamp, found.content_hash, None))
        if not any(f.role is Role.STILL and f.content_hash == photo.content_hash for f in files):
            raise TrashRefused(f"{shown(photo.path)} is not the picture that was shown; look at it again after the next scan.")
        return tuple(files)

    # --- steps 0 and 3 to 8 --------------------------------------------------------------------------------------------

    def check(self, unit: Unit) -> str | None:
        """Steps 0 and 4 alone: would it be moved, and to which trash of the desktop, if any? TrashRefused says why not."""
        with ExitStack() as stack:
            root, fd = self._gate(unit, stack)
            self._verified(unit, root, fd, stack)
            place = self._place(root, fd)
        return place.path if place else None

    def _place(self, root: Root, fd: int) -> desktop.Place | None:
        return desktop.choose(self._disk, fd, root.path) if self.to_desktop else None

    def move(self, unit: Unit) -> Unit:
        """Move all files of an approved unit to the trash, or none: it comes back done, or refused with the reason.

        DiskFailed: stopped in the middle, and its root is frozen. LogFailed: moved, but not yet done.
        """
        with ExitStack() as stack:
            try:
                root, fd = self._gate(unit, stack)  # 0
            except TrashRefused as refusal:
                if isinstance(refusal, DiskFailed):
                    self._freeze(unit.root_id, str(refusal))
                return self._refused(unit, refusal)
            place = self._place(root, fd)
            paths = trash_paths(unit, place is not None)
            unit = self._store.write(units.plan, unit, paths, self._clock(), place.path if place else None)  # 3
            try:
                found = self._verified(unit, root, fd, stack)  # 4
                home = stack.enter_context(made_home(self._disk, fd, unit))  # 5
                self._disk.write_record(home, record(root, unit, self._clock()))
                target = home
                if place:
                    _, target, info = stack.enter_context(desktop.made(self._disk, place, fd))
                    desktop.write_infos(self._disk, info, place, root, unit, self._clock())
                moves = [
                    Move(f.folder, f.name, target, posixpath.basename(file.trash_path or ""), f.file, f.stamp)
                    for f, file in zip(found, unit.files, strict=True)
                ]
                carry(self._disk, moves)  # 6, 7
                self._recheck_target(unit, fd, target, moves)
                sync_folders(self._disk, [*(f.folder for f in found), target])  # 8
            except (TrashRefused, OSError) as exc:
                return self._cancelled(unit, fd, exc)
            return self._done(unit)

    def _gate(self, unit: Unit, stack: ExitStack) -> tuple[Root, int]:
        _require_present(self._store.read(photos.get, unit.photo_id))
        return self._entered(unit, stack)

    def _entered(self, unit: Unit, stack: ExitStack) -> tuple[Root, int]:
        root = self._store.read(roots.get, unit.root_id)
        fd = stack.enter_context(entered(self._disk, root, self._store.read(roots.suggest_only, root.id)))
        try:
            look_for(self._disk, root, fd, self._store.read(photos.known_sample, root.id, SAMPLE))
        except OSError as exc:
            raise refusal_of(exc, f"{printable(root.path)} cannot be looked through") from exc
        return root, fd

    def _verified(self, unit: Unit, root: Root, fd: int, stack: ExitStack) -> list[Found]:
        """Step 4: every file is the one that was approved, to the last byte, and what is to stay is there."""
        if why := self._store.read(photos.ambiguous, unit.photo_id):
            raise TrashRefused(f"{name_of(unit)} stays, for it is not clear which files belong to it: {why}")
        if {e.path for e in self._store.read(photos.files_of, unit.photo_id)} != {f.path for f in unit.files}:
            raise TrashRefused(f"The files that belong to {name_of(unit)} are others than you approved; look at it again.")
        found = []
        for file in unit.files:
            now = read_file(self._disk, fd, file.path, stack)
            if mount_of(now.file) != mount_of(fd):
                raise TrashRefused(
                    f"{shown(file.path)} is on another disk than the trash of {printable(root.path)}, so it is only suggested."
                )
            if (now.stamp, now.content_hash) != (file.stamp, file.content_hash):
                raise TrashRefused(f"{shown(file.path)} has changed since you approved it; look at it again.")
            found.append(now)
        self._check_companions(unit, found)
        check_keeper(self._store, self._disk, unit, found)
        return found

    def _check_companions(self, unit: Unit, found: Sequence[Found]) -> None:
        """Check that no new file has joined the capture since the last scan: it would be left behind alone."""
        for file, now in zip(unit.files, found, strict=True):
            if file.role is Role.STILL:
                start = posixpath.splitext(now.name)[0].casefold()[:_ALIKE]
                near = [name for name in os.listdir(now.folder) if name.casefold().startswith(start)]
                known = {posixpath.basename(f.path) for f in unit.files}
                if new := sorted(set(pair(near).companions.get(now.name, ())) - known):
                    raise TrashRefused(
                        f"{shown(new[0])} has appeared beside {name_of(unit)} and belongs to it; look at it again after the next "
                        "scan."
                    )

    def _recheck_target(self, unit: Unit, fd: int, target: int, moves: Sequence[Move]) -> None:
        """Check that the trash is still where it was: nobody moved it away while it was being filled."""
        try:
            with held(unit.place, fd) as trash:
                folder = posixpath.dirname(unit.files[0].trash_path or "")
                there = None if trash is None else self._disk.status(trash, folder)
        except (TrashRefused, OSError):
            there = None
        here = os.fstat(target)
        if there is None or (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
            take_back(self._disk, moves)
            raise Swapped("The trash folder itself was moved away or replaced.")

    def _done(self, unit: Unit) -> Unit:
        self._log("trashed", unit, unit.reason, unit.voter_id)
        return self._store.write(units.done, unit, self._clock())

    # --- what did not go through ---------------------------------------------------------------------------------------

    def _refused(self, unit: Unit, refusal: TrashRefused) -> Unit:
        try:
            self._log("refused", unit, str(refusal), unit.voter_id)
        except LogFailed as exc:
            log.warning("%s", exc)  # nothing was moved, so nothing has to be told
        return self._store.write(units.refuse, unit, str(refusal), self._clock())

    def _cancelled(self, unit: Unit, fd: int, exc: TrashRefused | OSError) -> Unit:
        """None of its files went to the trash, or all are back: make sure of it, and only then let go of the record."""
        refusal = refusal_of(exc, f"{name_of(unit)} could not be moved to the trash, and stays where it is")
        if isinstance(refusal, DiskFailed):
            raise self._stopped(unit, refusal) from exc
        try:
            with held(unit.place, fd) as trash:
                if not (left := self._in_trash(unit, trash)):
                    self._drop(unit, fd, trash)
        except (TrashRefused, OSError) as failure:
            raise self._stopped(unit, failure) from exc
        if left:
            raise self._stopped(unit, DiskFailed(f"{shown(left[0].path)} is still in the trash. {refusal}")) from exc
        if isinstance(refusal, Unsupported):
            self._store.write(roots.set_suggest_only, unit.root_id, str(refusal))
        if isinstance(refusal, Swapped):
            self._freeze(unit.root_id, f"{refusal} Something else is changing its files.")
        return self._refused(unit, refusal)

    # --- step 9 --------------------------------------------------------------------------------------------------------

    def restore(self, unit: Unit, by: int | None = None) -> Unit:
        """Move what is in the trash back to where it was, or beside it where that name is taken; at the wish of this profile.

        TrashRefused: all is still in the trash. DiskFailed, LogFailed: as `move`.
        """
        root = self._store.read(roots.get, unit.root_id)
        with entered(self._disk, root) as fd, held(unit.place, fd) as trash:
            try:
                unit = self._brought_back(unit, fd, trash)
            except (TrashRefused, OSError) as exc:
                refusal = refusal_of(exc, f"{name_of(unit)} could not be put back, and is in {printable(where_is(unit, root))}")
                if isinstance(refusal, DiskFailed):
                    raise self._stopped(unit, refusal) from exc
                unit = self._store.read(units.get, unit.id)
                if unit.state is UnitState.RESTORING and self._is_whole(unit, trash):
                    self._store.write(units.not_restored, unit, self._clock())
                if isinstance(refusal, Swapped):
                    self._freeze(root.id, f"{refusal} Something else is changing its files.")
                raise refusal from exc
            self._drop(unit, fd, trash)
            self._log("restored", unit, unit.reason, by)
            return self._store.write(units.undone, unit, self._clock())

    def _brought_back(self, unit: Unit, fd: int, trash: int | None) -> Unit:
        """The unit with the names that its files have now. Those that are out of the trash already stay where they are."""
        attempt = 0
        while True:
            trashed = self._in_trash(unit, trash)
            places = {f.path: self._place_of(unit, f, fd) for f in unit.files if f not in trashed}
            if lost := [f for f in unit.files if f.role is Role.STILL and f not in trashed and not places[f.path]]:
                raise TrashRefused(f"{shown(lost[0].path)} is not in the trash any more, so there is nothing to put back.")
            members = [Member(f.trash_path or "", f.path, f.role) for f in trashed]
            targets = {f.path: places.get(f.path) or f.restored_path or f.path for f in unit.files}
            if attempt or unit.state is not UnitState.RESTORING or any(self._disk.status(fd, targets[m.path]) for m in members):
                attempt, names = free_names(self._disk, fd, members, attempt) if members else (attempt, [])
                targets |= zip((m.path for m in members), names, strict=True)
            unit = self._store.write(units.restore, unit, [targets[f.path] for f in unit.files], self._clock())
            try:
                bring_back(self._disk, fd, fd if trash is None else trash, [(m.trash_path, targets[m.path]) for m in members])
            except FileExistsError:
                attempt += 1  # taken at this very moment: the next name
            else:
                return unit

    def _is_whole(self, unit: Unit, trash: int | None) -> bool:
        try:
            return len(self._in_trash(unit, trash)) == len(unit.files)
        except OSError:
            return False

    def _place_of(self, unit: Unit, file: UnitFile, fd: int) -> str | None:
        """Where a file of a unit stands outside the trash, decided by its inode; None where it does not.

        The journal knows the place of one that it was moving. Any other was put back by the records or by hand, perhaps
        under another name: an inode may be in use again, so that one has to agree in size and time as well.
        """
        if unit.state is UnitState.RESTORING and file.restored_path:
            status = self._disk.status(fd, file.restored_path)
            if status and status.st_ino == file.stamp.inode:
                return file.restored_path
        return find_file(self._disk, fd, posixpath.dirname(file.path), file.stamp)

    def notice(self, unit: Unit) -> Unit:
        """A unit in the trash as its owner has left it there: brought back, removed for good, or as it was.

        Where they brought back the still alone, its companions follow. Raises as `restore`, and where its folder is away.
        """
        with ExitStack() as stack:
            root, fd = self._entered(unit, stack)
            trash = stack.enter_context(held(unit.place, fd))
            stills = [f for f in unit.files if f.role is Role.STILL]
            left = self._in_trash(unit, trash)
            if any(f in left for f in stills):
                return unit
            if self._store.read(photos.get, unit.photo_id).state is not PhotoState.TRASHED:  # a scan has found it
                if not left:
                    self._drop(unit, fd, trash)
                    self._log("restored", unit, ELSEWHERE)
                    return self._store.write(units.returned, unit, self._clock())
            elif not any(self._place_of(unit, f, fd) for f in stills):
                if unit.place is None and (left or not self._store.read(photos.known_sample, root.id, 1)):
                    return unit  # its companions wait with their record; and a folder without photos may be another one
                self._drop(unit, fd, trash)
                self._log("emptied", unit, ELSEWHERE)
                return self._store.write(units.emptied, unit, ELSEWHERE, self._clock())
        return self.restore(unit)

    # --- after a crash -------------------------------------------------------------------------------------------------

    def settle(self, unit: Unit) -> str:
        """Finish or reverse what was interrupted, as the disk tells, and say which. It can be repeated at will."""
        name = name_of(unit)
        if unit.state is UnitState.APPROVED:
            self._refused(unit, TrashRefused("The service ended before it was moved; approve it again."))
            return f"{name} was approved but not moved; it waits for you to approve it again."
        try:
            with ExitStack() as stack:
                _, fd = self._entered(unit, stack)
                if unit.state is UnitState.PLANNED:
                    self._check_folder(unit, fd)
                    return self._settle_planned(unit, fd, stack.enter_context(held(unit.place, fd)))
            self.restore(unit)
            return f"{name} was being put back when the service ended, and is back."
        except TrashRefused as refusal:
            return f"{name} was on its way when the service ended, and waits as it is. {refusal}"

    def _check_folder(self, unit: Unit, fd: int) -> None:
        """The record is written before a file is moved: where files are missing and so is that, it is not the folder it was."""
        if self._store.read(photos.get, unit.photo_id).state is not PhotoState.TRASHED:
            return  # a scan has found it
        if self._disk.status(fd, home_of(unit)) is None and any(self._disk.status(fd, f.path) is None for f in unit.files):
            raise TrashRefused("Neither its files nor its record are there. Is its disk mounted?")

    def _settle_planned(self, unit: Unit, fd: int, trash: int | None) -> str:
        name, place = name_of(unit), fd if trash is None else trash
        try:
            moved = self._in_trash(unit, trash)
            there = {f.path: self._disk.status(place, f.trash_path or "") for f in moved}
            right = [f for f in moved if (status := there[f.path]) and status.st_ino == f.stamp.inode]
            with ExitStack() as stack:
                home = (
                    stack.enter_context(self._disk.folder(place, posixpath.dirname(moved[0].trash_path or ""))) if moved else -1
                )
                folders = [made_folder(self._disk, fd, posixpath.dirname(f.path), stack) for f in moved]
                if len(right) == len(unit.files):
                    sync_folders(self._disk, [*folders, home])
                    self._done(unit)
                    return f"{name} was being moved when the service ended, and is in the trash now."
                take_back(
                    self._disk,
                    [
                        Move(folder, posixpath.basename(f.path), home, posixpath.basename(f.trash_path or ""), -1, f.stamp)
                        for folder, f in zip(folders, moved, strict=True)
                    ],
                )
            if len(moved) > len(right):
                raise Swapped(f"{name} was replaced by something else at the moment it was moved.")
            if lost := [f for f in unit.files if f not in moved and self._disk.status(fd, f.path) is None]:
                raise Swapped(f"{shown(lost[0].path)} is neither where it was nor in the trash.")
            raise TrashRefused(f"{name} was being moved when the service ended, and is back where it was.")
        except LogFailed:
            raise
        except (TrashRefused, OSError) as exc:
            unit = self._cancelled(unit, fd, exc)
            return unit.error or ""


ELSEWHERE = "by its owner, with another program"
_ALIKE = 40  # letters that the names of a still and its companions share at least: Google Takeout cuts long ones off


def _require_present(photo: Photo) -> None:
    if photo.state is PhotoState.TRASHED:
        raise TrashRefused(f"{shown(photo.path)} is in the trash already.")
    if photo.state is not PhotoState.PRESENT:
        raise TrashRefused(f"{shown(photo.path)} is not there as it was, or not yet read again; scan the folder first.")
