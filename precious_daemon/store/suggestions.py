"""Rows of deletion suggestions and what became of them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from precious_daemon.errors import NotFound
from precious_daemon.models import Photo, Suggestion, SuggestionState
from precious_daemon.store import Database, answers, insert, tallies
from precious_daemon.store.photos import photo_from


@dataclass(frozen=True, slots=True)
class SuggestionRow:
    """A suggestion with its place in the library. `uid` is its name in addresses."""

    id: int
    uid: str
    run: str
    state: SuggestionState
    created_at: float
    place: int
    suggestion: Suggestion
    photo: Photo
    voter_id: int


def _row(row: dict[str, Any]) -> SuggestionRow:
    suggestion = Suggestion(
        row["photo_id"], row["kind"], row["keep"], bool(row["certified"]), tuple(json.loads(row["reasons"])),
        row["keeper_id"], json.loads(row["evidence"]),
    )  # fmt: skip
    state = SuggestionState(row["suggestion_state"])
    return SuggestionRow(
        row["suggestion_id"],
        row["suggestion_uid"],
        row["run"],
        state,
        row["created_at"],
        row["place"],
        suggestion,
        photo_from(row),
        row["suggestion_voter"],
    )


_SELECT = """
    SELECT photos.*, s.id AS suggestion_id, s.uid AS suggestion_uid, s.run, s.state AS suggestion_state, s.created_at,
        s.voter_id AS suggestion_voter, s.place, s.photo_id, s.kind, s.keep, s.certified, s.reasons, s.keeper_id, s.evidence
    FROM suggestions AS s CROSS JOIN photos ON photos.id = s.photo_id
"""

_EVERYBODYS = """
    NOT EXISTS (SELECT 1 FROM suggestions AS o
        WHERE o.photo_id = s.photo_id AND o.state = s.state AND (o.place, o.id) < (s.place, s.id))
"""


def replace_open(
    db: Database, voter_id: int, run: str, suggestions: Iterable[Suggestion], now: float, again: Collection[int] = ()
) -> int:
    """The night's list: open suggestions that it no longer holds are withdrawn.

    Dismissed ones stay dismissed, but for photos in `again`, of which something has changed since. Returns how many are
    open now.
    """
    sql = "SELECT photo_id FROM suggestions WHERE voter_id = ? AND state IN ('dismissed', 'approved', 'restored')"
    settled = {row[0] for row in db.execute(sql, [voter_id])} - set(again)
    known = dict(db.execute("SELECT photo_id, id FROM suggestions WHERE voter_id = ? AND state = 'open'", [voter_id]).fetchall())
    count = 0
    for place, s in enumerate(suggestions):
        if s.photo_id in settled:
            continue
        values = _values(s) | {"run": run, "place": place, "changed_at": now}
        if suggestion_id := known.pop(s.photo_id, None):
            db.table("suggestions").update(suggestion_id, values)
        else:
            _insert(db, voter_id, s.photo_id, values, now)
        count += 1
    for gone in known.values():
        set_state(db, [gone], SuggestionState.WITHDRAWN, now)
    return count


@dataclass(frozen=True, slots=True)
class Dismissal:
    """What the owner kept, and what was known of it then and is now."""

    photo_id: int
    had_copy: bool  # it was suggested because a copy of it stays
    edited: bool  # its file has another content since


def dismissals(db: Database, voter_id: int) -> list[Dismissal]:
    """The newest one of each photo that is there, unless the photo was let go or brought back since."""
    sql = """
        SELECT s.photo_id, s.kind, s.content_hash IS NOT NULL AND s.content_hash != photos.content_hash AS edited
        FROM suggestions AS s CROSS JOIN photos ON photos.id = s.photo_id
        WHERE s.voter_id = ?1 AND s.state = 'dismissed' AND photos.state = 'present' AND NOT EXISTS (
            SELECT 1 FROM suggestions AS later WHERE later.photo_id = s.photo_id AND later.voter_id = ?1
            AND later.id > s.id AND later.state IN ('dismissed', 'approved', 'trashed', 'restored'))
        ORDER BY s.photo_id
    """
    return [Dismissal(row[0], row[1] == "copy", bool(row[2])) for row in db.execute(sql, [voter_id])]


def _values(s: Suggestion) -> dict[str, Any]:
    return {
        "kind": s.kind, "keep": s.keep, "certified": s.certified, "reasons": json.dumps(s.reasons),
        "keeper_id": s.keeper_id, "evidence": json.dumps(s.evidence),
    }  # fmt: skip


def _insert(db: Database, voter_id: int, photo_id: int, values: dict[str, Any], now: float) -> str:
    uid = secrets.token_hex(16)
    row_id = insert(db, "suggestions", values | {"uid": uid, "voter_id": voter_id, "photo_id": photo_id, "created_at": now})
    of_photo = "(SELECT content_hash FROM photos WHERE photos.id = photo_id)"
    db.execute(f"UPDATE suggestions SET content_hash = {of_photo} WHERE id = ?", [row_id])
    return uid


def put_open(db: Database, voter_id: int, run: str, wanted: Iterable[Suggestion], now: float, rename: bool = False) -> list[str]:
    """Suggest these as well, ahead of the others, and return their uids. One that is open already gets the new reasons.

    With `rename` it belongs to this run then.
    """
    uids = []
    for s in wanted:
        where = "voter_id = ? AND photo_id = ? AND state IN ('open', 'approved')"
        row = db.execute(f"SELECT id, uid FROM suggestions WHERE {where}", [voter_id, s.photo_id]).fetchone()
        if row:
            reasons = {"kind": s.kind, "reasons": json.dumps(s.reasons), "keeper_id": s.keeper_id}
            reasons |= {"run": run} if rename else {}
            db.table("suggestions").update(row[0], reasons | {"changed_at": now})
        uids.append(
            row[1] if row else _insert(db, voter_id, s.photo_id, _values(s) | {"run": run, "place": 0, "changed_at": now}, now)
        )
    return uids


def open_for(db: Database, voter_id: int, photo_ids: Iterable[int]) -> dict[int, str]:
    """Uids by photo of what is suggested to a voter of these photos."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"SELECT photo_id, uid FROM suggestions WHERE voter_id = ? AND state = 'open' AND photo_id IN ({marks})"
    return dict(db.execute(sql, [voter_id]).fetchall())


def kept_since(db: Database, uids: Iterable[str]) -> set[str]:
    """Those of which their voter said that they keep the photo, after they were suggested or last looked at."""
    sql = """
        SELECT s.uid FROM suggestions AS s JOIN labels AS l ON l.voter_id = s.voter_id AND l.photo_id = s.photo_id
        WHERE s.uid IN (SELECT value FROM json_each(?)) AND l.keep AND l.at > s.changed_at
    """
    return {row[0] for row in db.execute(sql, [json.dumps(list(uids))])}


def of_run(db: Database, voter_id: int, run: str, state: SuggestionState) -> list[str]:
    """Uids of what was suggested under this name and is in that state."""
    sql = "SELECT uid FROM suggestions WHERE voter_id = ? AND state = ? AND run = ? ORDER BY id"
    return [row[0] for row in db.execute(sql, [voter_id, state, run])]


def withdraw(db: Database, voter_id: int, photo_ids: Iterable[int], now: float) -> None:
    """These photos are not suggested any more, where they were."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = "UPDATE suggestions SET state = 'withdrawn', changed_at = ? WHERE voter_id = ? AND state = 'open'"
    db.execute(f"{sql} AND photo_id IN ({marks})", [now, voter_id])


def settle(db: Database, voter_id: int, photo_ids: Iterable[int], state: SuggestionState, now: float) -> None:
    """A voter has decided about these photos: what was open to this one gets that state, what was open to others is withdrawn."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = "UPDATE suggestions SET state = iif(voter_id = ?, ?, 'withdrawn'), changed_at = ? WHERE state = 'open'"
    db.execute(f"{sql} AND photo_id IN ({marks})", [voter_id, state, now])


def unwithdraw(db: Database, voter_id: int, photo_ids: Iterable[int], at: float, now: float) -> None:
    """Undo a `withdraw` that was made at a time, but for what is suggested anew since."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"""
        UPDATE suggestions SET state = 'open', changed_at = ?
        WHERE voter_id = ? AND state = 'withdrawn' AND changed_at = ? AND photo_id IN ({marks}) AND NOT EXISTS (
            SELECT 1 FROM suggestions AS s WHERE s.voter_id = suggestions.voter_id AND s.photo_id = suggestions.photo_id
            AND s.state IN ('open', 'approved'))
    """
    db.execute(sql, [now, voter_id, at])


def withdraw_run(db: Database, voter_id: int, run: str, now: float) -> None:
    """What `put_open` made under this name is not suggested any more, where it still was."""
    sql = "UPDATE suggestions SET state = 'withdrawn', changed_at = ? WHERE voter_id = ? AND state = 'open' AND run = ?"
    db.execute(sql, [now, voter_id, run])


def page(
    db: Database,
    voter_id: int | None,
    state: SuggestionState = SuggestionState.OPEN,
    after: tuple[float, int] | None = None,
    limit: int = 100,
    certified: bool = False,
) -> list[SuggestionRow]:
    """Surest first; without a voter those of everybody, each photo once. `after` is (place, id) of the last one shown.

    With `certified` only those that are.
    """
    whose = _EVERYBODYS if voter_id is None else "s.voter_id = ?"
    where = f"s.state = '{state.value}' AND {whose}"  # by its name, as in the indexes of those that are open
    values: list[Any] = [] if voter_id is None else [voter_id]
    if certified:
        where += " AND s.certified"
    if after:
        where += " AND (s.place, s.id) > (?, ?)"
        values += after
    sql = f"{_SELECT} WHERE {where} ORDER BY s.place, s.id LIMIT ?"
    return [_row(row) for row in db.query(sql, [*values, limit])]


def by_uids(db: Database, uids: Sequence[str]) -> list[SuggestionRow]:
    """In the order asked for, whosever they are. An unknown one raises NotFound."""
    found = []
    for uid in uids:
        rows = list(db.query(f"{_SELECT} WHERE s.uid = ?", [uid]))
        if not rows:
            raise NotFound("There is no such suggestion any more.")
        found.append(_row(rows[0]))
    return found


def name_and_run(db: Database, suggestion_id: int | None) -> tuple[str | None, str | None]:
    """The uid of a suggestion, and the run that made it."""
    row = db.execute("SELECT uid, run FROM suggestions WHERE id = ?", [suggestion_id]).fetchone()
    return (row[0], row[1]) if row else (None, None)


def set_state(db: Database, ids: Iterable[int], state: SuggestionState, now: float) -> None:
    db.conn.executemany("UPDATE suggestions SET state = ?, changed_at = ? WHERE id = ?", [(state, now, i) for i in ids])


def reopen(db: Database, voter_id: int, uids: Sequence[str], now: float) -> int:
    """Undo dismissals: what can be open again is, and the "keep" that dismissing stored is taken back. Returns how many."""
    reopened = 0
    for row in by_uids(db, uids):
        dismissed = SuggestionState.DISMISSED if row.voter_id == voter_id else SuggestionState.WITHDRAWN
        if row.state is not dismissed or _is_open(db, row.voter_id, row.photo.id):
            continue
        set_state(db, [row.id], SuggestionState.OPEN, now)
        sql = """
            SELECT id FROM live_answers WHERE +voter_id = ? AND photo_id = ? AND question = 'suggestion' AND choice = 'keep'
            ORDER BY id DESC LIMIT 1
        """
        for (answer_id,) in db.execute(sql, [voter_id, row.photo.id]).fetchall():
            answers.undo(db, voter_id, now, answer_id)
        reopened += 1
    return reopened


def _is_open(db: Database, voter_id: int, photo_id: int) -> bool:
    sql = "SELECT 1 FROM suggestions WHERE voter_id = ? AND photo_id = ? AND state IN ('open', 'approved')"
    return db.execute(sql, [voter_id, photo_id]).fetchone() is not None


def counts(db: Database, voter_id: int) -> dict[SuggestionState, int]:
    found = tallies.of(db, "suggestions", voter_id)
    return {state: found.get(state, 0) for state in SuggestionState}


def certified(db: Database, voter_id: int) -> int:
    """How many of the open ones are certified."""
    return tallies.of(db, "certified", voter_id).get("open", 0)


def everybodys(db: Database) -> tuple[int, int]:
    """(photos that are suggested to anybody, their bytes)."""
    found = dict(db.execute("SELECT which, count FROM tallies WHERE what = 'suggested to anybody'").fetchall())
    return found.get("photos", 0), found.get("bytes", 0)


def open_bytes(db: Database, voter_id: int) -> int:
    """Bytes that approving everything open would free after a purge."""
    return tallies.of(db, "suggested bytes", voter_id).get("open", 0)
