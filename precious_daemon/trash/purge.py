"""Step 10: the only room that removes an original for good.

It is off until the owner sets `trash.purge_days`, and then only offers: a unit may go once it has lain in the trash for so
many days by the clock, and the service has run on as many different days since, so that no clock set wrong can bring it
forward. Nothing is purged by a schedule; each time, the owner types how many photos there are. What stays in place of a
copy or a lesser frame is hashed once more: where it is gone, the one in the trash may be the last, and stays.
"""

from __future__ import annotations

import os
import posixpath
from contextlib import ExitStack

from precious_daemon.disk.tree import keeps_numbers
from precious_daemon.errors import TrashRefused
from precious_daemon.models import Role, Unit
from precious_daemon.store import roots, units
from precious_daemon.trash.desktop import held
from precious_daemon.trash.gate import Found, entered, read_file
from precious_daemon.trash.journal import Journal, name_of, refusal_of
from precious_daemon.trash.keeper import check_keeper
from precious_daemon.trash.moves import DiskFailed, Swapped, shown

LEAST_DAYS = 30


class Purge(Journal):
    """Removes what is in the trash, a unit at a time: all of its files, and the journal says so before the first goes."""

    def check(self, unit: Unit) -> None:
        """Would it be removed? TrashRefused says why not."""
        root = self._store.read(roots.get, unit.root_id)
        with entered(self._disk, root) as fd, held(unit.place, fd) as trash, ExitStack() as stack:
            self._verified(unit, trash, stack)

    def purge(self, unit: Unit, by: int | None = None) -> Unit:
        """Remove its files, as this profile wished, or refuse and touch none.

        DiskFailed: stopped on the way, and finished when its disk is well.
        """
        root = self._store.read(roots.get, unit.root_id)
        with entered(self._disk, root) as fd, held(unit.place, fd) as trash:
            with ExitStack() as stack:
                try:
                    found = self._verified(unit, trash, stack)
                except OSError as exc:
                    raise refusal_of(exc, f"{name_of(unit)} could not be looked at, and stays in the trash") from exc
                self._log("purging", unit, unit.reason, by)
                unit = self._store.write(units.purge, unit, self._clock())
                self._remove(unit, found)
            return self._purged(unit, fd, trash, by)

    def finish(self, unit: Unit) -> str:
        """After a crash in the middle: the owner has confirmed it and some of it may be gone, so the rest goes too."""
        name, root = name_of(unit), self._store.read(roots.get, unit.root_id)
        try:
            with entered(self._disk, root) as fd, held(unit.place, fd) as trash:
                with ExitStack() as stack:
                    left = [read_file(self._disk, trash or fd, f.trash_path or "", stack) for f in self._in_trash(unit, trash)]
                    known = {f.content_hash for f in unit.files}
                    self._remove(unit, [file for file in left if file.content_hash in known])
                self._purged(unit, fd, trash)
        except (TrashRefused, OSError) as exc:
            return f"{name} was being removed for good when the service ended, and waits. {exc}"
        return f"{name} was being removed for good when the service ended, and is gone."

    def _verified(self, unit: Unit, trash: int | None, stack: ExitStack) -> list[Found]:
        """Check that every file in the trash is the one that was moved there, to the last byte."""
        found, numbered = [], keeps_numbers(self._store.read(roots.get, unit.root_id).path)
        for file in unit.files:
            if trash is None:
                raise TrashRefused(f"{shown(file.path)} is not in the trash any more.")
            now = read_file(self._disk, trash, file.trash_path or "", stack)
            if now.content_hash != file.content_hash or (numbered and now.stamp.inode != file.stamp.inode):
                raise TrashRefused(f"{shown(file.path)} in the trash is not the file that was moved there, so it stays.")
            found.append(now)
        check_keeper(self._store, self._disk, unit, found)
        return found

    def _remove(self, unit: Unit, found: list[Found]) -> None:
        """The still last: what a crash leaves can be recognised."""
        stills = {posixpath.basename(f.trash_path or "") for f in unit.files if f.role is Role.STILL}
        try:
            for file in sorted(found, key=lambda file: file.name in stills):
                status = os.stat(file.name, dir_fd=file.folder, follow_symlinks=False)
                if (status.st_dev, status.st_ino) != (file.stamp.dev, file.stamp.inode):
                    raise Swapped(f"{shown(file.name)} in the trash was replaced by something else at this moment.")
                self._disk.remove(file.folder, file.name)
            for folder in {file.folder for file in found}:
                self._disk.sync(folder)
        except (Swapped, DiskFailed, OSError) as exc:
            raise self._stopped(unit, refusal_of(exc, f"{name_of(unit)} could not be removed whole")) from exc

    def _purged(self, unit: Unit, fd: int, trash: int | None, by: int | None = None) -> Unit:
        self._drop(unit, fd, trash)
        self._log("purged", unit, unit.reason, by)
        return self._store.write(units.purged, unit, self._clock())
