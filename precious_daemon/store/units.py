"""The journal of deletions: each unit on its way to the trash and back, and every step of that way.

    approved -> planned -> done -> restoring -> undone
        \\----------\\-> refused
                            done -> purging -> purged
                            done -> undone, purged: by its owner, with another program

A step is one transaction, and takes along what has to agree with it: the photo, the suggestion, and the owner's
"delete", which counts only for as long as the unit does.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from precious_daemon.errors import NotFound
from precious_daemon.models import Choice, Question, Role, Stamp, Unit, UnitFile, UnitState
from precious_daemon.store import Database, answers, changes, insert, photos, tallies
from precious_daemon.store.suggestions import SuggestionRow

_GOING = (UnitState.APPROVED, UnitState.PLANNED)


def _path(value: bytes | None) -> str | None:
    return None if value is None else os.fsdecode(value)


def _file(row: dict[str, Any]) -> UnitFile:
    stamp = Stamp(row["dev"], row["inode"], row["size"], row["mtime_ns"])
    return UnitFile(
        os.fsdecode(row["path"]),
        Role(row["role"]),
        stamp,
        row["content_hash"],
        _path(row["trash_path"]),
        _path(row["restored_path"]),
    )


def _unit(row: dict[str, Any], files: Iterable[UnitFile]) -> Unit:
    return Unit(
        row["id"], row["uid"], row["batch"], row["voter_id"], row["photo_id"], row["root_id"], row["suggestion_id"],
        row["keeper_id"], row["reason"], UnitState(row["state"]), row["approved_at"], row["changed_at"], row["error"],
        tuple(files), _path(row["place"]),
    )  # fmt: skip


def _units(db: Database, where: str, values: Sequence[Any] | dict[str, Any]) -> list[Unit]:
    rows = list(db.query(f"SELECT * FROM units WHERE {where}", values))
    files: dict[int, list[UnitFile]] = {row["id"]: [] for row in rows}
    marks = ",".join(map(str, files))
    for row in db.query(f"SELECT * FROM unit_files WHERE unit_id IN ({marks}) ORDER BY +rowid"):
        files[row["unit_id"]].append(_file(row))
    return [_unit(row, files[row["id"]]) for row in rows]


# --- reading -----------------------------------------------------------------------------------------------------------


def get(db: Database, unit_id: int) -> Unit:
    return _units(db, "id = ?", [unit_id])[0]


def by_uids(db: Database, uids: Sequence[str]) -> list[Unit]:
    """In the order asked for, each once. An unknown one raises NotFound."""
    found = []
    for uid in dict.fromkeys(uids):
        units = _units(db, "uid = ?", [uid])
        if not units:
            raise NotFound("There is no such photo in the trash.")
        found += units
    return found


def of_batch(db: Database, batch: str) -> list[Unit]:
    """In the order approved. An unknown batch raises NotFound."""
    units = _units(db, "batch = ? ORDER BY id", [batch])
    if not units:
        raise NotFound("There is no such batch of approved photos.")
    return units


def in_states(db: Database, *states: UnitState) -> list[Unit]:
    marks = ",".join("?" * len(states))
    return _units(db, f"state IN ({marks}) ORDER BY id", states)


def listing(db: Database, limit: int, after: int | None = None) -> list[Unit]:
    """What is in the trash, newest first. `after` is the id of the last one shown."""
    return _units(db, "state = 'done' AND id < ? ORDER BY id DESC LIMIT ?", [2**63 - 1 if after is None else after, limit])


def stills_in_trash(db: Database) -> list[tuple[int, str]]:
    """(unit, the whole path of its still) of what is in the trash of folders that are there, at a fraction of what units cost."""
    sql = """
        SELECT units.id, coalesce(units.place, roots.path), trash_path
        FROM units JOIN unit_files ON unit_id = units.id AND role = 'still' JOIN roots ON roots.id = units.root_id
        WHERE units.state = 'done' AND roots.state = 'watched'
    """
    return [(unit_id, os.path.join(os.fsdecode(base), os.fsdecode(path))) for unit_id, base, path in db.execute(sql)]


def done_since(db: Database, photo_ids: Iterable[int], since: float) -> list[Unit]:
    """What of these photos was approved since then and is in the trash."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    return _units(db, f"photo_id IN ({marks}) AND state = 'done' AND approved_at >= ? ORDER BY id", [since])


def of_photo(db: Database, photo_id: int) -> Unit | None:
    """The unit that a photo is in the trash with."""
    found = _units(db, "photo_id = ? AND state = 'done' ORDER BY id DESC LIMIT 1", [photo_id])
    return found[0] if found else None


def totals(db: Database) -> tuple[int, int]:
    """How many units are in the trash, and their bytes."""
    found = tallies.of(db, "trash")
    return found["units"], found["bytes"]


def moved_since(db: Database, since: float) -> int:
    """Units that went to the trash since then and are still there."""
    sql = "SELECT count(*) FROM units WHERE state IN ('planned', 'done') AND changed_at >= ?"
    return int(db.execute(sql, [since]).fetchone()[0])


def undone_since(db: Database, since: float) -> tuple[int, int]:
    """Units that were moved since then, and how many of these were put back."""
    sql = "SELECT count(*), coalesce(sum(state = 'undone'), 0) FROM units WHERE state IN ('done', 'undone') AND approved_at >= ?"
    moved, back = db.execute(sql, [since]).fetchone()
    return int(moved), int(back)


def going(db: Database, photo_id: int) -> list[Unit]:
    """The units that would move this photo, or are moving it."""
    marks = ",".join(f"'{state}'" for state in _GOING)
    return _units(db, f"photo_id = ? AND state IN ({marks})", [photo_id])


def kind(db: Database, unit: Unit) -> str | None:
    """The kind of the suggestion that was approved: taste, copy, same or burst."""
    row = db.execute("SELECT kind FROM suggestions WHERE id = ?", [unit.suggestion_id]).fetchone()
    return row[0] if row else None


# --- the way to the trash ----------------------------------------------------------------------------------------------


def approve(
    db: Database, voter_id: int, batch: str, row: SuggestionRow, files: Iterable[UnitFile], refusal: str | None, now: float
) -> Unit:
    """The owner approved a suggestion; with a `refusal`, something about its files forbids to act on it.

    An approval is an answer too: "delete". Its purpose is "review", or "duplicate" where another picture of the same
    moment stays, which says nothing about taste.
    """
    for former in going(db, row.photo.id):
        if former.state is UnitState.APPROVED:
            refuse(db, former, "It was approved anew.", now)
    suggestion, answer = row.suggestion, None
    if refusal is None:
        purpose = "review" if suggestion.kind == "taste" else "duplicate"
        answer = answers.add(db, voter_id, Question.SUGGESTION, Choice.DELETE, row.photo.id, None, purpose, now)
        db.execute("UPDATE suggestions SET state = 'approved', changed_at = ? WHERE id = ?", [now, row.id])
    unit_id = insert(db, "units",
        {
            "uid": secrets.token_hex(16), "batch": batch, "voter_id": voter_id, "photo_id": row.photo.id,
            "root_id": row.photo.root_id, "suggestion_id": row.id, "keeper_id": suggestion.keeper_id,
            "answer_id": answer and answer.id, "reason": "; ".join(suggestion.reasons) or suggestion.kind,
            "state": UnitState.REFUSED if refusal else UnitState.APPROVED, "error": refusal,
            "approved_at": now, "changed_at": now,
        }
    )  # fmt: skip
    for file in files:
        stamp = file.stamp
        db.execute(
            "INSERT INTO unit_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
            [unit_id, os.fsencode(file.path), file.role, stamp.dev, stamp.inode, stamp.size, stamp.mtime_ns, file.content_hash],
        )
    return get(db, unit_id)


def plan(db: Database, unit: Unit, trash_paths: Iterable[str], now: float, place: str | None = None) -> Unit:
    """About to be moved, to a trash of the desktop where `place` is one.

    The photo counts as trashed from here, so that a scan does not take it for missing.
    """
    _step(db, unit, [UnitState.APPROVED], UnitState.PLANNED, now)
    db.execute("UPDATE units SET place = ? WHERE id = ?", [None if place is None else os.fsencode(place), unit.id])
    for file, trash_path in zip(unit.files, trash_paths, strict=True):
        values = [os.fsencode(trash_path), unit.id, os.fsencode(file.path)]
        db.execute("UPDATE unit_files SET trash_path = ? WHERE unit_id = ? AND path = ?", values)
    db.execute("UPDATE photos SET state = 'trashed', changed_at = ? WHERE id = ?", [now, unit.photo_id])
    return get(db, unit.id)


def done(db: Database, unit: Unit, now: float) -> Unit:
    """All of its files are in the trash, and on the disk."""
    _step(db, unit, [UnitState.PLANNED], UnitState.DONE, now)
    _set_suggestion(db, unit, "trashed", now)
    return get(db, unit.id)


def refuse(db: Database, unit: Unit, error: str, now: float) -> Unit:
    """It stays, or is back, where it was: the suggestion is open again, and the "delete" no longer counts."""
    _step(db, unit, _GOING, UnitState.REFUSED, now, error)
    if unit.state is UnitState.PLANNED:
        _photo_is_back(db, unit, now)
    db.execute(
        "UPDATE suggestions SET state = 'open', changed_at = ? WHERE id = ? AND state = 'approved'", [now, unit.suggestion_id]
    )
    _take_back(db, unit, now)
    return get(db, unit.id)


# --- and back ----------------------------------------------------------------------------------------------------------


def restore(db: Database, unit: Unit, targets: Iterable[str], now: float) -> Unit:
    """About to be moved back to `targets`. They are known files from here, so that a scan does not take them for new ones."""
    _step(db, unit, [UnitState.DONE, UnitState.RESTORING], UnitState.RESTORING, now)
    for file, target in zip(unit.files, targets, strict=True):
        db.execute(
            "DELETE FROM files WHERE photo_id = ? AND root_id = ? AND path IN (?, ?)",
            [unit.photo_id, unit.root_id, os.fsencode(file.path), os.fsencode(file.restored_path or file.path)],
        )
        changes.put_file(db, unit.photo_id, unit.root_id, target, file.role, file.stamp)
        values = [file.content_hash, unit.root_id, os.fsencode(target)]
        db.execute("UPDATE files SET content_hash = ? WHERE root_id = ? AND path = ?", values)
        values = [os.fsencode(target), unit.id, os.fsencode(file.path)]
        db.execute("UPDATE unit_files SET restored_path = ? WHERE unit_id = ? AND path = ?", values)
    return get(db, unit.id)


def not_restored(db: Database, unit: Unit, now: float) -> Unit:
    """It could not be moved back, and is still in the trash as a whole."""
    _step(db, unit, [UnitState.RESTORING], UnitState.DONE, now)
    return get(db, unit.id)


def returned(db: Database, unit: Unit, now: float) -> Unit:
    """Its owner has brought it back with another program, and a scan has found it, perhaps in another place."""
    _step(db, unit, [UnitState.DONE], UnitState.UNDONE, now)
    _set_suggestion(db, unit, "restored", now)
    _take_back(db, unit, now)
    return get(db, unit.id)


def undone(db: Database, unit: Unit, now: float) -> Unit:
    """All of its files are out of the trash.

    Votes and labels stay. Only the "delete" of this very approval is taken back, for restoring says the opposite.
    """
    _step(db, unit, [UnitState.RESTORING], UnitState.UNDONE, now)
    still = next((file for file in unit.files if file.role is Role.STILL), unit.files[0])
    db.execute("UPDATE photos SET path = ? WHERE id = ?", [os.fsencode(still.restored_path or still.path), unit.photo_id])
    _photo_is_back(db, unit, now)
    _set_suggestion(db, unit, "restored", now)
    _take_back(db, unit, now)
    return get(db, unit.id)


# --- for good ----------------------------------------------------------------------------------------------------------


def emptied(db: Database, unit: Unit, why: str, now: float) -> Unit:
    """Its owner has removed it for good with another program: it is gone, and not ours to undo."""
    _step(db, unit, [UnitState.DONE], UnitState.PURGED, now, why)
    _photo_is_gone(db, unit, now)
    return get(db, unit.id)


def emptied_since(db: Database, since: float) -> int:
    """Units that were removed with other programs since then."""
    sql = "SELECT count(*) FROM units WHERE state = 'purged' AND changed_at >= ? AND error IS NOT NULL"
    return int(db.execute(sql, [since]).fetchone()[0])


def purge(db: Database, unit: Unit, now: float) -> Unit:
    """About to be removed for good: from here it can only be finished."""
    _step(db, unit, [UnitState.DONE], UnitState.PURGING, now)
    return get(db, unit.id)


def purged(db: Database, unit: Unit, now: float) -> Unit:
    """Its files are gone. What the owner said of the photo stays, and goes on teaching."""
    _step(db, unit, [UnitState.PURGING], UnitState.PURGED, now)
    _photo_is_gone(db, unit, now)
    return get(db, unit.id)


def note_day(db: Database, now: float) -> None:
    """The service was running on this day."""
    db.execute("INSERT OR IGNORE INTO days_run VALUES (date(?, 'unixepoch'))", [now])


def ripe(db: Database, days: int, now: float) -> list[Unit]:
    """What has been in the trash for so many days by the clock, and on as many different days of running since; oldest first.

    A clock that was set forward and back again moves neither: days that are still to come do not count as run.
    """
    sql = """
        state = 'done' AND changed_at <= :before AND :days <= (
            SELECT count(*) FROM days_run WHERE day > date(units.changed_at, 'unixepoch') AND day <= date(:now, 'unixepoch')
        ) ORDER BY id
    """
    return _units(db, sql, {"before": now - days * 86400, "days": days, "now": now})


# --- what a step takes along -------------------------------------------------------------------------------------------


def _step(db: Database, unit: Unit, before: Sequence[UnitState], after: UnitState, now: float, error: str | None = None) -> None:
    marks = ",".join("?" * len(before))
    sql = f"UPDATE units SET state = ?, changed_at = ?, error = ? WHERE id = ? AND state IN ({marks})"
    changed = db.execute(sql, [after, now, error, unit.id, *before]).rowcount
    assert changed == 1, f"unit {unit.id} is not {' or '.join(before)}"


def _photo_is_back(db: Database, unit: Unit, now: float) -> None:
    """A scan that has seen more in the meantime knows better."""
    sql = f"UPDATE photos SET state = {photos.READ_OR_NOT}, changed_at = ? WHERE id = ? AND state = 'trashed'"
    db.execute(sql, [now, unit.photo_id])


def _photo_is_gone(db: Database, unit: Unit, now: float) -> None:
    db.execute("UPDATE photos SET state = 'purged', changed_at = ? WHERE id = ? AND state = 'trashed'", [now, unit.photo_id])


def _set_suggestion(db: Database, unit: Unit, state: str, now: float) -> None:
    db.execute("UPDATE suggestions SET state = ?, changed_at = ? WHERE id = ?", [state, now, unit.suggestion_id])


def _take_back(db: Database, unit: Unit, now: float) -> None:
    """An undo answer for the unit's "delete", unless the owner has taken it back already."""
    sql = "SELECT id FROM live_answers WHERE id = (SELECT answer_id FROM units WHERE id = ?)"
    for (answer_id,) in db.execute(sql, [unit.id]).fetchall():
        answers.undo(db, unit.voter_id, now, answer_id)
