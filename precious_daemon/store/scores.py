"""Rows of models: scores (derived), reports, certificates, and the pools that audits are drawn from."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from precious_daemon.models import Certificate, Photo, Score
from precious_daemon.store import Database, insert
from precious_daemon.store.photos import photo_from

TASTE = "taste"  # the kind of pools and certificates that speak of a model


def replace_scores(db: Database, voter_id: int, scores: Iterable[Score]) -> None:
    db.execute("DELETE FROM cache.scores WHERE voter_id = ?", [voter_id])
    db.execute("DELETE FROM cache.notes WHERE key = ?", [f"audits for {voter_id}"])
    db.conn.executemany("INSERT INTO cache.scores VALUES (?, ?, ?, ?)", ((voter_id, s.photo_id, s.keep, s.taste) for s in scores))


def below(db: Database, voter_id: int, keep: float) -> list[Score]:
    """Scores of present photos with keep probability at most `keep`, surest deletion first."""
    sql = """
        SELECT s.photo_id, s.keep, s.taste FROM cache.scores AS s CROSS JOIN photos ON photos.id = s.photo_id
        WHERE s.voter_id = ? AND s.keep <= ? AND photos.state = 'present' ORDER BY s.keep, s.photo_id
    """
    return [Score(*row) for row in db.execute(sql, [voter_id, keep])]


def of(db: Database, voter_id: int, photo_ids: Iterable[int]) -> dict[int, Score]:
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"SELECT photo_id, keep, taste FROM cache.scores WHERE voter_id = ? AND photo_id IN ({marks})"
    return {row[0]: Score(*row) for row in db.execute(sql, [voter_id])}


def liked(db: Database, voter_id: int) -> Iterator[tuple[int, float]]:
    """(photo, how much this voter likes it) in the order of ids: 1 and -1 for what was labelled, else what comparisons
    say, else the model's taste; these two as a place among all, -.8 to .8. Photos of which nothing is known are left out."""
    sql = """
        WITH played AS (SELECT photo_id, percent_rank() OVER (ORDER BY mu) AS place FROM cache.ratings
                WHERE voter_id = :voter AND wins + losses + draws > 0),
            guessed AS (SELECT photo_id, percent_rank() OVER (ORDER BY taste) AS place FROM cache.scores WHERE voter_id = :voter)
        SELECT photo_id, iif(keep, 1.0, -1.0) FROM labels WHERE voter_id = :voter
        UNION ALL SELECT photo_id, 1.6 * place - 0.8 FROM played
            WHERE photo_id NOT IN (SELECT photo_id FROM labels WHERE voter_id = :voter)
        UNION ALL SELECT photo_id, 1.6 * place - 0.8 FROM guessed
            WHERE photo_id NOT IN (SELECT photo_id FROM labels WHERE voter_id = :voter UNION SELECT photo_id FROM played)
        ORDER BY photo_id
    """
    yield from db.execute(sql, {"voter": voter_id})


def add_model(db: Database, run: str, voter_id: int, champion: str, report: dict[str, Any], now: float) -> None:
    insert(db, "models", {"run": run, "voter_id": voter_id, "at": now, "champion": champion, "report": json.dumps(report)})


def newest_model(db: Database, voter_id: int) -> dict[str, Any] | None:
    """{run, at, champion, report} of the newest model, or None."""
    sql = "SELECT run, at, champion, report FROM models WHERE voter_id = ? ORDER BY at DESC LIMIT 1"
    for row in db.query(sql, [voter_id]):
        return row | {"report": json.loads(row["report"])}
    return None


def known_run(db: Database, voter_id: int, run: str) -> str | None:
    """The run, where it made a model of this voter."""
    row = db.execute("SELECT run FROM models WHERE voter_id = ? AND run = ?", [voter_id, run]).fetchone()
    return row[0] if row else None


def models(db: Database, voter_id: int, most: int) -> list[dict[str, Any]]:
    """{run, at, champion, report} of the newest models, newest first."""
    sql = "SELECT run, at, champion, report FROM models WHERE voter_id = ? ORDER BY at DESC LIMIT ?"
    return [row | {"report": json.loads(row["report"])} for row in db.query(sql, [voter_id, most])]


def put_evidence(db: Database, voter_id: int, evidence: dict[str, Any]) -> None:
    """What the newest model says of the photos it would delete, by photo id as text."""
    db.execute("INSERT OR REPLACE INTO cache.notes VALUES (?, ?)", [f"evidence for {voter_id}", json.dumps(evidence)])


def evidence(db: Database, voter_id: int) -> dict[int, dict[str, Any]]:
    row = db.execute("SELECT value FROM cache.notes WHERE key = ?", [f"evidence for {voter_id}"]).fetchone()
    return {int(key): value for key, value in json.loads(row[0]).items()} if row else {}


# --- audits ------------------------------------------------------------------------------------------------------------


def open_pool(
    db: Database, voter_id: int, floor: float, draws: Sequence[tuple[int, Sequence[int]]], now: float, kind: str = TASTE
) -> int:
    """A new pool. `draws` are (the photo to ask about, all photos of the draw), already in random order."""
    pool_id = insert(db, "pools", {"voter_id": voter_id, "created_at": now, "floor": floor, "kind": kind})
    rows = [(pool_id, position, photo, photo == asked) for position, (asked, draw) in enumerate(draws) for photo in draw]
    db.conn.executemany("INSERT INTO pool_members (pool_id, position, photo_id, asked) VALUES (?, ?, ?, ?)", rows)
    return pool_id


def newest_pool(db: Database, voter_id: int, kind: str = TASTE) -> tuple[int, float] | None:
    """(id, created at) of the pool that audits of a kind are drawn from."""
    sql = "SELECT id, created_at FROM pools WHERE voter_id = ? AND kind = ? ORDER BY id DESC LIMIT 1"
    row = db.execute(sql, [voter_id, kind]).fetchone()
    return (row[0], row[1]) if row else None


def pool_draws(db: Database, pool_id: int) -> list[tuple[int, ...]]:
    """The pool's draws in their order, each a tuple of photo ids; the first is the one that is asked about."""
    found: dict[int, list[int]] = {}
    sql = "SELECT position, photo_id FROM pool_members WHERE pool_id = ? ORDER BY position, asked DESC, photo_id"
    for position, photo_id in db.execute(sql, [pool_id]):
        found.setdefault(position, []).append(photo_id)
    return [tuple(members) for members in found.values()]


def pool_keeps(db: Database, voter_id: int, pool_id: int) -> Iterator[tuple[int, float, int]]:
    """(the photo that is asked about, the largest keep probability of its draw, photos of that), in the pool's order; without
    those whose photo has no score any more."""
    sql = """
        SELECT max(CASE WHEN m.asked THEN m.photo_id END), max(s.keep), count(*)
        FROM pool_members AS m CROSS JOIN cache.scores AS s ON s.voter_id = ? AND s.photo_id = m.photo_id
        WHERE m.pool_id = ? GROUP BY m.position HAVING max(m.asked) = 1 ORDER BY m.position
    """
    yield from db.execute(sql, [voter_id, pool_id])


def draws(db: Database, voter_id: int, pool_id: int, photo_ids: Iterable[int]) -> dict[int, tuple[float, int]]:
    """(the largest keep probability, photos) of the draws that these photos are in, by the photo that is asked about."""
    sql = f"""
        SELECT max(CASE WHEN m.asked THEN m.photo_id END), max(s.keep), count(*)
        FROM pool_members AS m CROSS JOIN cache.scores AS s ON s.voter_id = ?1 AND s.photo_id = m.photo_id
        WHERE m.pool_id = ?2 AND m.position IN (
            SELECT position FROM pool_members WHERE pool_id = ?2 AND photo_id IN ({",".join(str(int(i)) for i in photo_ids)}))
        GROUP BY m.position HAVING max(m.asked) = 1
    """
    return {row[0]: (row[1], row[2]) for row in db.execute(sql, [voter_id, pool_id])}


def put_plan(db: Database, voter_id: int, plan: dict[str, Any]) -> None:
    """What blind answers about a pool are looked up in, until there are other scores."""
    db.execute("INSERT OR REPLACE INTO cache.notes VALUES (?, ?)", [f"audits for {voter_id}", json.dumps(plan)])


def plan(db: Database, voter_id: int) -> dict[str, Any] | None:
    row = db.execute("SELECT value FROM cache.notes WHERE key = ?", [f"audits for {voter_id}"]).fetchone()
    return json.loads(row[0]) if row else None


def audits(db: Database, voter_id: int, since: float) -> dict[int, bool]:
    """Photo id to keep, of every audit answered since then that was not taken back."""
    sql = """
        SELECT photo_id, keep FROM live_labels WHERE voter_id = ? AND purpose = 'audit' AND at >= ? ORDER BY id
    """
    return {row[0]: bool(row[1]) for row in db.execute(sql, [voter_id, since])}


def next_audit(db: Database, voter_id: int, exclude: Collection[int] = ()) -> Photo | None:
    """The first photo that the verdict waits for, that is there, and of which this voter has said nothing yet.

    Those of `exclude` are passed over for now: they come again, and until they are answered no later answer counts.
    """
    pool = newest_pool(db, voter_id)
    if pool is None:
        return None
    sql = f"""
        SELECT photos.* FROM verdicts AS v, json_each(v.verdict, '$.ahead') AS ahead CROSS JOIN photos ON photos.id = ahead.value
        WHERE v.voter_id = ? AND v.kind = ? AND photos.state = 'present'
        AND photos.id NOT IN ({",".join(str(int(i)) for i in exclude)}) AND NOT EXISTS (
            SELECT 1 FROM live_labels l
            WHERE l.photo_id = photos.id AND +l.voter_id = v.voter_id AND (+l.purpose != 'audit' OR l.at >= ?))
        ORDER BY ahead.key LIMIT 1
    """
    for row in db.query(sql, [voter_id, TASTE, pool[1]]):
        return photo_from(row)
    return None


def least_sure(db: Database, voter_id: int, exclude: Collection[int] = ()) -> list[Photo]:
    """The photo without a label that the model is least sure of, on either side of even chances; one at most."""
    found: list[tuple[float, Photo]] = []
    for compare, order in (("<=", "DESC"), (">", "ASC")):
        sql = f"""
            SELECT photos.*, abs(s.keep - 0.5) AS doubt FROM cache.scores AS s CROSS JOIN photos ON photos.id = s.photo_id
            WHERE s.voter_id = ? AND s.keep {compare} 0.5 AND photos.state = 'present'
            AND s.photo_id NOT IN ({",".join(str(int(i)) for i in exclude)})
            AND NOT EXISTS (SELECT 1 FROM labels WHERE labels.voter_id = s.voter_id AND labels.photo_id = s.photo_id)
            AND NOT EXISTS (SELECT 1 FROM live_answers a WHERE a.photo_id = s.photo_id AND +a.voter_id = s.voter_id
                AND a.choice = 'skip' AND a.question IN ('label', 'audit'))
            AND NOT EXISTS (SELECT 1 FROM pool_members m JOIN pools ON pools.id = m.pool_id
                WHERE m.photo_id = s.photo_id AND m.pool_id = (SELECT max(id) FROM pools
                    WHERE voter_id = s.voter_id AND kind = 'taste'))
            ORDER BY s.keep {order} LIMIT 1
        """
        found += [(row["doubt"], photo_from(row)) for row in db.query(sql, [voter_id])]
    return [photo for _, photo in sorted(found, key=lambda pair: pair[0])[:1]]


def put_certificate(
    db: Database,
    voter_id: int,
    certificate: Certificate | None,
    sentence: str,
    needed: int | None,
    now: float,
    kind: str = TASTE,
    ahead: Sequence[int] = (),
) -> None:
    """The newest verdict on a kind: the certificate or None, in words, how many more audits could change it, and which next."""
    parts = (
        None
        if certificate is None
        else {name: getattr(certificate, name) for name in ("threshold", "alpha", "confidence", "audits", "errors", "candidates")}
    )
    verdict = json.dumps({"certificate": parts, "sentence": sentence, "needed": needed, "ahead": list(ahead)})
    db.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?)", [voter_id, kind, now, verdict])


def certificate(db: Database, voter_id: int, kind: str = TASTE) -> tuple[Certificate | None, str, int | None]:
    """(certificate or None, sentence, audits still needed or None)."""
    row = db.execute("SELECT verdict FROM verdicts WHERE voter_id = ? AND kind = ?", [voter_id, kind]).fetchone()
    if row is None:
        return None, "There is no model yet.", None
    verdict = json.loads(row[0])
    parts = verdict["certificate"]
    return Certificate(**parts) if parts else None, verdict["sentence"], verdict["needed"]
