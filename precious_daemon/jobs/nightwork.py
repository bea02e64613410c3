"""What the service works out about the library, one station after another: store in, a child or pure code, store out."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from precious_daemon.asking import outside  # fmt: skip
from precious_daemon.asking.instant import Instant
from precious_daemon.errors import ChildFailed
from precious_daemon.jobs import (
    networks,  # fmt: skip
    runs,  # fmt: skip
)
from precious_daemon.machine.progress import Say
from precious_daemon.models import Group, GroupKind, GroupMember
from precious_daemon.plugins import in_words
from precious_daemon.store import Database, clusters, groups, numbers, pictures, voters
from precious_daemon.store import outside as heard_elsewhere
from precious_daemon.suggesting import (
    people,  # fmt: skip
    plugin_photos,  # fmt: skip
    telling,  # fmt: skip
)
from precious_daemon.work import (
    children,  # fmt: skip
    handover,  # fmt: skip
    jobfolder,  # fmt: skip
)
from precious_daemon.work.children import Allowance

if TYPE_CHECKING:
    from precious_daemon.jobs.modelling import Modelling
    from precious_daemon.service import Service

log = logging.getLogger(__name__)

BACKBONE = networks.BUILT_IN


@dataclass(frozen=True, slots=True)
class Budget:
    """What one night may take."""

    deadline: float  # by time.monotonic
    allowance: Allowance

    @property
    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()


class Nightwork:
    """The stations of a night, each of which can be had alone, by day."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._store, self._clock = service.store, service.clock
        self.budget: Budget | None = None  # of the night, while there is one
        self.looking: dict[str, float] = {}  # what looking at photos has cost since a model was made last
        self.instant = Instant(service.store, service.places, lambda: self.features("instant"))

    async def listen(self, say: Say) -> str:
        """Ask plugins what the owner said of photos with other programs: that is an answer, too."""
        if not self._service.settings.outside.plugins or not self._service.plugins.having("said"):
            return "no plugin is asked what you said with other programs"
        say("asking plugins what you said with other programs", 0, 0)
        changed, errors = await asyncio.to_thread(self._heard)
        return "; ".join([_changed(changed), *errors])

    def _heard(self) -> tuple[int, list[str]]:
        """(answers that came or went, what ails plugins)"""
        now, plugins = self._clock(), self._service.plugins
        before = {name: self._store.read(heard_elsewhere.heard_until, name) for name in plugins.having("said")}
        failed: dict[str, Exception] = {}
        changed = 0
        for name, said, error in plugins.said(plugin_photos.in_parts(self._store)):
            changed += self._store.write(outside.take_over, people.OWNER, name, said, before[name], now)
            failed |= {name: error} if error else {}
        for name in before.keys() - failed.keys():
            self._store.write(heard_elsewhere.hear_on, name, now)
        return changed, [f"{name}: {in_words(error)}" for name, error in failed.items()]

    async def embed(self, say: Say) -> str:
        """Look at what is new: our network, and plugins that measure photos."""
        looked = await self._look(say)
        return "; ".join(filter(None, [looked, await self._measure(say)]))

    async def _measure(self, say: Say) -> str:
        """Have plugins measure what they have not yet, and say so where there was anything."""
        plugins, settings = self._service.plugins, self._service.settings
        marks = {name: plugins.mark(name) for name in plugins.having("features")}
        if not marks:
            return ""
        with children.job_folder(self._service.places, "measure") as folder:
            count = await self._store.astudy(plugin_photos.write_unmeasured, folder, marks)
            if not count:
                return ""
            tables = {name: dict(settings.plugin.get(name, {})) for name in marks}
            enabled = asdict(settings.plugins) | {"enabled": list(marks)}
            job = await self.job("measure") | {
                "count": count,
                "places": self._service.places.pack(),
                "settings": {"plugins": enabled, "plugin": tables},
            }
            jobfolder.write_json(folder, "job.json", job)
            try:
                await self.child("precious_daemon.plugins.measuring", folder, say)
            except ChildFailed as exc:  # the night goes on with what it has
                return f"plugins could not measure photos: {exc}"
            rows = 0
            measured = (
                (r["plugin"], bytes.fromhex(r["content_hash"]), marks[r["plugin"]], r["numbers"])
                for r in jobfolder.read_lines(folder, "numbers.jsonl")
            )
            for part in runs.parts(measured, 500):
                await self._store.awrite(numbers.put, part)
                rows += len(part)
            errors = jobfolder.read_json(folder, "measured.json") if (folder / "measured.json").exists() else {}
        told = [f"plugins measured {rows} of {count} photos", *(f"{name}: {error}" for name, error in errors.items())]
        return "; ".join(told)

    async def _look(self, say: Say) -> str:
        with children.job_folder(self._service.places, "embed") as folder:
            backbone = await self._backbone()
            wanted = await self._store.astudy(handover.write_wanted, backbone, folder)
            if not wanted:
                return "nothing new to look at"
            ingest = self._service.settings.ingest
            far = {"scheduler": ingest.scheduler} if ingest.executor == "dask" else {}
            jobfolder.write_json(folder, "job.json", await self.job("embed") | far)
            whole = await self.child("precious_daemon.learn", folder, say)
            meta = jobfolder.read_json(folder, "meta.json")
            done = await self._keep_embeddings(folder, backbone, meta)
            if whole:
                await self._store.awrite(pictures.forget_other_backbones, backbone)
        looked = f"looked at {done} of {wanted} photos" + ("" if whole else "; the rest follows")
        helped = [f"{meta['workers']} workers elsewhere helped"] if meta.get("workers") else []
        return "; ".join([looked, *helped, *meta.get("notes", ())])

    async def _keep_embeddings(self, folder: Path, backbone: str, meta: dict[str, Any]) -> int:
        done = 0
        for part in runs.parts(jobfolder.read_embeddings(folder, meta["dimension"]), 500):
            await self._store.awrite(pictures.put_embeddings, backbone, part)
            done += len(part)
        cost = meta.get("cost", {})
        for name, more in {"photos": done, "seconds": cost.get("seconds"), "energy_wh": cost.get("energy_wh")}.items():
            if more:
                self.looking[name] = round(self.looking.get(name, 0) + more, 2)
        return done

    async def group(self, say: Say) -> str:
        blind = ""
        try:
            await self.embed(say)
        except ChildFailed as exc:
            log.warning("photos are grouped by their shapes alone: %s", exc)
            blind = f"; by their shapes alone, because looking at them failed: {exc}"
        with children.job_folder(self._service.places, "group") as folder:
            preferred = self._service.settings.groups.prefer_folders
            count = await self._store.astudy(handover.write_photos, folder, None, people.OWNER, preferred)
            if count < 2:
                return "there are no two photos yet"
            settings = self._service.settings
            job = await self.features("group") | {
                "representatives": settings.ask.train_labels,
                "clusters": asdict(settings.clusters),
                "worker_megabytes": settings.ingest.worker_megabytes,
            }
            jobfolder.write_json(folder, "job.json", job)
            try:
                whole = await self.child("precious_daemon.grouping", folder, say)
            finally:
                await self._store.awrite(_keep_findings, folder)  # what was found out is so, however this ended
            if not whole:
                return "stopped before the end; the groups are as they were, and what was compared is kept"
            clustered = await self._keep_clusters(folder)
            found = await asyncio.to_thread(_groups_of, folder)
            await self._store.awrite(groups.replace_groups, found)
            compared = jobfolder.read_json(folder, "compared.json")
        so_far = (
            "" if compared["done"] == compared["of"] else f"; {compared['done'] / compared['of']:.0%} compared, the rest follows"
        )
        return f"{count} photos: {clustered}; {len(found)} bursts and groups of copies{so_far}{blind}"

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

    async def learn(self, say: Say) -> str:
        """For everybody who has answered enough."""
        return await self._models.learn(say)

    async def adopt(self, say: Say, voter_id: int, file: Path) -> str:
        """Score every photo by a model from elsewhere, until the next night makes one; what it is, in a sentence."""
        return await self._models.adopt(say, voter_id, file)

    async def sort(self, say: Say) -> str:
        """Learn the owner's own label sets."""
        return await self._models.sort(say)

    async def rate(self, say: Say) -> str:
        """Weigh all comparisons of each person together."""
        return await self._models.rate(say)

    @property
    def _models(self) -> Modelling:
        from precious_daemon.jobs.modelling import Modelling

        return Modelling(self._service, self)

    async def suggest(self, say: Say) -> str:
        say("choosing what to suggest", 0, 0)
        run = runs.name(self._clock())
        everybody = await self._store.aread(voters.active)
        told = [(voter, await self._suggest_to(voter.id, run, say)) for voter in everybody]
        errors = await telling.deliver(self._service, people.OWNER, run)
        made = runs.of_each(told) if len(everybody) > 1 else told[0][1]
        return "; ".join([made, *(f"{name}: {error}" for name, error in errors.items())])

    async def _suggest_to(self, voter_id: int, run: str, say: Say) -> str:
        from precious_daemon.suggesting import propose  # here, as the models: a service at rest suggests nothing

        settings, now = self._service.settings, self._clock()
        with children.job_folder(self._service.places, "suggest") as folder:
            tables = {"suggest": asdict(settings.suggest), "plugins": asdict(settings.plugins)}
            tables |= {"plugin": {name: dict(table) for name, table in settings.plugin.items()}}
            tables |= {"web": {"language": settings.web.language}}
            job = {"voter": voter_id, "now": now, "places": self._service.places.pack(), "settings": tables}
            jobfolder.write_json(folder, "job.json", job)
            if not await self.child("precious_daemon.suggesting", folder, say):
                return "stopped before the end; the suggestions are as they were"
            self._service.plugins.take_over(jobfolder.read_json(folder, "plugins.json"))
            chosen, rng = propose.read(folder), self._service.rng
            count = await self._store.awrite(propose.keep, voter_id, run, chosen, settings.certify, rng, now)
        return f"{count} suggestions"

    async def _network(self) -> networks.Network | None:
        return await asyncio.to_thread(networks.own, self._service.settings.learn)

    async def _backbone(self) -> str:
        network = await self._network()
        return network.name if network else BACKBONE

    async def job(self, task: str, share: int = 1) -> dict[str, Any]:
        """What a child has to know. Of what is left of the night it gets one of so many shares."""
        seconds = None if self.budget is None else max(1.0, self.budget.seconds_left / share)
        network = await self._network()
        return {
            "task": task,
            "cache_db": str(self._service.places.cache_db),
            "backbone": network.name if network else BACKBONE,
            "network": network and network.job,
            "seed": 0,
            "seconds": seconds,
            "threads": self._service.settings.learn.threads,
        }

    async def features(self, task: str, share: int = 1) -> dict[str, Any]:
        """A job on the features of the network that has seen most photos: a new one needs some nights to see them all."""
        job = await self.job(task, share)
        return job | {"backbone": await self._store.aread(pictures.backbone_in_use, job["backbone"])}

    async def child(self, module: str, folder: Path, say: Say) -> bool:
        return await children.run_child(module, folder, say, self.budget.allowance if self.budget else None)


def _changed(count: int) -> str:
    if not count:
        return "nothing that you said with other programs is new"
    return f"{count} answer{'' if count == 1 else 's'} came or went with what you said with other programs"


def _groups_of(folder: Path) -> list[Group]:
    """What the grouping child found."""
    return [
        Group(GroupKind(g["kind"]), tuple(GroupMember(m["photo_id"], m["best"], m["reason"]) for m in g["members"]))
        for g in jobfolder.read_json(folder, "groups.json")
    ]


def _keep_findings(db: Database, folder: Path) -> None:
    """What the grouping child need not find out again, as far as it came."""
    if (folder / "compared.bin").exists():  # the twins are left before
        compared = (content for content, _ in jobfolder.read_records(folder, "compared.bin"))
        groups.keep_twins(db, jobfolder.read_twins(folder), compared)
    if (folder / "details.bin").exists():
        groups.keep_details(db, jobfolder.read_records(folder, "details.bin", jobfolder.DETAIL_BYTES))
