"""The first page: what happened, and the one thing that is worth doing now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import hdrs, web

from precious_daemon import status
from precious_daemon.models import PhotoState, RootState
from precious_daemon.store import photos, ratings
from precious_daemon.web import words
from precious_daemon.web.events import deed, running
from precious_daemon.web.first import welcome
from precious_daemon.web.jobs import OUTCOMES
from precious_daemon.web.keys import ADDRESS, LOGIN, SERVICE, VOTER
from precious_daemon.web.language import N_, _, _n
from precious_daemon.web.render import page
from precious_daemon.web.talk import said

routes = web.RouteTableDef()

NEWEST = 12
ROOT_STATES = N_({RootState.WATCHED: "watched", RootState.OFFLINE: "offline", RootState.FROZEN: "frozen"})


@dataclass(frozen=True, slots=True)
class Step:
    """What is worth doing now. `job` is run by the button, where `href` is None."""

    title: str
    sentence: str
    action: str
    href: str | None = None
    job: str | None = None
    also: str | None = None  # answers that are wanted as well, in words


def next_step(now: Mapping[str, Any]) -> Step:
    """One step, the most useful first: photos, answers, review, audits, and then comparing for its own sake."""
    present, answers, suggestions = now["photos"].get("present", 0), now["answers"], now["suggestions"]["open"]
    train, test = answers["train_goal"] - answers["train"], answers["test_goal"] - answers["test"]
    missing = min(max(0, train) + max(0, test), max(0, present - answers["train"] - answers["test"]))
    to_go = _n("{n} quick answer to go", "{n} quick answers to go", missing)
    if present < 2:
        return _beginning(now, present)
    if suggestions:
        freed = words.size(now["suggestions"]["bytes"])
        title = _n("Review {n} suggestion", "Review {n} suggestions", suggestions)
        sentence = _n(
            "It takes up {size}. Nothing moves before you say so.", "They take up {size}. Nothing moves before you say so.",
            suggestions, size=freed,
        )  # fmt: skip
        return Step(title, sentence, _("Review them"), "/suggestions", also=to_go if missing else None)
    if missing:
        sentence = (
            _("Keep or delete, a second each. Then it learns what you would throw away.")
            if train > 0
            else _("These are held back, to measure honestly how well it has learned.")
        )
        return Step(to_go, sentence, _("Keep or delete"), "/label")
    if now["model"] is None and train > 0:
        sentence = _(
            "They are too few to learn from. Copies and bursts are found all the same, and comparing sharpens your ranking."
        )
        return Step(_("Every photo is answered"), sentence, _("Compare photos"), "/compare")
    if now["model"] is None:
        return Step(
            _("Ready to learn"),
            _("You have answered enough. Learning starts by itself tonight, or right now."),
            _("Learn now"),
            job="learn",
        )
    if needed := now["certificate"]["needed"]:
        sentence = _("Blind checks, drawn at random: they prove how far the suggestions can be trusted.")
        title = _n("{n} more answer to certify", "{n} more answers to certify", needed)
        return Step(title, sentence, _("Answer some"), "/label")
    sentence = _("Nothing waits for you. Comparing photos sharpens your ranking.")
    return Step(_("All is well"), sentence, _("Compare photos"), "/compare")


def _beginning(now: Mapping[str, Any], present: int) -> Step:
    """There are not two photos: because they are being read, cannot be read, or are not there."""
    if now["running"] or now["photos"].get("new"):
        sentence = _("The first ones will be here in a moment. Nothing in your folders is changed.")
        return Step(_("Your photos are being read"), sentence, _("See the photos"), "/photos")
    if present:
        sentence = _("Two can be compared. New ones are noticed by themselves.")
        return Step(_("One photo so far"), sentence, _("See the photos"), "/photos")
    if broken := now["photos"].get("broken"):
        sentence = _n("{n} file cannot be read as a photo.", "{n} files cannot be read as photos.", broken)
        return Step(_("No photos yet"), sentence, _("See why"), "/photos?state=broken")
    if others := [f"{number:,} {suffix}" for suffix, number in now["unsupported"].items()]:
        sentence = _("There is no photo in the folder, only {others}. Watch another one, below.", others=_(", ").join(others[:3]))
        return Step(_("No photos yet"), sentence, _("Look again"), job="scan")
    sentence = _("The folder is empty. What you put into it is noticed by itself; or watch another folder, below.")
    return Step(_("No photos yet"), sentence, _("Look again"), job="scan")


@routes.get("/")
async def home(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    now = await status.snapshot(service, request[VOTER])
    if not now["roots"]:
        return await welcome(request)
    newest = await service.store.aread(photos.newest, None, NEWEST)
    best = [photo for photo, _ in await service.store.aread(ratings.ranking, request[VOTER], None, 3)]
    told = {root["reason"] for root in now["roots"]}
    events = sorted((j for j in now["jobs"] if j["last"]), key=lambda j: -j["last"]["started_at"])
    return await page(
        request,
        "home.html",
        s=now,
        step=next_step(now),
        newest=newest,
        best=best if len(best) == 3 else [photo for photo in newest if photo.state is PhotoState.PRESENT][:3],
        events=events[:3],
        warnings=[w for w in now["warnings"] if w not in told and "cannot be read as photos" not in w],  # linked below
        running=running(service),
        deed=deed,
        outcomes=OUTCOMES,
        root_states=ROOT_STATES,
    )


@routes.get("/help")
async def show_help(request: web.Request) -> web.Response:
    return await page(request, "help.html")


@routes.get("/api/status")
async def show_status(request: web.Request) -> web.Response:
    return web.json_response(await status.snapshot(request.app[SERVICE], request[VOTER]))


@routes.post("/api/login-link")
async def login_link(request: web.Request) -> web.Response:
    """A fresh link for `precious-daemon login`; only the service's own key gets one."""
    if hdrs.AUTHORIZATION not in request.headers:
        raise web.HTTPNotFound
    await said(request)
    link, address = request.app[LOGIN].link(), request.app[ADDRESS]
    return web.json_response({"url": link, "local": link.replace(address.url, address.local, 1)})
