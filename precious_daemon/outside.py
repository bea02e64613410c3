"""What the owner says with other programs is an answer too: a photo deleted or brought back, stars or a reject flag in XMP.

Looked for once the folders have been looked through and what is new has been read, so that a photo that moved is not taken
for one that was deleted. Such answers teach; they are never blind audits, and an answer given in the page for a test stays.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from precious_daemon import sidecars
from precious_daemon.config import OutsideSettings
from precious_daemon.models import Choice, Label, Question
from precious_daemon.store import Database, Store, answers, groups
from precious_daemon.store import outside as rows

log = logging.getLogger(__name__)

GRACE = 3600.0  # seconds that a photo has to be gone: who moves photos between disks deletes them for a while
MANY = 20  # gone in one go: a folder was cleared or moved, and nobody judged each photo
MOST_KEPT = 2000  # "keep" by sidecars that are taken over, newest first: a library with stars on everything teaches no more
BLIND = ("test", "audit")


@dataclass(frozen=True, slots=True)
class Heard:
    deleted: int = 0
    restored: int = 0
    sidecars: int = 0


def listen(store: Store, voter_id: int, settings: OutsideSettings, now: float) -> Heard:
    """Turn what happened since the last time into answers. Reads sidecars: not for the event loop."""
    restored = store.write(_restored, voter_id, settings.restored, now)
    deleted = store.write(_deleted, voter_id, settings.deleted, now)
    read = 0
    if settings.xmp:
        for place in store.read(rows.changed_sidecars):
            said = _read(place.path)
            read += store.write(_sidecar, voter_id, place, said, now)
    return Heard(deleted, restored, read)


def _read(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            return sidecars.said(file.read(sidecars.LARGEST + 1))
    except OSError as exc:
        log.info("%s cannot be read: %s", path, exc.strerror)
        return None


# --- files that went and came ------------------------------------------------------------------------------------------


def _deleted(db: Database, voter_id: int, wanted: bool, now: float) -> int:
    since, until = rows.looked_through(db), now - GRACE
    rows.look_on(db, until)
    gone = [] if since is None or not wanted else rows.gone_between(db, since, until)
    if len(gone) > MANY:
        return 0
    done = 0
    for photo_id in gone:
        if rows.newest(db, voter_id, photo_id) is None and not _is_blind(db, voter_id, photo_id):
            copies = groups.copies_left(db, photo_id)
            purpose = "duplicate" if copies else "outside"
            answers.add(db, voter_id, Question.OUTSIDE, Choice.DELETE, photo_id, None, purpose, now)
            done += 1
    return done


def _restored(db: Database, voter_id: int, wanted: bool, now: float) -> int:
    found = rows.deleted_and_back(db, voter_id)
    for answer in found:
        assert answer.photo_id
        answers.undo(db, voter_id, now, answer.id)
        if wanted and not _is_blind(db, voter_id, answer.photo_id):
            answers.add(db, voter_id, Question.OUTSIDE, Choice.KEEP, answer.photo_id, None, "outside", now)
    return len(found)


def brought_back(db: Database, voter_id: int, photo_id: int, now: float) -> None:
    """The owner has taken a photo out of the trash of the desktop, which this voter had sent there."""
    if not _is_blind(db, voter_id, photo_id):
        answers.add(db, voter_id, Question.OUTSIDE, Choice.KEEP, photo_id, None, "outside", now)


# --- sidecars ----------------------------------------------------------------------------------------------------------


def _sidecar(db: Database, voter_id: int, place: rows.Sidecar, said: str | None, now: float) -> int:
    """One sidecar that is new or has changed: its word counts unless the owner has said something here since."""
    before = rows.remember_sidecar(db, place, said)
    if said == before:
        return 0
    if before is not None and (old := rows.newest(db, voter_id, place.photo_id, "xmp")):
        answers.undo(db, voter_id, now, old.id)
    label = answers.label_of(db, voter_id, place.photo_id)
    if said is None or _stands(label, place.mtime_ns / 1e9):
        return int(before is not None)
    if said == Choice.KEEP and rows.kept_by_sidecars(db, voter_id) >= MOST_KEPT:
        return 0
    answers.add(db, voter_id, Question.OUTSIDE, Choice(said), place.photo_id, None, "xmp", now)
    return 1


def _stands(label: Label | None, changed: float) -> bool:
    return label is not None and (label.purpose in BLIND or label.at > changed)


def _is_blind(db: Database, voter_id: int, photo_id: int) -> bool:
    label = answers.label_of(db, voter_id, photo_id)
    return label is not None and label.purpose in BLIND
