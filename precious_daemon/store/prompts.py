"""What generated pictures were asked for, by photo. An empty text says that there is nothing to be found."""

from __future__ import annotations

from collections.abc import Iterable

from precious_daemon.store import Database


def many(db: Database, photo_ids: Iterable[int]) -> dict[int, str]:
    """Prompts that are known, by photo id; photos that nobody has looked into are absent."""
    marks = ",".join(str(int(i)) for i in photo_ids)
    return dict(db.execute(f"SELECT photo_id, prompt FROM prompts WHERE photo_id IN ({marks})").fetchall())


def put(db: Database, photo_id: int, prompt: str, source: str, now: float) -> None:
    """Source `owner` replaces any other, and no other replaces it."""
    db.execute(
        """
        INSERT INTO prompts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET prompt = excluded.prompt, source = excluded.source,
            at = excluded.at WHERE excluded.source = 'owner' OR prompts.source != 'owner'
        """,
        [photo_id, prompt, source, now],
    )
