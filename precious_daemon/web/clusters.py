"""Clusters: what looks alike, called by a name, and answered as a whole after a look at what that means."""

from __future__ import annotations

import secrets

from aiohttp import web

from precious_daemon.errors import NotFound, PreciousError
from precious_daemon.models import Choice, Photo
from precious_daemon.store import Database, answers, clusters, photos
from precious_daemon.store.clusters import Cluster
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.render import page
from precious_daemon.web.talk import keyset, reply, said, whole

routes = web.RouteTableDef()

A_PAGE = 20
IN_A_STRIP = 12
IN_THE_PREVIEW = 60
LONGEST_NAME = 80
NAMED = "cluster-"
"""What the requests of a whole cluster's answers begin with."""


@routes.get("/clusters")
async def show_clusters(request: web.Request) -> web.Response:
    found = await request.app[SERVICE].store.aread(clusters.page, IN_A_STRIP, keyset(request), A_PAGE)
    labelled = request.query.get("labelled")
    return await page(
        request, "clusters.html", clusters=found, first="after" not in request.query,
        more=f"{found[-1].size},{found[-1].number}" if len(found) == A_PAGE else None,
        answered=whole(labelled, "labelled") if labelled else None, request_name=request.query.get("request", ""),
    )  # fmt: skip


@routes.get("/cluster/{uid}")
async def show_cluster(request: web.Request) -> web.Response:
    """What an answer for the whole cluster of a photo would mean: how many, and which; the furthest out are there, too."""

    def look(db: Database) -> tuple[Cluster, int, int, list[Photo]]:
        cluster = _of(db, request.match_info["uid"], 1)
        ids = clusters.unanswered(db, request[VOTER], cluster.number)
        half = IN_THE_PREVIEW // 2
        shown = ids if len(ids) <= IN_THE_PREVIEW else ids[:half] + ids[-half:]
        known = photos.many(db, shown)
        return cluster, len(ids), max(0, cluster.size - len(ids)), [known[i] for i in shown]

    cluster, count, answered, shown = await request.app[SERVICE].store.aread(look)
    return await page(
        request, "cluster.html", cluster=cluster, count=count, answered=answered, shown=shown,
        request_name=secrets.token_hex(16),
    )  # fmt: skip


@routes.post("/api/clusters/name")
async def name(request: web.Request) -> web.Response:
    """Call the cluster of `photo` by a `name`; an empty one takes the name away."""
    fields, service = await said(request), request.app[SERVICE]
    uid, called = fields.text("photo"), " ".join(fields.text("name", "").split())
    if len(called) > LONGEST_NAME or any("\ud800" <= sign <= "\udfff" for sign in called):
        raise BadRequest(f"A name has at most {LONGEST_NAME} signs.")
    await service.store.awrite(lambda db: clusters.rename(db, _of(db, uid, 1), called, service.clock()))
    return reply(request, {"name": called}, f"/clusters#cluster-{uid}")


@routes.post("/api/clusters/label")
async def label(request: web.Request) -> web.Response:
    """Answer `keep` or `delete` for all of a cluster that is unanswered: as many as the page said, or none at all."""
    fields, service = await said(request), request.app[SERVICE]
    uid, count, name = fields.text("photo"), fields.number("count"), fields.text("request")
    choice = {"keep": Choice.KEEP, "delete": Choice.DELETE}.get(fields.text("choice"))
    if choice is None or not (name.isascii() and name.isalnum()):
        raise BadRequest('"choice" has to be keep or delete, and "request" a name for this answer.')

    def answer(db: Database) -> int:
        number = _of(db, uid, 1).number
        done = clusters.label(db, request[VOTER], number, choice, NAMED + name, service.clock())
        if done != count:
            raise PreciousError("The cluster has changed since you looked at it. Look again; nothing was stored.")
        return done

    done = await service.store.awrite(answer)
    return reply(request, {"answered": done, "request": name}, f"/clusters?labelled={done}&request={name}")


@routes.post("/api/clusters/undo")
async def undo(request: web.Request) -> web.Response:
    """Take back all answers of one `label`."""
    fields, service = await said(request), request.app[SERVICE]
    name = fields.text("request")
    if not (name.isascii() and name.isalnum()):
        raise BadRequest("There is nothing to take back by that name.")

    prefix = f"{NAMED}{name}-"
    done = await service.store.awrite(answers.undo_requests, request[VOTER], prefix, service.clock())
    return reply(request, {"taken_back": done}, "/clusters")


def _of(db: Database, uid: str, shown: int) -> Cluster:
    found = clusters.of_photo(db, photos.by_uid(db, uid).id, shown)
    if found is None:
        raise NotFound("This photo is in no cluster yet. Clusters are made at night, or with: precious-daemon group")
    return found
