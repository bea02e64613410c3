"""The model for now: a helper process that follows each answer, started on demand, and ended when nobody answers any more."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from precious_daemon.config import Places
from precious_daemon.models import TRAINING
from precious_daemon.store import Database, Store, answers, pictures
from precious_daemon.work import handover, jobfolder

log = logging.getLogger(__name__)

IDLE = 120.0  # seconds without an answer, after which the helper ends
STARTING = 60.0  # seconds that the helper may take to read the library, and to answer


@dataclass(frozen=True, slots=True)
class Guess:
    """What the helper makes of the answers so far."""

    answers: int
    photos: int
    to_go: int | None  # photos likelier to go than not; None while a class has fewer than two answers
    ask: tuple[int, ...]  # ids of photos whose answer would tell most
    sure: tuple[int, ...]  # ids of the likeliest to go


class Instant:
    """One helper, for one voter after the other. What it says is kept in memory only: the night's model makes it out of date."""

    def __init__(self, store: Store, places: Places, job: Callable[[], Awaitable[dict[str, Any]]], idle: float = IDLE) -> None:
        self._store, self._places, self._job, self._idle = store, places, job, idle
        self._guesses: dict[int, Guess] = {}
        self._waiting: set[int] = set()  # voters whose answers have not been looked at yet
        self._task: asyncio.Task[None] | None = None
        self._news, self._idle_now = asyncio.Event(), asyncio.Event()

    def guess(self, voter_id: int) -> Guess | None:
        return self._guesses.get(voter_id)

    def forget(self, voter_id: int) -> None:
        """A better model is there."""
        self._guesses.pop(voter_id, None)

    def answered(self, voter_id: int) -> None:
        """Look at this voter's answers anew, in the background; answers in between are looked at together."""
        self._waiting.add(voter_id)
        self._news.set()
        self._idle_now.clear()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow(), name="the model for now")

    async def settled(self) -> None:
        """Wait until the newest answer has been looked at, or the helper has ended."""
        await self._idle_now.wait()

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _follow(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="instant-", dir=self._places.jobs))
        try:
            if not any([await self._store.aread(_enough, voter_id) for voter_id in list(self._waiting)]):
                return
            await self._store.astudy(handover.write_photos, folder)
            jobfolder.write_labels(folder, [])
            jobfolder.write_votes(folder, [])
            jobfolder.write_json(folder, "job.json", await self._job())
            await self._talk(folder)
        except (OSError, TimeoutError, ValueError) as exc:
            log.warning("there is no model for now: %s", exc or type(exc).__name__)
        finally:
            self._waiting.clear()
            self._news.clear()
            self._idle_now.set()
            await asyncio.to_thread(shutil.rmtree, folder, True)

    async def _talk(self, folder: Path) -> None:
        with open(folder / "child.log", "wb") as complaints:
            helper = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "precious_daemon.learn.instant", str(folder),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=complaints,
                env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}, start_new_session=True,
            )  # fmt: skip
        assert helper.stdin is not None
        assert helper.stdout is not None
        try:
            await _line(helper.stdout)
            while True:
                await asyncio.wait_for(self._news.wait(), self._idle)
                self._news.clear()
                while self._waiting:
                    voter_id = self._waiting.pop()
                    labels = await self._store.aread(_labels, voter_id)
                    helper.stdin.write(json.dumps(labels).encode() + b"\n")
                    found = await _line(helper.stdout)
                    self._guesses[voter_id] = Guess(
                        found["answers"], found["photos"], found["to_go"], tuple(found["ask"]), tuple(found["sure"])
                    )
                if not self._news.is_set():
                    self._idle_now.set()
        except TimeoutError:
            log.debug("nobody answers any more")
        finally:
            helper.stdin.close()
            with suppress(ProcessLookupError):
                helper.kill()  # it has nothing to lose
            await helper.wait()


def _labels(db: Database, voter_id: int) -> list[tuple[int, bool]]:
    """Audits judge models and may never shape one, and test answers confirm the night's."""
    return [(x.photo_id, x.keep) for x in answers.labels(db, voter_id) if x.purpose in TRAINING]


def _enough(db: Database, voter_id: int) -> bool:
    """Two answers of each kind, and photos that a network has looked at: else there is nothing to start a helper for."""
    said = [keep for _, keep in _labels(db, voter_id)]
    return min(said.count(True), said.count(False)) >= 2 and pictures.any_embedding(db)


async def _line(stream: asyncio.StreamReader) -> dict[str, Any]:
    line = await asyncio.wait_for(stream.readline(), STARTING)
    if not line:
        raise ValueError("its helper ended")
    found: dict[str, Any] = json.loads(line)
    return found
