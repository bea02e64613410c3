"""What the owner says with other programs is an answer too: a photo deleted or brought back, stars in XMP, what plugins hear.

Files are looked at once the folders have been looked through and what is new has been read, so that a photo that moved is not
taken for one that was deleted; plugins are asked at night. Such answers teach; they are never blind audits, and an answer given
in the page for a test stays.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from precious_daemon.config import OutsideSettings
from precious_daemon.errors import NotFound
from precious_daemon.hookspecs import Judgement
from precious_daemon.models import Choice, Label, Question
from precious_daemon.pure import sidecars
from precious_daemon.store import Database, Store, answers, groups
from precious_daemon.store import outside as rows

log = logging.getLogger(__name__)

GRACE = 3600.0  # seconds that a photo has to be gone: who moves photos between disks deletes them for a while
MANY = 20  # gone in one go: a folder was cleared or moved, and nobody judged each photo
MOST_KEPT = 2000  # "keep" by sidecars, and by plugins: a library with stars on everything teaches no more
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
        label = answers.label_of(db, voter_id, photo_id)
        if label is None or (label.keep and label.purpose not in BLIND):
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
    if said == Choice.KEEP and rows.kept(db, voter_id, "xmp") >= MOST_KEPT:
        return 0
    answers.add(db, voter_id, Question.OUTSIDE, Choice(said), place.photo_id, None, "xmp", now)
    return 1


# --- plugins -----------------------------------------------------------------------------------------------------------


def take_over(
    db: Database, voter_id: int, plugin: str, said: Mapping[int, Judgement | None], before: float | None, now: float
) -> int:
    """What a plugin heard of these photos, by their ids, since it was asked `before`; how many answers that changed.

    One word is one answer: it is not given again when the owner took it back, and follows where it changes.
    """
    known = rows.heard(db, plugin, said)
    unwanted = {photo_id for photo_id, word in said.items() if word and not word.keep}
    changed = 0
    for photo_id, new in said.items():
        old, since = known.get(photo_id), before or 0.0
        answer_id = still = old.answer_id if old else None
        if old and new and old.keep == new.keep:
            since = old.since  # nothing else was said
        elif still is not None:
            still = None
            with suppress(NotFound):  # the owner took it back already
                answers.undo(db, voter_id, now, answer_id)
        if new and still is None and not _is_said(db, voter_id, photo_id, new.keep, since):
            choice = Choice.KEEP if new.keep else Choice.DELETE
            purpose = "elsewhere" if new.keep or not groups.copies_left(db, photo_id, unwanted) else "duplicate"
            still = answers.add(db, voter_id, Question.OUTSIDE, choice, photo_id, None, purpose, now).id
        word = rows.Heard(new.keep, new.how, since, still) if new else None
        if word != old:
            rows.remember(db, plugin, photo_id, word)
        changed += still != answer_id
    return changed


def _is_said(db: Database, voter_id: int, photo_id: int, keep: bool, since: float) -> bool:
    """Whether nothing is left to answer: the same was said already, or something that stands against a word `since` then."""
    label = answers.label_of(db, voter_id, photo_id)
    full = keep and rows.kept(db, voter_id, "elsewhere") >= MOST_KEPT
    return full or _stands(label, since) or (label is not None and label.keep == keep)


def _stands(label: Label | None, changed: float) -> bool:
    return label is not None and (label.purpose in BLIND or label.at > changed)


def _is_blind(db: Database, voter_id: int, photo_id: int) -> bool:
    label = answers.label_of(db, voter_id, photo_id)
    return label is not None and label.purpose in BLIND
