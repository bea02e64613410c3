"""What the owner said: append-only rows, each undone by a later one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from precious_daemon.errors import NotFound
from precious_daemon.models import Answer, Choice, Label, Question, Vote
from precious_daemon.store import Database, insert, tallies

_STANDS = "NOT EXISTS (SELECT 1 FROM answers AS u WHERE u.undoes = a.id)"


def _answer(row: dict[str, Any]) -> Answer:
    return Answer(
        row["id"], row["voter_id"], row["at"], Question(row["question"]), Choice(row["choice"]) if row["choice"] else None,
        row["photo_id"], row["other_id"], row["purpose"], row["undoes"],
    )  # fmt: skip


def add(
    db: Database,
    voter_id: int,
    question: Question,
    choice: Choice,
    photo_id: int,
    other_id: int | None,
    purpose: str,
    now: float,
    request: str | None = None,
) -> Answer:
    """Store one answer. `request` names the sending: the same name again gives back the answer stored the first time."""
    if request:
        for row in db.query("SELECT * FROM answers WHERE request = ?", [request]):
            return _answer(row)
    answer_id = insert(db, "answers",
        {
            "voter_id": voter_id, "at": now, "question": question, "choice": choice, "photo_id": photo_id,
            "other_id": other_id, "purpose": purpose, "request": request,
        }
    )  # fmt: skip
    return Answer(answer_id, voter_id, now, question, choice, photo_id, other_id, purpose, None)


def undo(db: Database, voter_id: int, now: float, answer_id: int | None = None) -> Answer:
    """Take back an answer, and return it; it stays in the table.

    By default the newest question answered that still counts: imports, reviewed suggestions, and photos taken out of the
    ranking are undone in their place.
    """
    given = " AND id = :id" if answer_id is not None else " AND purpose != 'import' AND question NOT IN ('suggestion', 'ranking')"
    where = f"voter_id = :voter{given}"
    sql = f"SELECT * FROM live_answers WHERE {where} ORDER BY id DESC LIMIT 1"
    for row in db.query(sql, {"voter": voter_id, "id": answer_id}):
        answer = _answer(row)
        insert(db, "answers",
            {
                "voter_id": voter_id, "at": now, "question": answer.question, "photo_id": answer.photo_id,
                "other_id": answer.other_id, "purpose": answer.purpose, "undoes": answer.id,
            }
        )  # fmt: skip
        return answer
    raise NotFound("There is no answer to take back.")


def undo_requests(db: Database, voter_id: int, prefix: str, now: float) -> int:
    """Take back every answer that still counts and was sent under a name with this prefix; how many."""
    sql = "SELECT id FROM live_answers WHERE +voter_id = ? AND request >= ? AND request < ?"
    found = [row[0] for row in db.execute(sql, [voter_id, prefix, prefix + "\x7f"])]
    for answer_id in found:
        undo(db, voter_id, now, answer_id)
    return len(found)


def votes(db: Database, voter_id: int, after: int = 0) -> Iterator[tuple[int, Vote]]:
    """(answer id, vote) of every comparison that counts, in the order given."""
    sql = """
        SELECT id, choice, photo_id, other_id FROM live_answers
        WHERE voter_id = ? AND question = 'pair' AND choice IN ('first', 'second', 'draw') AND id > ? ORDER BY id
    """
    for answer_id, choice, first, second in db.execute(sql, [voter_id, after]):
        yield answer_id, Vote(second, first, False) if choice == "second" else Vote(first, second, choice == "draw")


def labels(db: Database, voter_id: int) -> list[Label]:
    """The newest label of each photo that counts."""
    sql = "SELECT photo_id, keep, purpose, at FROM labels WHERE voter_id = ? ORDER BY answer_id"
    return [Label(row[0], bool(row[1]), row[2], row[3]) for row in db.execute(sql, [voter_id])]


def counts(db: Database, voter_id: int) -> dict[str, int]:
    """How many live labels there are by purpose (photos, not answers), and under `votes` the comparisons."""
    found = db.execute("SELECT purpose, count(*) FROM labels WHERE voter_id = ? GROUP BY purpose", [voter_id]).fetchall()
    return dict(found) | {"votes": tallies.of(db, "votes", voter_id).get("comparisons", 0)}


def recent(db: Database, voter_id: int, limit: int) -> list[Answer]:
    """The newest answers that count, newest first."""
    sql = "SELECT * FROM live_answers WHERE voter_id = ? ORDER BY id DESC LIMIT ?"
    return [_answer(row) for row in db.query(sql, [voter_id, limit])]


def answered_pairs(db: Database, voter_id: int, photo_ids: list[int]) -> set[tuple[int, int]]:
    """Pairs (smaller id first) among these photos that were compared, skips included."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"""
        SELECT min(photo_id, other_id), max(photo_id, other_id) FROM live_answers
        WHERE +voter_id = ? AND question = 'pair' AND photo_id IN ({marks}) AND other_id IN ({marks})
    """
    return {(row[0], row[1]) for row in db.execute(sql, [voter_id])}


def out_of_ranking(db: Database, voter_id: int, photo_id: int) -> Answer | None:
    """The answer that took this photo out of the ranking, where it is out."""
    sql = f"SELECT * FROM answers AS a WHERE voter_id = ? AND photo_id = ? AND choice = 'out' AND {_STANDS} ORDER BY id LIMIT 1"
    return next((_answer(row) for row in db.query(sql, [voter_id, photo_id])), None)


def all_out_of_ranking(db: Database, voter_id: int) -> list[int]:
    """Ids of the photos that are out of the ranking, in the order in which they were taken out."""
    sql = f"SELECT photo_id FROM answers AS a WHERE voter_id = ? AND choice = 'out' AND {_STANDS} ORDER BY id"
    return list(dict.fromkeys(row[0] for row in db.execute(sql, [voter_id])))


def is_out(photo: str) -> str:
    """SQL: whether the photo of that column is out of the ranking of the voter `?`."""
    return f"EXISTS (SELECT 1 FROM answers AS a WHERE a.voter_id = ? AND a.photo_id = {photo} AND a.choice = 'out' AND {_STANDS})"


def newest_id(db: Database, voter_id: int) -> int:
    """Id of the newest row, undos included; 0 where nothing was answered yet."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM answers WHERE voter_id = ?", [voter_id]).fetchone()[0])
