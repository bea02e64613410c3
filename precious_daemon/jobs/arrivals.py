"""Photos come in: folders are looked through, what is new is read, and what seems gone is decided upon."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from precious_daemon.asking import outside
from precious_daemon.config import IngestSettings
from precious_daemon.folders import scan, watched
from precious_daemon.folders.readers import Ingest
from precious_daemon.folders.scan import ScanReport
from precious_daemon.machine.progress import Board, Progress, Say
from precious_daemon.models import Root, UnitState
from precious_daemon.store import roots
from precious_daemon.suggesting import people, telling

if TYPE_CHECKING:
    from precious_daemon.service import Service

log = logging.getLogger(__name__)


class Arrivals:
    """Scans and reading of one library. Reading goes on in the background, however often it is asked for."""

    def __init__(self, service: Service, board: Board, on_new: Callable[[], Awaitable[None]]) -> None:
        """`on_new` is awaited whenever photos were read."""
        self._service = service
        self._store, self._clock = service.store, service.clock
        self._board, self._on_new = board, on_new
        self.ingest = Ingest(service.store, service.settings.ingest, service.clock)
        self.unsettled: Callable[[int, str], None] = lambda root_id, folder: None  # who looks again, once nobody writes there
        self.watcher_warnings: dict[int, str] = {}
        self._reading: asyncio.Task[None] | None = None
        self._more_to_read = False
        self._undecided: set[int] = set()  # roots where photos seem gone, unless they are found among those not yet read

    def use(self, settings: IngestSettings) -> None:
        """Go on with these settings."""
        self.ingest.use(settings)

    def warnings(self) -> list[str]:
        """What keeps photos from coming in as they should, in words."""
        waits = [self.ingest.warning] if self.ingest.warning else []
        return [*self.watcher_warnings.values(), *waits, *self.ingest.readers.notes]

    async def stop(self) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def scan_all(self, say: Say, confirmed: int | None = None) -> str:
        reports = []
        for root in await self._store.aread(roots.all_roots):
            if root.reason != roots.NO_LONGER_WATCHED:
                say(f"looking through {root.path}", 0, 0)
                report = await self.scan_root(root, confirmed=root.id == confirmed)
                reports.append("; ".join([str(report), *report.problems]))
        return "; ".join(reports) or "no folder is watched"

    async def scan_root(
        self, root: Root, hints: Iterable[tuple[str, bool]] = (("", True),), *, confirmed: bool = False
    ) -> ScanReport:
        """Bring the library up to date with the disk, and start reading what is new."""
        stopped = threading.Event()
        try:
            report = await asyncio.to_thread(
                scan.scan, self._store, root, self._service.settings.watch, self._clock, hints,
                confirmed=confirmed, stopped=stopped.is_set,
            )  # fmt: skip
        finally:
            stopped.set()
        for folder in report.unsettled:
            self.unsettled(root.id, folder)
        if report.waiting:
            self._undecided.add(root.id)
        self.read_new()
        return report

    async def confirm_root(self, root_id: int) -> None:
        """The owner says that what vanished from a frozen folder was meant to."""
        root = await asyncio.to_thread(watched.confirm_root, self._store, root_id)
        await self.settle_trash()
        await self.scan_root(root, confirmed=True)

    async def settle_trash(self) -> None:
        """A folder is back: finish, or take back, what its absence interrupted."""
        for sentence in await self._service.trash.settle():
            log.warning(sentence)

    def read_new(self) -> None:
        """Read photos that wait, in the background."""
        if self.ingest.paused:
            return
        self._more_to_read = True
        if self._reading is None or self._reading.done():
            self._board.post(Progress("ingest", "reading photos", 0, 0, self._clock()))
            self._reading = asyncio.create_task(self._read_new(), name="reading photos")

    async def reading_done(self) -> None:
        """Wait until nothing is being read."""
        if self._reading:
            await asyncio.shield(self._reading)

    async def _read_new(self) -> None:
        started = self._clock()

        def say(what: str, done: int, total: int) -> None:
            self._board.post(Progress("ingest", what, done, total, started))

        try:
            while self._more_to_read:  # a scan may find more just as the last one is read
                self._more_to_read = False
                read = await self.ingest.run(say)
                await self._pair_anew()
                if read and not self.ingest.paused:
                    await self._decide_what_is_gone()
                    await self._on_new()
            if not self.ingest.paused:
                await self._listen()
        except Exception:  # the edge of a job: photos that wait are tried again by the next scan
            log.exception("reading photos failed")
        finally:
            self._board.wipe("ingest")

    async def _pair_anew(self) -> None:
        """Photos, videos and RAW files were looked into: see again which of them belong together."""
        hints: dict[int, set[tuple[str, bool]]] = {}
        while self.ingest.paired_anew:
            root_id, folder = self.ingest.paired_anew.pop()
            hints.setdefault(root_id, set()).add((folder, False))
        for root_id, places in hints.items():
            await self.scan_root(await self._store.aread(roots.get, root_id), places)

    async def _decide_what_is_gone(self) -> None:
        undecided, self._undecided = self._undecided, set()
        for root_id in undecided:
            await self.scan_root(await self._store.aread(roots.get, root_id))

    async def _listen(self) -> None:
        """What was said with other programs meanwhile."""
        heard = await asyncio.to_thread(outside.listen, self._store, people.OWNER, self._service.settings.outside, self._clock())
        if heard != outside.Heard():
            log.info("said with other programs: %s", heard)
        await self._look_into_trash()

    async def _look_into_trash(self) -> None:
        """What the owner did in the trash with other programs: a photo that is brought back is one to keep."""
        back: dict[int, list[int]] = {}
        for unit in await self._service.trash.notice():
            if unit.state is UnitState.PURGED:
                log.warning("photo %d was removed for good %s", unit.photo_id, unit.error)
                continue
            back.setdefault(unit.voter_id, []).append(unit.photo_id)
            if self._service.settings.outside.restored:
                await self._store.awrite(outside.brought_back, unit.voter_id, unit.photo_id, self._clock())
        for voter_id, ids in back.items():
            await telling.tell(self._service, "restored", voter_id, ids)
