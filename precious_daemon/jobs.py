"""The named jobs that the schedule, the page and the commands run: store in, a child or pure code, store out."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from precious_daemon import children, handover, jobfolder, propose, scan, verdict
from precious_daemon.errors import ChildFailed, NotFound, PreciousError
from precious_daemon.models import Group, GroupKind, GroupMember, JobRun, PhotoState, Root
from precious_daemon.previews import Previews
from precious_daemon.readers import Ingest
from precious_daemon.service import OWNER, Service
from precious_daemon.store import Database, clusters, groups, job_runs, photos, pictures, roots, scores

log = logging.getLogger(__name__)

BACKBONE = "efficientnet-lite0-224"
Say = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far something under way is."""

    job: str
    what: str
    done: int
    total: int
    started_at: float


class Jobs:
    """Runs named jobs, each at most once at a time, and only one that needs much of the machine."""

    NAMES = ("scan", "embed", "group", "learn", "suggest", "night")

    def __init__(self, service: Service) -> None:
        self._service = service
        self._store, self._clock = service.store, service.clock
        self.ingest = Ingest(service.store, service.settings.ingest, service.clock)
        self.previews = Previews(service.store, service.settings.ingest)
        self.next_run: Callable[[str], float | None] = lambda name: None  # the schedule, where there is one, knows
        self.watcher_warnings: dict[int, str] = {}
        self._tasks: dict[str, asyncio.Task[JobRun]] = {}
        self._progress: dict[str, Progress] = {}
        self._heavy = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None
        self._deadline: float | None = None  # of the night, by time.monotonic

    # --- running -------------------------------------------------------------------------------------------------------

    def start(self, name: str, trigger: str = "owner") -> bool:
        """Run a job in the background. False where it runs already."""
        self._check(name)
        if name in self._tasks:
            return False
        task = self._tasks[name] = asyncio.create_task(self._recorded(name, trigger), name=f"job {name}")
        task.add_done_callback(lambda done: self._ended(name, done))
        return True

    async def run(self, name: str, trigger: str = "owner") -> JobRun:
        """Run a job to its end, or join the run that is under way. What the owner can mend is raised as PreciousError."""
        self.start(name, trigger)
        return await asyncio.shield(self._tasks[name])

    async def stop_job(self, name: str) -> None:
        """Stop a run and wait for it: what it has done so far stays."""
        self._check(name)
        task = self._tasks.get(name)
        if task:
            task.cancel()
            await asyncio.wait([task])

    async def stop(self) -> None:
        """Stop everything that is under way."""
        tasks: list[asyncio.Task[Any]] = list(self._tasks.values())
        if self._reading:
            tasks.append(self._reading)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.previews.stop()

    def progress(self) -> list[Progress]:
        return list(self._progress.values())

    def warnings(self) -> list[str]:
        """What keeps things from going as they should, in words."""
        return [*self.watcher_warnings.values(), *([self.ingest.warning] if self.ingest.warning else [])]

    def _check(self, name: str) -> None:
        if name not in self.NAMES:
            raise NotFound(f'There is no job "{name}". The jobs are {", ".join(self.NAMES)}.')

    def _ended(self, name: str, task: asyncio.Task[JobRun]) -> None:
        self._tasks.pop(name, None)
        if not task.cancelled() and (error := task.exception()):
            log.info("%s: %s", name, error)  # recorded with the run; whoever waits for it gets it raised

    async def _recorded(self, name: str, trigger: str) -> JobRun:
        run_id = await self._store.awrite(job_runs.start, name, trigger, self._clock())
        outcome, detail, error = "failed", "", None
        try:
            detail = await self._one(name)
            outcome = "done"
        except asyncio.CancelledError:
            outcome, detail = "stopped", "stopped before the end; what was done is kept"
            raise
        except PreciousError as exc:
            detail, error = str(exc), type(exc).__name__
            raise
        except Exception as exc:  # the edge of a job
            log.exception("job %s failed", name)
            detail = f"{type(exc).__name__}: {exc}"
            raise
        finally:
            await asyncio.shield(self._store.awrite(job_runs.finish, run_id, outcome, detail, error, self._clock()))
        found = await self._store.aread(job_runs.last, name)
        assert found
        return found

    async def _one(self, name: str) -> str:
        job: Callable[[Say], Awaitable[str]] = getattr(self, f"_{name}")
        started = self._clock()

        def say(what: str, done: int, total: int) -> None:
            self._progress[name] = Progress(name, what, done, total, started)

        try:
            if name in ("scan", "night"):
                return await job(say)
            say("waiting for another job", 0, 0) if self._heavy.locked() else None
            async with self._heavy:
                return await job(say)
        finally:
            self._progress.pop(name, None)

    # --- watching and reading ------------------------------------------------------------------------------------------

    async def _scan(self, say: Say, confirmed: int | None = None) -> str:
        reports = []
        for root in await self._store.aread(roots.all_roots):
            if root.reason != scan.NO_LONGER_WATCHED:
                say(f"looking through {root.path}", 0, 0)
                report = await self.scan_root(root, confirmed=root.id == confirmed)
                reports.append("; ".join([str(report), *report.problems]))
        return "; ".join(reports) or "no folder is watched"

    async def scan_root(
        self, root: Root, hints: Iterable[tuple[str, bool]] = (("", True),), *, confirmed: bool = False
    ) -> scan.ScanReport:
        """Bring the library up to date with the disk, and start reading what is new."""
        stopped = threading.Event()
        try:
            report = await asyncio.to_thread(
                scan.scan, self._store, root, self._service.settings.watch, self._clock, hints,
                confirmed=confirmed, stopped=stopped.is_set,
            )  # fmt: skip
        finally:
            stopped.set()
        self.read_new()
        return report

    async def confirm_root(self, root_id: int) -> None:
        """The owner says that what vanished from a frozen folder was meant to."""
        root = await asyncio.to_thread(scan.confirm_root, self._store, root_id)
        await self.settle_trash()
        await self.scan_root(root, confirmed=True)

    async def settle_trash(self) -> None:
        """A folder is back: finish, or take back, what its absence interrupted."""
        for sentence in await self._service.trash.settle():
            log.warning(sentence)

    def read_new(self) -> None:
        """Read photos that wait, in the background."""
        if self._reading is None or self._reading.done():
            self._progress["ingest"] = Progress("ingest", "reading photos", 0, 0, self._clock())
            self._reading = asyncio.create_task(self._read_new(), name="reading photos")

    async def reading_done(self) -> None:
        """Wait until nothing is being read."""
        if self._reading:
            await asyncio.shield(self._reading)

    async def _read_new(self) -> None:
        started = self._clock()

        def say(what: str, done: int, total: int) -> None:
            self._progress["ingest"] = Progress("ingest", what, done, total, started)

        try:
            if await self.ingest.run(say):
                await self._group_if_stale()
        except Exception:  # the edge of a job: photos that wait are tried again by the next scan
            log.exception("reading photos failed")
        finally:
            self._progress.pop("ingest", None)

    async def _group_if_stale(self) -> None:
        """The first photos, or many new ones, are grouped at once, so that there is something worth asking."""
        present = (await self._store.aread(photos.counts))[PhotoState.PRESENT]
        grouped = await self._store.aread(groups.clustered_count)
        if present - grouped > 0.2 * present and present >= 2:
            self.start("group", "new photos")
            self.start("suggest", "new photos")  # waits for its turn: copies and bursts can be seen to from the first day

    # --- understanding -------------------------------------------------------------------------------------------------

    async def _embed(self, say: Say) -> str:
        with children.job_folder(self._service.places, "embed") as folder:
            wanted = await self._store.aread(handover.write_wanted, BACKBONE, folder)
            if not wanted:
                return "nothing new to look at"
            jobfolder.write_json(folder, "job.json", self._job("embed"))
            whole = await self._child("precious_daemon.learn", folder, say)
            done = await self._keep_embeddings(folder)
        return f"looked at {done} of {wanted} photos" + ("" if whole else "; the rest follows")

    async def _keep_embeddings(self, folder: Path) -> int:
        dimension = jobfolder.read_json(folder, "meta.json")["dimension"]
        done = 0
        for part in _parts(jobfolder.read_embeddings(folder, dimension), 500):
            await self._store.awrite(pictures.put_embeddings, BACKBONE, part)
            done += len(part)
        return done

    async def _group(self, say: Say) -> str:
        blind = ""
        try:
            await self._embed(say)
        except ChildFailed as exc:
            log.warning("photos are grouped by their shapes alone: %s", exc)
            blind = f"; by their shapes alone, because looking at them failed: {exc}"
        with children.job_folder(self._service.places, "group") as folder:
            count = await self._store.aread(handover.write_photos, folder)
            if count < 2:
                return "there are no two photos yet"
            settings = self._service.settings
            job = self._job("group") | {"representatives": settings.ask.train_labels, "clusters": asdict(settings.clusters)}
            jobfolder.write_json(folder, "job.json", job)
            if not await self._child("precious_daemon.grouping", folder, say):
                return "stopped before the end; the groups are as they were"
            clustered = await self._keep_clusters(folder)
            found = [
                Group(GroupKind(g["kind"]), tuple(GroupMember(m["photo_id"], m["best"], m["reason"]) for m in g["members"]))
                for g in jobfolder.read_json(folder, "groups.json")
            ]
            await self._store.awrite(groups.replace_groups, found)
        return f"{count} photos: {clustered}; {len(found)} bursts and groups of copies{blind}"

    async def _keep_clusters(self, folder: Path) -> str:
        """Store what grouping found; what that was, in words."""
        made = jobfolder.read_json(folder, "clusters.json")
        rows = jobfolder.read_clusters(folder)
        if not made["anew"]:
            await self._store.awrite(clusters.add, rows)
            return f"{made['count']} new ones put into the clusters there were"
        discs, model = made.pop("discs"), (folder / "model.npz").read_bytes()
        await self._store.awrite(clusters.replace, rows, made, discs, model, self._clock())
        return f"{made['clusters']} clusters made, because {made['why']}"

    async def _learn(self, say: Say, voter_id: int = OWNER) -> str:
        await self._store.aread(handover.check_enough, voter_id, self._service.settings.ask)
        await self._embed(say)
        now = self._clock()
        run = _run_name(now)
        with children.job_folder(self._service.places, "learn") as folder:
            await self._store.aread(handover.write_photos, folder, voter_id)
            await self._store.aread(handover.write_answers, folder, voter_id)
            limits = self._service.settings.learn
            job = self._job("learn") | {"run": run, "memory_megabytes": limits.memory_megabytes, "threads": limits.threads}
            jobfolder.write_json(folder, "job.json", job)
            await self._child("precious_daemon.learn", folder, say)
            if not (folder / "report.json").exists():
                return "stopped before there was a model; the last one stays"
            report = jobfolder.read_json(folder, "report.json")
            model = self._service.places.models / f"{run}.safetensors"
            await asyncio.to_thread(shutil.move, folder / "model.safetensors", model)
            found = list(jobfolder.read_scores(folder))
            evidence = jobfolder.read_json(folder, "evidence.json")

        def keep(db: Database) -> None:
            scores.replace_scores(db, voter_id, found)
            scores.put_evidence(db, voter_id, evidence)
            scores.add_model(db, run, voter_id, report["champion"], report, now)
            verdict.renew_pool(db, voter_id, self._service.rng, now)

        await self._store.awrite(keep)
        await verdict.refresh(self._service, voter_id)
        return str(report["why"])

    async def _suggest(self, say: Say, voter_id: int = OWNER) -> str:
        say("choosing what to suggest", 0, 0)
        run = _run_name(self._clock())
        count = await propose.propose(self._service, voter_id, run)
        errors = await propose.deliver(self._service, voter_id, run)
        return "; ".join([f"{count} suggestions", *(f"{name}: {error}" for name, error in errors.items() if error)])

    async def _night(self, say: Say) -> str:
        """Everything in its order, within the night's budget. What cannot be done yet does not keep the rest from it."""
        self._deadline = time.monotonic() + self._service.settings.schedule.budget_minutes * 60
        details = []
        try:
            for name in ("scan", "group", "learn", "suggest"):
                say(f"the night's work: {name}", 0, 0)
                try:
                    details.append(f"{name}: {(await self.run(name, 'night')).detail}")
                except PreciousError as exc:
                    details.append(f"{name}: {exc}")
                if name == "scan":
                    await self.reading_done()
        except asyncio.CancelledError:
            for name in self.NAMES[:-1]:
                await self.stop_job(name)
            raise
        finally:
            self._deadline = None
        return " ".join(details)

    def _job(self, task: str) -> dict[str, Any]:
        seconds = None if self._deadline is None else max(1.0, self._deadline - time.monotonic())
        return {
            "task": task,
            "cache_db": str(self._service.places.cache_db),
            "backbone": BACKBONE,
            "seed": 0,
            "seconds": seconds,
            "threads": self._service.settings.learn.threads,
        }

    async def _child(self, module: str, folder: Path, say: Say) -> bool:
        return await children.run_child(module, folder, say)


def _run_name(now: float) -> str:
    """A name that sorts by time: 20260131-020000."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")


def _parts(rows: Iterable[tuple[bytes, bytes]], size: int) -> Iterator[list[tuple[bytes, bytes]]]:
    part: list[tuple[bytes, bytes]] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
