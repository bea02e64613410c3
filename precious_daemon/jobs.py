"""The named jobs that the schedule, the page and the commands run: store in, a child or pure code, store out."""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from precious_daemon import (
    children,
    handover,
    jobfolder,
    joblog,
    lean,
    ledger,
    outside,
    papers,
    people,
    propose,
    scan,
    telling,
    verdict,
)
from precious_daemon.children import Allowance
from precious_daemon.config import IngestSettings
from precious_daemon.errors import ChildFailed, NotEnoughAnswers, NotFound, PreciousError
from precious_daemon.instant import Instant
from precious_daemon.models import Group, GroupKind, GroupMember, JobRun, Pause, PhotoState, Root, Voter
from precious_daemon.previews import Previews
from precious_daemon.readers import Ingest
from precious_daemon.service import Service
from precious_daemon.store import (
    Database,
    answers,
    clusters,
    groups,
    job_runs,
    photos,
    pictures,
    ratings,
    roots,
    scores,
    tasks,
    voters,
)

log = logging.getLogger(__name__)

BACKBONE = "efficientnet-lite2-260"
Say = Callable[[str, int, int], None]
BY_THEMSELVES = ("schedule", "catch-up", "new photos")  # triggers that a pause holds back
LOOK_AGAIN = 30.0  # seconds: how far past its end a pause may last where the machine slept or its clock was set
T = TypeVar("T")


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

    NAMES = ("scan", "embed", "group", "learn", "sort", "rate", "suggest", "night")

    def __init__(self, service: Service) -> None:
        self._service = service
        self._store, self._clock = service.store, service.clock
        self.ingest = Ingest(service.store, service.settings.ingest, service.clock)
        self.previews = Previews(service.store, service.settings.ingest)
        self.instant = Instant(service.store, service.places, lambda: self._features("instant"))
        self.pause_ends: Callable[[], Awaitable[None]] | None = None  # the schedule makes up for what it missed
        self.paused: Pause | None = None
        self._resuming: asyncio.Task[None] | None = None
        self._triggers: dict[str, str] = {}
        self.waiting: dict[str, str] = {}  # jobs that are due, and what they wait for
        self.next_run: Callable[[str], float | None] = lambda name: None  # the schedule, where there is one, knows
        self.unsettled: Callable[[int, str], None] = lambda root_id, folder: None  # who looks again, once nobody writes there
        self.watcher_warnings: dict[int, str] = {}
        self._tasks: dict[str, asyncio.Task[JobRun]] = {}
        self._progress: dict[str, Progress] = {}
        self._heavy = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None
        self._more_to_read = False
        self._undecided: set[int] = set()  # roots where photos seem gone, unless they are found among those not yet read
        self._deadline: float | None = None  # of the night, by time.monotonic
        self._allowance: Allowance | None = None  # of the night: what its processes may take
        joblog.install()

    def use(self, settings: IngestSettings) -> None:
        """Go on with these settings; everything else is looked up when it is needed."""
        self.ingest.use(settings)
        self.previews.use(settings)

    # --- running -------------------------------------------------------------------------------------------------------

    def start(self, name: str, trigger: str = "owner") -> bool:
        """Run a job in the background. False where it runs already, or starts by itself while the owner wants a pause."""
        self._check(name)
        if name in self._tasks or (self.paused and self._by_itself(trigger)):
            return False
        self._triggers[name] = trigger
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
        tasks: list[asyncio.Task[Any]] = [*self._tasks.values(), *filter(None, (self._reading, self._resuming))]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.instant.stop()
        await self.previews.stop()

    def is_running(self, name: str) -> bool:
        return name in self._tasks

    def began_by_itself(self, name: str) -> bool:
        """Whether the run under way is the schedule's, not the owner's."""
        return self.is_running(name) and self._by_itself(self._triggers[name])

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
        lean.give_back()
        if not task.cancelled() and (error := task.exception()):
            log.info("%s: %s", name, error)  # recorded with the run; whoever waits for it gets it raised

    async def _recorded(self, name: str, trigger: str) -> JobRun:
        begun = asyncio.ensure_future(self._store.awrite(job_runs.start, name, trigger, self._clock()))
        outcome, detail, error = "failed", "", None
        with joblog.kept() as lines:
            try:
                await asyncio.shield(begun)  # one that is stopped at once is recorded, too
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
                end = outcome, detail, error, self._clock(), "\n".join(lines)
                await asyncio.shield(self._finish(begun, *end))
        found = await self._store.aread(job_runs.last, name)
        assert found
        return found

    async def _finish(self, begun: Awaitable[int], outcome: str, detail: str, error: str | None, now: float, text: str) -> None:
        await self._store.awrite(job_runs.finish, await begun, outcome, detail, error, now, text)

    async def _one(self, name: str) -> str:
        job: Callable[[Say], Awaitable[str]] = getattr(self, f"_{name}")
        started = self._clock()

        def say(what: str, done: int, total: int) -> None:
            before = self._progress.get(name)
            if before is None or before.what != what:
                joblog.note(what)
            self._progress[name] = Progress(name, what, done, total, started)

        try:
            if name in ("scan", "night"):
                return await job(say)
            say("waiting for another job", 0, 0) if self._heavy.locked() else None
            async with self._heavy:
                return await job(say)
        finally:
            self._progress.pop(name, None)

    # --- the pause -----------------------------------------------------------------------------------------------------

    async def recall_pause(self) -> None:
        """After a start: go on pausing, where the owner wanted that."""
        self._set_pause(await self._store.aread(job_runs.paused, self._clock()))

    async def pause(self, until: float | None) -> Pause:
        """Read nothing new and start no scheduled job until then, or until `resume`.

        Photos being read are finished; jobs that started by themselves are stopped, and what they have done is kept.
        """
        pause = Pause(self._clock(), until)
        await self._store.awrite(job_runs.pause, pause.since, until)
        self._set_pause(pause)
        for name in [name for name in self._tasks if self._by_itself(self._triggers[name])]:
            await self.stop_job(name)
        return pause

    async def resume(self) -> None:
        """Go on, and make up for what was held back."""
        await self._store.awrite(job_runs.resume)
        self._set_pause(None)
        self.read_new()
        if self.pause_ends:
            await self.pause_ends()

    def _by_itself(self, trigger: str) -> bool:
        return trigger in BY_THEMSELVES or (trigger == "night" and self._triggers.get("night") in BY_THEMSELVES)

    def _set_pause(self, pause: Pause | None) -> None:
        self.paused, self.ingest.paused = pause, pause is not None
        if self._resuming and self._resuming is not asyncio.current_task():
            self._resuming.cancel()
        self._resuming = None
        if pause and pause.until is not None:
            self._resuming = asyncio.create_task(self._resume_at(pause.until), name="end of the pause")

    async def _resume_at(self, moment: float) -> None:
        while (left := moment - self._clock()) > 0:
            await asyncio.sleep(min(left, LOOK_AGAIN))
        await self.resume()

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
        for folder in report.unsettled:
            self.unsettled(root.id, folder)
        if report.waiting:
            self._undecided.add(root.id)
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
        if self.paused:
            return
        self._more_to_read = True
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
            while self._more_to_read:  # a scan may find more just as the last one is read
                self._more_to_read = False
                read = await self.ingest.run(say)
                await self._pair_anew()
                if read and not self.paused:
                    await self._decide_what_is_gone()
                    await self._group_if_stale()
            if not self.paused:
                await self._listen()
        except Exception:  # the edge of a job: photos that wait are tried again by the next scan
            log.exception("reading photos failed")
        finally:
            self._progress.pop("ingest", None)

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
            if whole:
                await self._store.awrite(pictures.forget_other_backbones, BACKBONE)
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
            preferred = self._service.settings.groups.prefer_folders
            count = await self._store.aread(handover.write_photos, folder, None, people.OWNER, preferred)
            if count < 2:
                return "there are no two photos yet"
            settings = self._service.settings
            job = await self._features("group") | {
                "representatives": settings.ask.train_labels,
                "clusters": asdict(settings.clusters),
                "worker_megabytes": settings.ingest.worker_megabytes,
            }
            jobfolder.write_json(folder, "job.json", job)
            if not await self._child("precious_daemon.grouping", folder, say):
                return "stopped before the end; the groups are as they were"
            clustered = await self._keep_clusters(folder)
            found = [
                Group(GroupKind(g["kind"]), tuple(GroupMember(m["photo_id"], m["best"], m["reason"]) for m in g["members"]))
                for g in jobfolder.read_json(folder, "groups.json")
            ]
            await self._store.awrite(groups.replace_groups, found)
            await self._store.awrite(_keep_findings, folder)
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

    async def _learn(self, say: Say) -> str:
        """For everybody who has answered enough. Whose model is oldest comes first, so that each gets a share of the night."""
        everybody = await self._store.aread(_longest_waiting)
        ready, missing = [], []
        for voter in everybody:
            try:
                await self._store.aread(handover.check_enough, voter.id, self._service.settings.ask)
                ready.append(voter)
            except NotEnoughAnswers as exc:
                missing.append((voter, exc))
        if not ready:
            raise missing[0][1] if len(missing) == 1 else NotEnoughAnswers(_of_each(missing))
        await self._embed(say)
        told: list[tuple[Voter, object]] = []
        for left, voter in zip(range(len(ready), 0, -1), ready, strict=True):
            try:
                told.append((voter, await self._learn_one(say, voter, left)))
            except PreciousError as exc:  # what ails one model does not keep the others from being made
                if len(ready) == 1:
                    raise
                told.append((voter, exc))
        return _of_each(told) if len(everybody) > 1 else str(told[0][1])

    async def _learn_one(self, say: Say, voter: Voter, share: int) -> str:
        """Within one of so many shares of what is left of the night."""
        now, voter_id = self._clock(), voter.id
        run = _run_name(now, voter_id)
        with children.job_folder(self._service.places, "learn") as folder:
            await self._store.aread(handover.write_photos, folder, voter_id)
            await self._store.aread(handover.write_answers, folder, voter_id)
            limits = self._service.settings.learn
            job = await self._features("learn", share) | {
                "run": run,
                "at": now,
                "voter": voter.name,
                "nights": await self._store.aread(handover.nights, voter_id),
                "memory_megabytes": limits.memory_megabytes,
                "threads": limits.threads,
            }
            jobfolder.write_json(folder, "job.json", job)
            await self._child("precious_daemon.learn", folder, say)
            if not (folder / "report.json").exists():
                return "stopped before there was a model; the last one stays"
            report = jobfolder.read_json(folder, "report.json")
            model = self._service.places.models / f"{run}.safetensors"
            await asyncio.to_thread(shutil.move, folder / "model.safetensors", model)
            found = list(jobfolder.read_scores(folder))
            evidence = jobfolder.read_json(folder, "evidence.json")
            made = papers.collect(folder)

        def keep(db: Database) -> None:
            scores.replace_scores(db, voter_id, found)
            scores.put_evidence(db, voter_id, evidence)
            scores.add_model(db, run, voter_id, report["champion"], report, now)
            verdict.renew_pool(db, voter_id, self._service.rng, now)

        await self._store.awrite(keep)
        self.instant.forget(voter_id)
        await verdict.refresh(self._service, voter_id)
        _, sentence, _ = await self._store.aread(scores.certificate, voter_id)
        await asyncio.to_thread(papers.keep, self._service.places.nights, run, made, sentence)
        return str(report["why"])

    async def _sort(self, say: Say) -> str:
        """Learn the owner's own label sets, each from what each voter said of it."""
        work = [
            (task, voter, said)
            for task in await self._store.aread(tasks.everything)
            for voter in await self._store.aread(voters.active)
            if (said := await self._store.aread(tasks.labels, task.id, voter.id))
        ]
        if not work:
            return "no task of your own has answers yet"
        await self._embed(say)
        told = []
        for task, voter, said in work:
            try:
                sentence = await self._sort_one(say, task.id, voter.id, said)
            except ChildFailed as exc:  # one that has too few answers does not keep the others from being learned
                sentence = str(exc)
            told.append(f"{task.name}: {sentence}")
        return "; ".join(told)

    async def _sort_one(self, say: Say, task_id: int, voter_id: int, said: dict[int, int]) -> str:
        with children.job_folder(self._service.places, "sort") as folder:
            await self._store.aread(handover.write_photos, folder)
            jobfolder.write_labels(folder, [])
            jobfolder.write_votes(folder, [])
            jobfolder.write_json(folder, "classes.json", list(said.items()))
            jobfolder.write_json(folder, "job.json", await self._features("sort"))
            await self._child("precious_daemon.learn", folder, say)
            report = jobfolder.read_json(folder, "report.json")
            found = list(jobfolder.read_scores(folder))

        def keep(db: Database) -> None:
            tasks.replace_scores(db, task_id, voter_id, ((s.photo_id, int(s.taste), s.keep) for s in found))
            tasks.put_report(db, task_id, voter_id, report)

        await self._store.awrite(keep)
        return str(report["sentence"])

    async def _rate(self, say: Say) -> str:
        everybody = await self._store.aread(voters.active)
        compared = [v for v in everybody if await self._store.aread(answers.vote_count, v.id)] or everybody[:1]
        told = [(voter, await self._rate_one(say, voter.id)) for voter in compared]
        return _of_each(told) if len(everybody) > 1 else told[0][1]

    async def _rate_one(self, say: Say, voter_id: int) -> str:
        """Weigh all votes at once, and guess what the photos without votes are worth."""
        with children.job_folder(self._service.places, "rate") as folder:
            through, count = await self._store.aread(handover.write_comparisons, folder, voter_id)
            await self._store.aread(handover.write_photos, folder)
            jobfolder.write_json(folder, "job.json", self._job("rate") | {"voter": voter_id})
            await self._child("precious_daemon.refit", folder, say)
            report = jobfolder.read_json(folder, "fit.json")
            found = dict(jobfolder.read_ratings(folder, "ratings.bin"))
            if (folder / "guesses.bin").exists():
                for part in _parts(jobfolder.read_ratings(folder, "guesses.bin"), 10_000):
                    await self._store.awrite(ratings.put_guesses, voter_id, part)

        def keep(db: Database) -> None:
            report["used"] = report["used"] and count > 0 and ledger.fitted(db, voter_id, through, count, found)
            ratings.put_report(db, voter_id, report)

        await self._store.awrite(keep)
        return _weighed(report)

    async def _suggest(self, say: Say) -> str:
        say("choosing what to suggest", 0, 0)
        run = _run_name(self._clock())
        everybody = await self._store.aread(voters.active)
        told = [(voter, f"{await propose.propose(self._service, voter.id, run)} suggestions") for voter in everybody]
        errors = await telling.deliver(self._service, people.OWNER, run)
        made = _of_each(told) if len(everybody) > 1 else told[0][1]
        return "; ".join([made, *(f"{name}: {error}" for name, error in errors.items())])

    async def _night(self, say: Say) -> str:
        """Everything in its order, within the night's budget. What cannot be done yet does not keep the rest from it."""
        limits = self._service.settings.schedule
        self._deadline = time.monotonic() + limits.budget_minutes * 60
        self._allowance = Allowance(limits.cpu_minutes * 60 or None, limits.memory_megabytes * 1e6 or None)
        details = []
        try:
            for name in ("scan", "group", "learn", "sort", "rate", "suggest"):
                if name in ("group", "learn", "sort", "rate") and self._allowance.spent:
                    details.append(f"{name}: left for the next night, this one's processor time is used up")
                    continue
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
            self._deadline = self._allowance = None
        return " ".join(details)

    def _job(self, task: str, share: int = 1) -> dict[str, Any]:
        """What a child has to know. Of what is left of the night it gets one of so many shares."""
        seconds = None if self._deadline is None else max(1.0, (self._deadline - time.monotonic()) / share)
        return {
            "task": task,
            "cache_db": str(self._service.places.cache_db),
            "backbone": BACKBONE,
            "seed": 0,
            "seconds": seconds,
            "threads": self._service.settings.learn.threads,
        }

    async def _features(self, task: str, share: int = 1) -> dict[str, Any]:
        """A job on the features of the network that has seen most photos: a new one needs some nights to see them all."""
        return self._job(task, share) | {"backbone": await self._store.aread(pictures.backbone_in_use, BACKBONE)}

    async def _child(self, module: str, folder: Path, say: Say) -> bool:
        return await children.run_child(module, folder, say, self._allowance)


def _weighed(report: dict[str, Any]) -> str:
    """What came of weighing all votes at once, in words."""
    if not report["votes"]:
        return "there are no comparisons yet"
    said = f"{report['votes']:,} comparisons weighed together for {report['photos']:,} photos"
    if report["fit"] is not None:
        better, chance = ("better" if report["fit"] < report["one_by_one"] else "worse"), math.exp(-report["fit"])
        said += f"; foretells the newest {report['held_out']} at {chance:.0%} each, {better} than one after another"
    said += f"; what photos look like explains {report['share']:.0%} of your taste" if report["share"] else ""
    return said + ("" if report["used"] else "; not used, the ratings stay as they were")


def _keep_findings(db: Database, folder: Path) -> None:
    """What the grouping child need not find out again."""
    compared = (content for content, _ in jobfolder.read_records(folder, "compared.bin"))
    groups.keep_twins(db, jobfolder.read_twins(folder), compared)
    groups.keep_details(db, jobfolder.read_records(folder, "details.bin", jobfolder.DETAIL_BYTES))


def _run_name(now: float, voter_id: int = people.OWNER) -> str:
    """A name that sorts by time: 20260131-020000, and 20260131-020000-2 for the second voter."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S") + (f"-{voter_id}" if voter_id != people.OWNER else "")


def _longest_waiting(db: Database) -> list[Voter]:
    """Whose newest model is oldest comes first."""
    return sorted(voters.active(db), key=lambda voter: (scores.newest_model(db, voter.id) or {"at": 0.0})["at"])


def _of_each(told: Iterable[tuple[Voter, object]]) -> str:
    return "; ".join(f"{voter.name}: {what}" for voter, what in told)


def _parts(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    part: list[T] = []
    for row in rows:
        part.append(row)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
