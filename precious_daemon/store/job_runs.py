"""Rows of job runs: what ran, when, and how it ended. A night that was missed is seen here. And the pause, if there is one."""

from __future__ import annotations

import os
from typing import Any

from precious_daemon.errors import NotFound
from precious_daemon.models import JobRun, Pause
from precious_daemon.store import Database, insert

KEPT = 100  # runs of each job


def _run(row: dict[str, Any]) -> JobRun:
    return JobRun(
        row["id"], row["name"], row["trigger"], row["started_at"], row["finished_at"], row["outcome"], row["detail"], row["error"]
    )


def start(db: Database, name: str, trigger: str, now: float) -> int:
    return insert(db, "job_runs", {"name": name, "trigger": trigger, "started_at": now})


def finish(db: Database, run_id: int, outcome: str, detail: str, error: str | None, now: float, log: str = "") -> None:
    """How a run ended. Runs older than the last `KEPT` of that job are forgotten."""
    db.execute(
        "UPDATE job_runs SET finished_at = ?, outcome = ?, detail = ?, error = ?, log = ? WHERE id = ?",
        [now, outcome, _utf8(detail), error, _utf8(log), run_id],
    )
    older = "SELECT id FROM job_runs WHERE name = (SELECT name FROM job_runs WHERE id = ?) ORDER BY id DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM job_runs WHERE id IN ({older})", [run_id, KEPT])


def _utf8(text: str) -> str:
    """It may name a file whose name is not UTF-8."""
    return os.fsencode(text).decode("utf-8", "replace")


def close_interrupted(db: Database, now: float) -> None:
    """Runs that were under way when the service was killed."""
    db.execute(
        "UPDATE job_runs SET outcome = 'stopped', detail = 'the service ended', finished_at = ? WHERE outcome = 'running'", [now]
    )


def last(db: Database, name: str) -> JobRun | None:
    for row in db.query("SELECT * FROM job_runs WHERE name = ? ORDER BY id DESC LIMIT 1", [name]):
        return _run(row)
    return None


def recent(db: Database, name: str, limit: int = 20) -> list[JobRun]:
    """The last runs of a job, newest first."""
    return [_run(row) for row in db.query("SELECT * FROM job_runs WHERE name = ? ORDER BY id DESC LIMIT ?", [name, limit])]


def log(db: Database, run_id: int) -> str:
    """What was logged while it ran, a line each. Raises NotFound."""
    row = db.execute("SELECT log FROM job_runs WHERE id = ?", [run_id]).fetchone()
    if row is None:
        raise NotFound(f"There is no run {run_id}; `precious-daemon jobs log NAME` lists those there are.")
    return row[0] or ""


# --- the pause ---------------------------------------------------------------------------------------------------------


def paused(db: Database, now: float) -> Pause | None:
    """The pause that is on, if one is."""
    row = db.execute("SELECT since, until FROM pause WHERE until IS NULL OR until > ?", [now]).fetchone()
    return Pause(*row) if row else None


def pause(db: Database, since: float, until: float | None) -> None:
    db.execute("INSERT OR REPLACE INTO pause VALUES (1, ?, ?)", [since, until])


def resume(db: Database) -> None:
    db.execute("DELETE FROM pause")
