"""What the owner said of groups: which photo is the best, and what stays. Kept by the photos, not by the group's number."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from precious_daemon.errors import NotFound
from precious_daemon.models import GroupDecision
from precious_daemon.store import Database, insert


def add(
    db: Database, voter_id: int, best: int, members: Iterable[int], stays: Collection[int], now: float, rule: str | None = None
) -> GroupDecision:
    """Remember one. `best` is among the members, and so is what stays; none stays where only the best was named.

    Those that one `rule` made are undone together.
    """
    decision_id = insert(db, "group_decisions", {"voter_id": voter_id, "at": now, "best_id": best, "rule": rule})
    rows = [(member, decision_id, member in stays) for member in set(members)]
    db.conn.executemany("INSERT INTO group_decision_members VALUES (?, ?, ?)", rows)
    return get(db, voter_id, decision_id)


def forget(db: Database, voter_id: int, decision_id: int) -> None:
    """Undo: as if it had never been said."""
    db.execute("DELETE FROM group_decisions WHERE voter_id = ? AND id = ?", [voter_id, decision_id])


def get(db: Database, voter_id: int, decision_id: int) -> GroupDecision:
    for decision in _where(db, "d.voter_id = ? AND d.id = ?", [voter_id, decision_id]):
        return decision
    raise NotFound("There is no such decision any more.")


def newest(db: Database, voter_id: int) -> GroupDecision | None:
    row = db.execute("SELECT id FROM group_decisions WHERE +voter_id = ? ORDER BY id DESC LIMIT 1", [voter_id]).fetchone()
    return get(db, voter_id, row[0]) if row else None


def of_rule(db: Database, voter_id: int, rule: str) -> list[GroupDecision]:
    """Those that a rule made, oldest first."""
    return _where(db, "d.voter_id = ? AND d.rule = ?", [voter_id, rule])


def rule_of(db: Database, decision_id: int) -> str | None:
    """The name of the rule that made it; None where the owner looked at that very group."""
    row = db.execute("SELECT rule FROM group_decisions WHERE id = ?", [decision_id]).fetchone()
    return row[0] if row else None


def all_decisions(db: Database, voter_id: int) -> list[GroupDecision]:
    """Oldest first."""
    return _where(db, "d.voter_id = ?", [voter_id])


def about(db: Database, voter_id: int, photo_ids: Iterable[int]) -> list[GroupDecision]:
    """Those that concern any of these photos, oldest first."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    which = f"SELECT decision_id FROM group_decision_members WHERE photo_id IN ({marks})"
    return _where(db, f"d.voter_id = ? AND d.id IN ({which})", [voter_id])


def _where(db: Database, where: str, values: Sequence[object]) -> list[GroupDecision]:
    sql = f"""
        SELECT d.id, d.voter_id, d.at, d.best_id, m.photo_id, m.stays
        FROM group_decisions AS d JOIN group_decision_members AS m ON m.decision_id = d.id WHERE {where} ORDER BY d.id
    """
    heads: dict[int, tuple[int, float, int]] = {}
    members: dict[int, dict[int, bool]] = {}
    for decision_id, voter, at, best, photo_id, stays in db.execute(sql, values):
        heads[decision_id] = (voter, at, best)
        members.setdefault(decision_id, {})[photo_id] = bool(stays)
    return [
        GroupDecision(i, voter, at, best, frozenset(members[i]), frozenset(p for p, stays in members[i].items() if stays))
        for i, (voter, at, best) in heads.items()
    ]
