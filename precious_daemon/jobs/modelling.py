"""The models of a night: of each person's taste, of their own tasks, and of all their comparisons together.

Loaded once there is something to learn: a service at rest holds nothing of it.
"""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from precious_daemon.asking import ledger
from precious_daemon.errors import ChildFailed, NotEnoughAnswers, PreciousError
from precious_daemon.jobs import runs
from precious_daemon.machine.progress import Say
from precious_daemon.models import Voter
from precious_daemon.store import Database, answers, ratings, scores, tasks, voters
from precious_daemon.suggesting import verdict
from precious_daemon.words import language, papers
from precious_daemon.work import children, handover, jobfolder

if TYPE_CHECKING:
    from precious_daemon.jobs.nightwork import Nightwork
    from precious_daemon.service import Service


class Modelling:
    """Stations of the night that learn from answers."""

    def __init__(self, service: Service, night: Nightwork) -> None:
        self._service, self._night = service, night
        self._store, self._clock = service.store, service.clock

    async def learn(self, say: Say) -> str:
        """For everybody who has answered enough. Whose model is oldest comes first, so that each gets a share of the night."""
        everybody = await self._store.aread(_longest_waiting)
        ready, missing = [], []
        for voter in everybody:
            try:
                await self._store.astudy(handover.check_enough, voter.id, self._service.settings.ask)
                ready.append(voter)
            except NotEnoughAnswers as exc:
                missing.append((voter, exc))
        if not ready:
            raise missing[0][1] if len(missing) == 1 else NotEnoughAnswers(runs.of_each(missing))
        await self._night.embed(say)
        told: list[tuple[Voter, object]] = []
        for left, voter in zip(range(len(ready), 0, -1), ready, strict=True):
            try:
                told.append((voter, await self._learn_one(say, voter, left)))
            except PreciousError as exc:  # what ails one model does not keep the others from being made
                if len(ready) == 1:
                    raise
                told.append((voter, exc))
        return runs.of_each(told) if len(everybody) > 1 else str(told[0][1])

    async def _learn_one(self, say: Say, voter: Voter, share: int) -> str:
        """Within one of so many shares of what is left of the night."""
        now, voter_id = self._clock(), voter.id
        run = runs.name(now, voter_id)
        with children.job_folder(self._service.places, "learn") as folder:
            await self._store.astudy(handover.write_photos, folder, voter_id)
            await self._store.astudy(handover.write_answers, folder, voter_id)
            await self._store.astudy(handover.write_numbers, folder, self._service.plugins.having("features"))
            taught_until = self._clock()  # what is said from here on, this model does not know
            limits = self._service.settings.learn
            tag = language.away(self._service.settings.web.language)
            job = await self._night.features("learn", share) | {
                "run": run,
                "at": now,
                "voter": voter.name,
                "language": tag,
                "nights": await self._store.aread(handover.nights, voter_id),
                "looking": self._night.looking,
                "memory_megabytes": limits.memory_megabytes,
                "threads": limits.threads,
            }
            jobfolder.write_json(folder, "job.json", job)
            await self._night.child("precious_daemon.learn", folder, say)
            if not (folder / "report.json").exists():
                return "stopped before there was a model; the last one stays"
            report = jobfolder.read_json(folder, "report.json")
            model = self._service.places.models / f"{run}.safetensors"
            await asyncio.to_thread(shutil.move, folder / "model.safetensors", model)
            for old in papers.oldest(model.parent):
                old.unlink(missing_ok=True)
            evidence = jobfolder.read_json(folder, "evidence.json")
            made = await asyncio.to_thread(papers.collect, folder)

            def keep(db: Database) -> None:
                scores.replace_scores(db, voter_id, jobfolder.read_scores(folder))
                scores.put_evidence(db, voter_id, evidence)
                before = scores.newest_model(db, voter_id)
                scores.add_model(db, run, voter_id, report["champion"], report, taught_until)
                turned = _steady(before["report"] if before else {}) and not _steady(report)
                verdict.renew_pool(db, voter_id, self._service.rng, now, anew=turned)

            await self._store.awrite(keep)
        self._night.looking = {}
        self._night.instant.forget(voter_id)
        await verdict.refresh(self._service, voter_id)
        said = " ".join(await self._store.aread(verdict.sentences, voter_id))
        await asyncio.to_thread(papers.keep, self._service.places.nights, run, made, said, tag)
        return str(report["why"])

    async def adopt(self, say: Say, voter_id: int, file: Path) -> str:
        """Score every photo by a model from elsewhere, until the next night makes one; what it is, in a sentence."""
        await self._night.embed(say)
        now = self._clock()
        run = runs.name(now, voter_id)
        with children.job_folder(self._service.places, "apply") as folder:
            try:
                await asyncio.to_thread(shutil.copyfile, file, folder / "model.safetensors")
            except OSError as exc:
                raise PreciousError(f"{file} cannot be read: {exc.strerror}. Nothing was changed.") from exc
            await self._store.astudy(handover.write_photos, folder)
            jobfolder.write_json(folder, "job.json", await self._night.features("apply") | {"run": run, "came_from": file.name})
            if not await self._night.child("precious_daemon.learn", folder, say):
                return "stopped before every photo was scored; the last model stays"
            report = jobfolder.read_json(folder, "report.json")
            await asyncio.to_thread(shutil.move, folder / "model.safetensors", self._service.places.models / f"{run}.safetensors")

            def keep(db: Database) -> None:
                scores.replace_scores(db, voter_id, jobfolder.read_scores(folder))
                scores.put_evidence(db, voter_id, {})
                scores.add_model(db, run, voter_id, report["champion"], report, now)
                verdict.renew_pool(db, voter_id, self._service.rng, now)

            await self._store.awrite(keep)
        await verdict.refresh(self._service, voter_id)
        return str(report["why"])

    async def sort(self, say: Say) -> str:
        """Learn the owner's own label sets, each from what each voter said of it."""
        work = [
            (task, voter, said)
            for task in await self._store.aread(tasks.everything)
            for voter in await self._store.aread(voters.active)
            if (said := await self._store.astudy(tasks.labels, task.id, voter.id))
        ]
        if not work:
            return "no task of your own has answers yet"
        await self._night.embed(say)
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
            await self._store.astudy(handover.write_photos, folder)
            jobfolder.write_labels(folder, [])
            jobfolder.write_votes(folder, [])
            await self._store.astudy(handover.write_numbers, folder, self._service.plugins.having("features"))
            jobfolder.write_json(folder, "classes.json", list(said.items()))
            jobfolder.write_json(folder, "job.json", await self._night.features("sort"))
            await self._night.child("precious_daemon.learn", folder, say)
            report = jobfolder.read_json(folder, "report.json")

            def keep(db: Database) -> None:
                found = jobfolder.read_scores(folder)
                tasks.replace_scores(db, task_id, voter_id, ((s.photo_id, int(s.taste), s.keep) for s in found))
                tasks.put_report(db, task_id, voter_id, report)

            await self._store.awrite(keep)
        return str(report["sentence"])

    async def rate(self, say: Say) -> str:
        everybody = await self._store.aread(voters.active)
        compared = [v for v in everybody if await self._store.aread(answers.vote_count, v.id)] or everybody[:1]
        told = [(voter, await self._rate_one(say, voter.id)) for voter in compared]
        return runs.of_each(told) if len(everybody) > 1 else told[0][1]

    async def _rate_one(self, say: Say, voter_id: int) -> str:
        """Weigh all votes at once, and guess what the photos without votes are worth."""
        with children.job_folder(self._service.places, "rate") as folder:
            through, count = await self._store.astudy(handover.write_comparisons, folder, voter_id)
            await self._store.astudy(handover.write_photos, folder)
            jobfolder.write_json(folder, "job.json", await self._night.job("rate") | {"voter": voter_id})
            await self._night.child("precious_daemon.learn.refit", folder, say)
            report = jobfolder.read_json(folder, "fit.json")
            found = await asyncio.to_thread(lambda: dict(jobfolder.read_ratings(folder, "ratings.bin")))
            if (folder / "guesses.bin").exists():
                for part in runs.parts(jobfolder.read_ratings(folder, "guesses.bin"), 10_000):
                    await self._store.awrite(ratings.put_guesses, voter_id, part)

        def keep(db: Database) -> None:
            report["used"] = report["used"] and count > 0 and ledger.fitted(db, voter_id, through, count, found)
            ratings.put_report(db, voter_id, report)

        await self._store.awrite(keep)
        return _weighed(report)


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


def _longest_waiting(db: Database) -> list[Voter]:
    """Whose newest model is oldest comes first."""
    return sorted(voters.active(db), key=lambda voter: (scores.newest_model(db, voter.id) or {"at": 0.0})["at"])


def _steady(report: Mapping[str, Any]) -> bool:
    """Whether the owner's answers had not changed over time, as far as the report of a model tells."""
    return not (report.get("drift") or {}).get("half_life")
