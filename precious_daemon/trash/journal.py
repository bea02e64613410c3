"""What every step of a unit shares: the audit log, the freezing of a folder, and how a unit is called in a sentence."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Callable
from pathlib import Path

from precious_daemon.disk import deeds
from precious_daemon.errors import TrashRefused
from precious_daemon.models import Role, Root, RootState, Unit, UnitFile
from precious_daemon.store import Store, roots, suggestions, voters
from precious_daemon.trash import desktop
from precious_daemon.trash.moves import Disk, DiskFailed, explained, printable, shown
from precious_daemon.trash.records import drop_home, home_of

log = logging.getLogger(__name__)


class LogFailed(TrashRefused):
    """The audit log cannot be written. What was moved is finished at the next start; nothing more is moved before."""


def name_of(unit: Unit) -> str:
    """The name of its still: "IMG_0042.JPG"."""
    stills = [shown(file.path) for file in unit.files if file.role is Role.STILL]
    return stills[0] if stills else "This photo"


def with_companions(unit: Unit) -> str:
    """ "IMG_0042.JPG and its 2 companions"."""
    name, others = name_of(unit), len(unit.files) - 1
    if others < 1:
        return name
    return f"{name} and its companion" if others == 1 else f"{name} and its {others} companions"


def refusal_of(exc: TrashRefused | OSError, sentence: str) -> TrashRefused:
    """An error as a refusal: DiskFailed where the disk is failing, and else the sentence with the system's reason."""
    if isinstance(exc, TrashRefused):
        return exc
    trouble = explained(exc)
    return trouble if isinstance(trouble, DiskFailed) else TrashRefused(f"{sentence} ({exc.strerror}).")


class Journal:
    """The store, the disk and the audit log that the steps of a unit work on."""

    def __init__(self, store: Store, disk: Disk, audit_log: Path, clock: Callable[[], float]) -> None:
        self._store = store
        self._disk = disk
        self._audit_log = audit_log
        self._clock = clock

    def _stopped(self, unit: Unit, failure: Exception) -> DiskFailed:
        """Touch nothing more. The journal keeps the unit as it is, until the owner has confirmed the folder."""
        self._freeze(unit.root_id, str(failure))
        return DiskFailed(f"{name_of(unit)}: {failure} Nothing more is changed in its folder until you have confirmed it.")

    def _freeze(self, root_id: int, reason: str) -> None:
        self._store.write(roots.set_state, root_id, RootState.FROZEN, reason)
        try:
            self._append([self._entry("frozen", self._store.read(roots.get, root_id), reason)])
        except LogFailed as exc:
            log.warning("%s", exc)

    def _log(self, action: str, unit: Unit, reason: str, by: int | None = None) -> None:
        """A line for each file. `by` is the profile whose wish it is; nobody's where the service finishes what it began."""
        root = self._store.read(roots.get, unit.root_id)
        who = self._store.read(voters.get, by).name if by is not None else None
        suggested = self._store.read(suggestions.name_and_run, unit.suggestion_id)
        self._append([self._entry(action, root, reason, unit, file, who, suggested) for file in unit.files or (None,)])

    def _entry(
        self,
        action: str,
        root: Root,
        reason: str,
        unit: Unit | None = None,
        file: UnitFile | None = None,
        who: str | None = None,
        suggested: tuple[str | None, str | None] = (None, None),
    ) -> deeds.Entry:
        return deeds.entry(
            self._clock(),
            action,
            who=who,
            root=root.path,
            path=(file.restored_path or file.path) if file else None,
            trash=posixpath.join(unit.place or "", file.trash_path) if unit and file and file.trash_path else None,
            blake3=file.content_hash.hex() if file else None,
            batch=unit.batch if unit else None,
            unit=unit.uid if unit else None,
            suggestion=suggested[0],
            run=suggested[1],
            reason=reason,
        )

    def _append(self, entries: list[deeds.Entry]) -> None:
        try:
            deeds.append(self._audit_log, entries)
        except OSError as exc:
            raise LogFailed(
                f"{printable(str(self._audit_log))} cannot be written ({exc.strerror}). Nothing more is moved until it can."
            ) from exc

    def _in_trash(self, unit: Unit, trash: int | None) -> list[UnitFile]:
        """The files of a unit whose place in the trash is not empty, whatever stands there."""
        if trash is None:
            return []
        return [f for f in unit.files if f.trash_path and self._disk.status(trash, f.trash_path) is not None]

    def _drop(self, unit: Unit, fd: int, trash: int | None) -> None:
        """Remove what we wrote beside the files of a unit, now that they are not in the trash any more."""
        desktop.drop_infos(self._disk, trash, unit.place, (f.trash_path for f in unit.files))
        drop_home(self._disk, fd, home_of(unit))
