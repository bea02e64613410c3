"""Rows of blind audits of groups: pools of what would go because another photo stays, and what was said of both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from precious_daemon.models import Choice, PhotoState, SuggestionState
from precious_daemon.store import Database, insert, scores

_BY_OWNER = ("group-", "rule-")  # runs of suggestions that the owner made: nothing of ours to judge
_KEPT = {Choice.FIRST: (0,), Choice.SECOND: (1,), Choice.BOTH_KEEP: (0, 1), Choice.DRAW: (), Choice.BOTH_DELETE: ()}


@dataclass(frozen=True, slots=True)
class Standing:
    """One draw of a pool of groups: the photo that is asked about, what would stay, and what became of the suggestion.

    `state` is None where that one was never made to this voter with that keeper, or is not any more.
    """

    asked: int
    keeper: int
    photos: int
    state: SuggestionState | None
    label: bool | None  # what was said of the photo by itself: True for keep


def suggested(db: Database, voter_id: int, kind: str) -> dict[int, list[int]]:
    """What would go of groups of a kind, by what stays in its place; without what the owner chose, or labelled."""
    sql = """
        SELECT keeper_id, photo_id FROM suggestions AS s
        WHERE voter_id = ? AND state = 'open' AND kind = ? AND keeper_id IS NOT NULL AND run NOT LIKE ? AND run NOT LIKE ?
        AND NOT EXISTS (SELECT 1 FROM labels WHERE labels.voter_id = s.voter_id AND labels.photo_id = s.photo_id)
        ORDER BY keeper_id, photo_id
    """
    found: dict[int, list[int]] = {}
    for keeper, photo in db.execute(sql, [voter_id, kind, *(f"{name}%" for name in _BY_OWNER)]):
        found.setdefault(keeper, []).append(photo)
    return found


def open_pool(db: Database, voter_id: int, kind: str, draws: Sequence[tuple[int, int, Iterable[int]]], now: float) -> int:
    """A new pool. `draws` are (the photo to ask about, what stays, all that would go), already in random order."""
    pool_id = insert(db, "pools", {"voter_id": voter_id, "created_at": now, "floor": 0.0, "kind": kind})
    rows = [
        (pool_id, position, photo, photo == asked, keeper)
        for position, (asked, keeper, going) in enumerate(draws)
        for photo in going
    ]
    sql = "INSERT INTO pool_members (pool_id, position, photo_id, asked, keeper_id) VALUES (?, ?, ?, ?, ?)"
    db.conn.executemany(sql, rows)
    return pool_id


def members(db: Database, pool_id: int) -> set[tuple[int, int]]:
    """(what would go, what would stay) of all of a pool."""
    sql = "SELECT photo_id, keeper_id FROM pool_members WHERE pool_id = ?"
    return {(row[0], row[1]) for row in db.execute(sql, [pool_id])}


def standing(db: Database, voter_id: int, pool_id: int) -> Iterator[Standing]:
    """The draws of a pool, in its order: each is looked up when it is asked for."""
    sql = """
        SELECT m.photo_id, m.keeper_id, (SELECT count(*) FROM pool_members AS o WHERE o.pool_id = m.pool_id
                AND o.position = m.position),
            (SELECT s.state FROM suggestions AS s WHERE s.photo_id = m.photo_id AND s.voter_id = ?1
                AND s.keeper_id = m.keeper_id ORDER BY s.id DESC LIMIT 1),
            (SELECT keep FROM labels WHERE labels.voter_id = ?1 AND labels.photo_id = m.photo_id)
        FROM pool_members AS m WHERE m.pool_id = ?2 AND m.asked ORDER BY m.position
    """
    for asked, keeper, count, state, keep in db.execute(sql, [voter_id, pool_id]):
        label = None if keep is None else bool(keep)
        yield Standing(asked, keeper, count, SuggestionState(state) if state else None, label)


def said(db: Database, voter_id: int, since: float) -> dict[frozenset[int], frozenset[int]]:
    """Of each two photos asked about since then: which of them the owner wants beside the other. The newest answer counts."""
    sql = """
        SELECT photo_id, other_id, choice FROM live_answers
        WHERE voter_id = ? AND question = 'enough' AND choice != 'skip' AND at >= ? ORDER BY id
    """
    return {
        frozenset((one, other)): frozenset((one, other)[place] for place in _KEPT[Choice(choice)])
        for one, other, choice in db.execute(sql, [voter_id, since])
    }


def wanted(db: Database, voter_id: int) -> set[int]:
    """Photos that would have gone in favour of another, and that the owner wants beside it: nothing suggests them again.

    Which of two is the better one says nothing of that one's worth, so only what was asked about is among them, or both.
    """
    known = said(db, voter_id, 0.0)
    sql = "SELECT m.photo_id, m.keeper_id FROM pools JOIN pool_members AS m ON m.pool_id = pools.id WHERE voter_id = ? AND asked"
    asked = {(row[0], row[1]) for row in db.execute(sql + " AND keeper_id IS NOT NULL", [voter_id])} if known else set()
    both = {photo for kept in known.values() if len(kept) == 2 for photo in kept}
    return both | {one for one, keeper in asked if one in known.get(frozenset((one, keeper)), ())}


def next_draw(db: Database, voter_id: int, kind: str, exclude: Collection[int] = ()) -> tuple[int, int] | None:
    """(photo asked about, what would stay) of the first draw that is there, still suggested and not answered.

    Photos of `exclude` are passed over for now: until they are answered, no later answer counts.
    """
    pool = scores.newest_pool(db, voter_id, kind)
    if pool is None:
        return None
    known = said(db, voter_id, pool[1])
    for one in standing(db, voter_id, pool[0]):
        if one.state is not SuggestionState.OPEN or one.label is not None or frozenset((one.asked, one.keeper)) in known:
            continue
        if one.asked not in exclude and one.keeper not in exclude and _there(db, (one.asked, one.keeper)):
            return one.asked, one.keeper
    return None


def _there(db: Database, ids: tuple[int, int]) -> bool:
    sql = "SELECT count(*) FROM photos WHERE id IN (?, ?) AND +state = ?"  # + keeps the index of all that are present out of it
    return bool(db.execute(sql, [*ids, PhotoState.PRESENT]).fetchone()[0] == 2)


def newest_answer(db: Database, voter_id: int) -> int | None:
    """Id of the newest answer about two photos of a group that counts."""
    sql = "SELECT max(id) FROM live_answers WHERE voter_id = ? AND question = 'enough'"
    found = db.execute(sql, [voter_id]).fetchone()[0]
    return None if found is None else int(found)


def verdicts(db: Database, voter_id: int) -> set[str]:
    """The kinds of suggestions that there is a verdict on."""
    return {row[0] for row in db.execute("SELECT kind FROM verdicts WHERE voter_id = ?", [voter_id])}


def close_pool(db: Database, voter_id: int, kind: str) -> None:
    """Nothing of a kind is suggested: an empty pool takes the place of the last one, and there is nothing to speak of."""
    pool = scores.newest_pool(db, voter_id, kind)
    if pool is not None and members(db, pool[0]):
        open_pool(db, voter_id, kind, [], pool[1])
    db.execute("DELETE FROM verdicts WHERE voter_id = ? AND kind = ?", [voter_id, kind])


def mark_certified(db: Database, voter_id: int, covered: Collection[int], pairs: Collection[tuple[int, int]]) -> None:
    """Of the open suggestions exactly these are certified: these photos, and these photos in favour of those keepers."""
    sql = "SELECT id, photo_id, keeper_id, certified FROM suggestions WHERE voter_id = ? AND state = 'open'"
    changed = []
    for row, photo, keeper, certified in db.execute(sql, [voter_id]):
        now = photo in covered or (photo, keeper) in pairs
        if now != bool(certified):
            changed.append((now, row))
    db.conn.executemany("UPDATE suggestions SET certified = ? WHERE id = ?", changed)
