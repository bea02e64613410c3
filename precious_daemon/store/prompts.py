"""What generated pictures were asked for, by photo."""

from __future__ import annotations

from collections.abc import Iterable

from precious_daemon.store import Database


def many(db: Database, photo_ids: Iterable[int]) -> dict[int, str]:
    """Prompts that are known, by photo id. One that was not found may be by now, in a table made since: it is absent."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    sql = f"SELECT photo_id, prompt FROM prompts WHERE photo_id IN ({marks}) AND (prompt != '' OR source = 'owner')"
    return dict(db.execute(sql).fetchall())


def put(db: Database, photo_id: int, prompt: str, source: str, now: float) -> None:
    """Source `owner` replaces any other, and no other replaces it."""
    db.execute(
        """
        INSERT INTO prompts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET prompt = excluded.prompt, source = excluded.source,
            at = excluded.at WHERE excluded.source = 'owner' OR prompts.source != 'owner'
        """,
        [photo_id, prompt, source, now],
    )
