"""The model's report: how well it does, on answers that it has not seen, and what it got wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web

from precious_daemon.errors import NotFound
from precious_daemon.models import Photo
from precious_daemon.store import Database, photos, scores
from precious_daemon.suggesting import verdict
from precious_daemon.web import words
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.language import N_
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.render import page
from precious_daemon.web.talk import reply, said
from precious_daemon.words import papers
from precious_daemon.work import handover

routes = web.RouteTableDef()

NIGHTS = 30  # of the past that are listed
LEARNERS = N_(
    {
        "regression": "Regression",
        "label_spreading": "Label spreading",
        "spreading": "Label spreading",
        "fixmatch": "FixMatch",
        "mean_rank": "Mean of ranks",
        "prior": "Guessing",
    }
)
COSTS: dict[str, tuple[str, Callable[[float], str]]] = {
    "seconds": (N_("Learning"), words.duration),
    "processor_seconds": (N_("Of the processor's time"), words.duration),
    "peak_rss_mb": (N_("Memory at most"), lambda megabytes: words.size(megabytes * 1e6)),
    "energy_wh": (N_("Energy, of the whole machine"), "{:,.2f} Wh".format),
    "looking_photos": (N_("New photos looked at"), "{:,.0f}".format),
    "looking_seconds": (N_("Looking at them"), words.duration),
    "looking_energy_wh": (N_("Energy meanwhile"), "{:,.2f} Wh".format),
}
MEASURES = ("precision", "recall", "f1", "average_precision")


@dataclass(frozen=True, slots=True)
class Learner:
    name: str
    champion: bool
    cv_ap: float | None
    test: dict[str, float]
    intervals: dict[str, tuple[float, float]]  # by measure: where it lies with 95 %


@dataclass(frozen=True, slots=True)
class Night:
    """One model of the past."""

    run: str
    at: float
    champion: str
    trained_on: int | None
    average_precision: float | None  # on the answers held out then


@dataclass(frozen=True, slots=True)
class Confusion:
    """Photos of the held-out answers. Positive is "delete"."""

    deleted_right: int
    deleted_wrong: int  # would have thrown away a keeper: the costly one
    kept_wrong: int
    kept_right: int


def learners(report: Mapping[str, Any]) -> list[Learner]:
    """The champion first, then by cross-validation."""
    found = []
    for name, of in (report.get("learners") or {}).items():
        test = {m: float(v) for m in MEASURES if isinstance(v := (of.get("test") or {}).get(m), int | float)}
        between = (of.get("test") or {}).get("intervals") or {}
        spans = {m: (float(v[0]), float(v[1])) for m, v in between.items() if m in MEASURES}
        found.append(Learner(LEARNERS.get(name, name), name == report.get("champion"), of.get("cv_ap"), test, spans))
    return sorted(found, key=lambda learner: (not learner.champion, -(learner.cv_ap or 0)))


def history(models: Iterable[Mapping[str, Any]]) -> list[Night]:
    nights = []
    for model in models:
        report = model["report"]
        champion = (report.get("learners") or {}).get(model["champion"]) or {}
        nights.append(
            Night(
                model["run"], model["at"], LEARNERS.get(model["champion"], model["champion"]),
                (report.get("labels") or {}).get("trained_on"), (champion.get("test") or {}).get("average_precision"),
            )
        )  # fmt: skip
    return nights


def costs(cost: Mapping[str, Any]) -> dict[str, str]:
    """What the night took, in words by name."""
    return {name: form(float(cost[key])) for key, (name, form) in COSTS.items() if isinstance(cost.get(key), int | float)}


def confusion(report: Mapping[str, Any]) -> Confusion | None:
    champion = (report.get("learners") or {}).get(report.get("champion")) or {}
    found = (champion.get("test") or {}).get("confusion")
    if isinstance(found, Mapping):
        return Confusion(*(int(found.get(key, 0)) for key in ("tp", "fp", "fn", "tn")))
    if isinstance(found, Sequence) and len(found) == 2:
        (kept_right, deleted_wrong), (kept_wrong, deleted_right) = found
        return Confusion(deleted_right, deleted_wrong, kept_wrong, kept_right)
    return None


@dataclass(frozen=True, slots=True)
class Mistake:
    photo: Photo
    keep: float | None
    kept: bool | None  # what the owner said


def _mistakes(db: Database, report: Mapping[str, Any]) -> list[Mistake]:
    rows = [m if isinstance(m, Mapping) else {"photo_id": m} for m in report.get("mistakes") or ()]
    known = photos.many(db, (int(row["photo_id"]) for row in rows if "photo_id" in row))
    return [Mistake(known[row["photo_id"]], row.get("keep"), row.get("kept")) for row in rows if row.get("photo_id") in known][
        :24
    ]


@dataclass(frozen=True, slots=True)
class ForNow:
    """What the answers since the last night come to."""

    answers: int
    photos: int
    to_go: int
    sure: tuple[Photo, ...]


async def _for_now(request: web.Request) -> ForNow | None:
    service = request.app[SERVICE]
    guess = service.jobs.nightwork.instant.guess(request[VOTER])
    if guess is None or guess.to_go is None:
        return None
    known = await service.store.aread(photos.many, guess.sure)
    return ForNow(guess.answers, guess.photos, guess.to_go, tuple(known[i] for i in guess.sure if i in known))


@routes.get("/report")
async def show_report(request: web.Request) -> web.Response:
    store = request.app[SERVICE].store
    model = await store.aread(scores.newest_model, request[VOTER])
    apart = await store.aread(verdict.of_groups, request[VOTER])
    for_now = await _for_now(request)
    if model is None:
        lacks = await store.aread(handover.lacking, request[VOTER], request.app[SERVICE].settings.ask)
        return await page(request, "report.html", model=None, lacks=lacks, apart=apart, for_now=for_now)
    report: dict[str, Any] = model["report"]
    _certificate, sentence, _needed = await store.aread(scores.certificate, request[VOTER])
    files = await asyncio.to_thread(_files, request, model["run"])
    cost = costs(report.get("cost") or {})
    return await page(
        request, "report.html", model=model, sentence=sentence, apart=apart, why=report.get("why", ""),
        champion=LEARNERS.get(model["champion"], model["champion"]), learners=learners(report), confusion=confusion(report),
        plots=[plot for plot in papers.PLOTS if papers.plot_file(plot, "dark") in files], files=files, run=model["run"],
        mistakes=await store.aread(_mistakes, report), cost=cost, for_now=for_now,
        nights=history(await store.aread(scores.models, request[VOTER], NIGHTS)),
        drift=(report.get("drift") or {}).get("sentence", ""),
    )  # fmt: skip


@routes.get("/report.json")
async def report_json(request: web.Request) -> web.Response:
    """Everything that the newest model says of itself, for scripts; null without one."""
    model = await request.app[SERVICE].store.aread(scores.newest_model, request[VOTER])
    return web.json_response(model)


@routes.post("/api/model")
async def adopt(request: web.Request) -> web.Response:
    """Use the model in a `file` of this machine, a safetensors that was exported, until a night makes the next one."""
    file = Path((await said(request)).text("file", longest=4096))
    if not file.is_absolute():
        raise BadRequest('"file" has to be a whole path.')
    sentence = await request.app[SERVICE].jobs.adopt(request[VOTER], file)
    return reply(request, {"sentence": sentence}, "/report")


@routes.get("/report/{run}/{name}")
async def report_file(request: web.Request) -> web.StreamResponse:
    """What stayed of one of this voter's nights. Plots are shown, all else is for keeping: its styles are its own."""
    service, name = request.app[SERVICE], request.match_info["name"]
    run = await service.store.aread(scores.known_run, request[VOTER], request.match_info["run"])
    path = await asyncio.to_thread(papers.find, service.places.nights, run, name) if run else None
    if path is None:
        raise NotFound("There is no such file of that night. Reports of the last nights are linked from the report page.")
    headers = {hdrs.CONTENT_TYPE: papers.FILES[name]}
    if not name.endswith(".svg"):
        headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{run}-{name}"'
    return web.FileResponse(path, headers=headers)


def _files(request: web.Request, run: str) -> set[str]:
    nights = request.app[SERVICE].places.nights
    return {name for name in papers.FILES if papers.find(nights, run, name)}
