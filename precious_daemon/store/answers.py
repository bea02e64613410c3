"""What the owner said: append-only rows, each undone by a later one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from precious_daemon.errors import NotFound, PreciousError
from precious_daemon.models import Answer, Choice, Label, Lineup, Question, Vote
from precious_daemon.store import Database, insert, tallies

PLACES = {Choice.FIRST: 0, Choice.SECOND: 1, Choice.THIRD: 2, Choice.FOURTH: 3}
"""The choices that name one of the photos shown, and which."""
_COMPARED = "question IN ('pair', 'four') AND choice IN ('first', 'second', 'third', 'fourth', 'order', 'draw')"
_STANDS = "NOT EXISTS (SELECT 1 FROM answers AS u WHERE u.undoes = a.id)"


def answer_from(row: dict[str, Any]) -> Answer:
    return Answer(
        row["id"], row["voter_id"], row["at"], Question(row["question"]), Choice(row["choice"]) if row["choice"] else None,
        row["photo_id"], row["other_id"], row["purpose"], row["undoes"],
        tuple(i for i in (row["third_id"], row["fourth_id"]) if i is not None),
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
    more: tuple[int, ...] = (),
) -> Answer:
    """Store one answer. `request` names the sending: the same name again gives back the answer stored the first time."""
    if request:
        for row in db.query("SELECT * FROM answers WHERE request = ?", [request]):
            if row["voter_id"] != voter_id:
                raise PreciousError("This answer is stored already, for another profile.")
            return answer_from(row)
    answer_id = insert(db, "answers",
        {
            "voter_id": voter_id, "at": now, "question": question, "choice": choice, "photo_id": photo_id,
            "other_id": other_id, "purpose": purpose, "request": request,
            **dict(zip(("third_id", "fourth_id"), more, strict=False)),
        }
    )  # fmt: skip
    return Answer(answer_id, voter_id, now, question, choice, photo_id, other_id, purpose, None, more)


def undo(db: Database, voter_id: int, now: float, answer_id: int | None = None) -> Answer:
    """Take back an answer, and return it; it stays in the table.

    By default the newest question answered that still counts: imports, reviewed suggestions, and photos taken out of the
    ranking are undone in their place.
    """
    elsewhere = " AND purpose != 'import' AND question NOT IN ('suggestion', 'ranking', 'outside')"
    given = " AND id = :id" if answer_id is not None else elsewhere
    where = f"voter_id = :voter{given}"
    sql = f"SELECT * FROM live_answers WHERE {where} ORDER BY id DESC LIMIT 1"
    for row in db.query(sql, {"voter": voter_id, "id": answer_id}):
        answer = answer_from(row)
        insert(db, "answers",
            {
                "voter_id": voter_id, "at": now, "question": answer.question, "photo_id": answer.photo_id,
                "other_id": answer.other_id, "purpose": answer.purpose, "undoes": answer.id,
                **dict(zip(("third_id", "fourth_id"), answer.more, strict=False)),
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


def votes(db: Database, voter_id: int, after: int = 0) -> Iterator[tuple[int, Vote | Lineup]]:
    """(answer id, vote) of every comparison that counts, in the order given."""
    sql = f"""
        SELECT id, choice, photo_id, other_id, third_id, fourth_id FROM live_answers
        WHERE voter_id = ? AND {_COMPARED} AND id > ? ORDER BY id
    """
    for answer_id, choice, *shown in db.execute(sql, [voter_id, after]):
        yield answer_id, _vote(choice, shown)


def votes_on_two(found: Iterable[tuple[int, Vote | Lineup]]) -> Iterator[Vote]:
    """What comparisons say of each two photos."""
    for _, vote in found:
        yield from vote.votes() if isinstance(vote, Lineup) else [vote]


def vote_of(answer: Answer) -> Vote | Lineup | None:
    """What an answer says of its photos' order, if anything."""
    is_vote = answer.question in (Question.PAIR, Question.FOUR) and answer.choice in (*PLACES, Choice.DRAW, Choice.ORDER)
    return _vote(answer.choice or "", answer.photos) if is_vote else None


def _vote(choice: str, shown: Sequence[int | None]) -> Vote | Lineup:
    photos = [i for i in shown if i is not None]
    if len(photos) == 2 and choice != Choice.ORDER:
        first, second = photos
        return Vote(second, first, False) if choice == Choice.SECOND else Vote(first, second, choice == Choice.DRAW)
    if choice in PLACES:
        best = photos.pop(PLACES[Choice(choice)])
        return Lineup((best, *photos), ordered=False)
    return Lineup(tuple(photos), ordered=choice == Choice.ORDER, draw=choice == Choice.DRAW)


def compared(db: Database, voter_id: int, after: int) -> set[int]:
    """Ids of all photos in a comparison given after this answer, whether it still counts or not."""
    sql = f"SELECT photo_id, other_id, third_id, fourth_id FROM answers WHERE voter_id = ? AND {_COMPARED} AND id > ?"
    found: set[int | None] = set()
    for row in db.execute(sql, [voter_id, after]):
        found.update(row)
    return {i for i in found if i is not None}


def any_taken_back(db: Database, voter_id: int, through: int, known: int) -> bool:
    """Whether a comparison given up to `through` was taken back by an undo that came after `known`."""
    sql = f"""
        SELECT 1 FROM answers WHERE id <= ? AND {_COMPARED} AND id IN
            (SELECT undoes FROM answers WHERE voter_id = ? AND id > ? AND undoes IS NOT NULL) LIMIT 1
    """
    return db.execute(sql, [through, voter_id, known]).fetchone() is not None


def get(db: Database, voter_id: int, answer_id: int) -> Answer:
    """An answer that counts. Raises NotFound."""
    for row in db.query("SELECT * FROM live_answers WHERE id = ? AND +voter_id = ?", [answer_id, voter_id]):
        return answer_from(row)
    raise NotFound(f"There is no answer {answer_id}, or it was taken back already.")


def page(
    db: Database, voter_id: int, questions: Collection[Question] = (), before: int | None = None, limit: int = 60
) -> list[Answer]:
    """Answers that count, newest first, of these kinds (all where none is named), given before that one."""
    sql = "SELECT * FROM live_answers WHERE voter_id = ? {} AND id < ? ORDER BY id DESC LIMIT ?"
    last = 2**63 - 1 if before is None else before
    if not questions:
        return [answer_from(row) for row in db.query(sql.format(""), [voter_id, last, limit])]
    one = sql.format("AND question = ?")  # each in the order of an index of its own: of both together all would be sorted
    found = [answer_from(row) for question in questions for row in db.query(one, [voter_id, question, last, limit])]
    return sorted(found, key=lambda answer: -answer.id)[:limit]


def labels(db: Database, voter_id: int) -> list[Label]:
    """The newest label of each photo that counts."""
    sql = "SELECT photo_id, keep, purpose, at FROM labels WHERE voter_id = ? ORDER BY answer_id"
    return [Label(row[0], bool(row[1]), row[2], row[3]) for row in db.execute(sql, [voter_id])]


def kept(db: Database, voter_id: int, photo_ids: Iterable[int]) -> set[int]:
    """Those of these photos that this voter said to keep."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"SELECT photo_id FROM labels WHERE voter_id = ? AND keep AND photo_id IN ({marks})"
    return {row[0] for row in db.execute(sql, [voter_id])}


def label_of(db: Database, voter_id: int, photo_id: int) -> Label | None:
    """The newest label of a photo that counts."""
    sql = "SELECT photo_id, keep, purpose, at FROM labels WHERE voter_id = ? AND photo_id = ?"
    for row in db.execute(sql, [voter_id, photo_id]):
        return Label(row[0], bool(row[1]), row[2], row[3])
    return None


def counts(db: Database, voter_id: int) -> dict[str, int]:
    """How many live labels there are by purpose (photos, not answers), and under `votes` the comparisons."""
    found = db.execute("SELECT purpose, count(*) FROM labels WHERE voter_id = ? GROUP BY purpose", [voter_id]).fetchall()
    return dict(found) | {"votes": vote_count(db, voter_id)}


def vote_count(db: Database, voter_id: int) -> int:
    """How many comparisons count."""
    return tallies.of(db, "votes", voter_id).get("comparisons", 0)


def recent(db: Database, voter_id: int, limit: int) -> list[Answer]:
    """The newest answers that count, newest first."""
    sql = "SELECT * FROM live_answers WHERE voter_id = ? ORDER BY id DESC LIMIT ?"
    return [answer_from(row) for row in db.query(sql, [voter_id, limit])]


def answered_pairs(db: Database, voter_id: int, photo_ids: list[int]) -> set[tuple[int, int]]:
    """Pairs (smaller id first) among these photos that were compared, skips included."""
    if not photo_ids:
        return set()
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"""
        SELECT min(photo_id, other_id), max(photo_id, other_id) FROM answers AS a INDEXED BY answers_by_two
        WHERE photo_id IN ({marks}) AND other_id IS NOT NULL AND +other_id IN ({marks})
        AND voter_id = ? AND question = 'pair' AND +undoes IS NULL AND {_STANDS}
    """
    return {(row[0], row[1]) for row in db.execute(sql, [voter_id])}


def losers(db: Database, voter_id: int, since: int) -> set[int]:
    """Ids of photos that lost a comparison given after this answer."""
    return {vote.loser for vote in votes_on_two(votes(db, voter_id, since)) if not vote.draw}


def out_of_ranking(db: Database, voter_id: int, photo_id: int) -> Answer | None:
    """The answer that took this photo out of the ranking, where it is out."""
    sql = f"SELECT * FROM answers AS a WHERE voter_id = ? AND photo_id = ? AND choice = 'out' AND {_STANDS} ORDER BY id LIMIT 1"
    return next((answer_from(row) for row in db.query(sql, [voter_id, photo_id])), None)


def all_out_of_ranking(db: Database, voter_id: int) -> list[int]:
    """Ids of the photos that are out of the ranking, in the order in which they were taken out."""
    out = "voter_id = ? AND choice = 'out'"
    sql = f"SELECT photo_id FROM answers AS a INDEXED BY answers_out WHERE {out} AND {_STANDS} ORDER BY id"
    return list(dict.fromkeys(row[0] for row in db.execute(sql, [voter_id])))


def is_out(photo: str) -> str:
    """SQL: whether the photo of that column is out of the ranking of the voter `?`."""
    return f"EXISTS (SELECT 1 FROM answers AS a WHERE a.voter_id = ? AND a.photo_id = {photo} AND a.choice = 'out' AND {_STANDS})"


def newest_comparison(db: Database, voter_id: int) -> int:
    """Id of the newest row about the order of photos, skips and undos included; 0 where there is none yet."""
    sql = "SELECT coalesce(max(id), 0) FROM answers WHERE voter_id = ? AND question IN ('pair', 'four')"
    return int(db.execute(sql, [voter_id]).fetchone()[0])
