"""The people of this library: profiles to make, rename, retire, and to switch between."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from aiohttp import hdrs, web

from precious_daemon.errors import SignInRefused
from precious_daemon.models import Voter
from precious_daemon.store import Database, answers, passwords, sessions, voters
from precious_daemon.suggesting import people
from precious_daemon.web import guard
from precious_daemon.web.access import sessions_of
from precious_daemon.web.keys import SERVICE, SESSION, VOTER
from precious_daemon.web.passwords import SHORTEST
from precious_daemon.web.problems import BadRequest, wants_page
from precious_daemon.web.render import page
from precious_daemon.web.talk import reply, said, whole

routes = web.RouteTableDef()


def _everybody(db: Database) -> list[tuple[Voter, int, int]]:
    """(profile, comparisons, labels), those in use first."""
    found = []
    for voter in sorted(voters.everybody(db), key=lambda voter: (voter.retired_at is not None, voter.id)):
        counts = answers.counts(db, voter.id)
        votes = counts.pop("votes")
        found.append((voter, votes, sum(counts.values())))
    return found


@routes.get("/people")
async def show(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    return await page(
        request, "people.html", found=await service.store.aread(_everybody), owner=people.OWNER, you=request[VOTER],
        have=await service.store.aread(passwords.have), changed="changed" in request.query, shortest=SHORTEST,
        sessions=await sessions_of(request),
    )  # fmt: skip


@routes.get("/api/people")
async def listing(request: web.Request) -> web.Response:
    found = await request.app[SERVICE].store.aread(_everybody)
    told = [_told(voter) | {"votes": votes, "labels": labels} for voter, votes, labels in found]
    return web.json_response({"people": told, "you": request[VOTER]})


def _told(voter: Voter) -> dict[str, Any]:
    return {"id": voter.id, "name": voter.name, "since": voter.created_at, "retired_at": voter.retired_at}


@routes.post("/api/people")
async def add(request: web.Request) -> web.Response:
    """Make a profile, or take one of this name into use again."""
    service, fields = request.app[SERVICE], await said(request)
    voter = await service.store.awrite(people.add, fields.text("name"), service.clock())
    return reply(request, _told(voter), "/people")


@routes.post("/api/people/switch")
async def switch(request: web.Request) -> web.Response:
    """Go on as another profile in this browser; as one that has a password, by signing in."""
    service, fields = request.app[SERVICE], await said(request)
    voter_id = fields.number("voter")
    active = {voter.id: voter for voter in await service.store.aread(voters.active)}
    if voter_id not in active or SESSION not in request:
        raise BadRequest("There is no such profile to switch to. Reload the page.")
    if voter_id != request[VOTER] and await service.store.aread(passwords.is_set, voter_id):
        name = active[voter_id].name
        if wants_page(request):
            return web.Response(status=303, headers={hdrs.LOCATION: f"/login?{urlencode({'name': name})}"})
        raise SignInRefused(f"{name} has a password: sign in at /login.")
    await service.store.awrite(sessions.switch, guard.token_hash(request[SESSION][0]), voter_id)
    return reply(request, {"voter": voter_id}, "/")


@routes.post("/api/people/{id}/rename")
async def rename(request: web.Request) -> web.Response:
    fields = await said(request)
    number = whole(request.match_info["id"])
    voter = await request.app[SERVICE].store.awrite(people.rename, number, fields.text("name"))
    return reply(request, _told(voter), "/people")


@routes.post("/api/people/{id}/retire")
async def retire(request: web.Request) -> web.Response:
    """Its answers stay; `POST /api/people` with its name brings it back."""
    service = request.app[SERVICE]
    voter = await service.store.awrite(people.retire, whole(request.match_info["id"]), service.clock())
    return reply(request, _told(voter), "/people")
