"""Clusters: what looks alike, called by a name, and answered as a whole after a look at what that means."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from precious_daemon.errors import NotFound, PreciousError
from precious_daemon.models import Choice, Photo
from precious_daemon.store import Database, answers, clusters, groups, photos
from precious_daemon.store.clusters import Cluster, Meaning
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.language import N_
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.render import page
from precious_daemon.web.talk import keyset, photo_json, reply, said, whole

routes = web.RouteTableDef()

A_PAGE = 20
IN_A_STRIP = 12
IN_A_LONG_STRIP = 40
IN_THE_PREVIEW = 60
LONGEST_NAME = 80
NAMED = "cluster-"
"""What the requests of a whole cluster's answers begin with."""


SCORES = N_({"silhouette": "Silhouette", "davies_bouldin": "Davies-Bouldin", "calinski_harabasz": "Calinski-Harabasz"})
MEANS = N_(
    {
        "silhouette": "How much nearer photos are to their own cluster than to the next one: more is better.",
        "davies_bouldin": "How wide clusters are for their distance: less is better.",
        "calinski_harabasz": "How much more clusters differ from each other than within: more is better.",
    }
)


@dataclass(frozen=True, slots=True)
class Plot:
    """A score over the number of clusters, drawn: points (x, y, k, words) in a box of 320 x 150, the chosen one marked."""

    title: str
    meaning: str
    points: tuple[tuple[float, float, int, str], ...]
    chosen: int

    @property
    def line(self) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in self.points)


def plots(run: Mapping[str, Any] | None) -> list[Plot]:
    """Of the scores that a clustering was chosen by."""
    scores = (run or {}).get("scores") or []
    found = []
    for key, title in SCORES.items():
        values = [float(score[key]) for score in scores]
        if len(values) > 1:
            low, high = min(values), max(values)
            places = (
                (20 + 280 * n / (len(values) - 1), 120 - 100 * (value - low) / ((high - low) or 1), score["k"], f"{value:.3g}")
                for n, (value, score) in enumerate(zip(values, scores, strict=True))
            )
            found.append(Plot(title, MEANS[key], tuple(places), (run or {}).get("k", 0)))
    return found


@routes.get("/clusters")
async def show_clusters(request: web.Request) -> web.Response:
    found = await request.app[SERVICE].store.aread(clusters.page, IN_A_STRIP, keyset(request), A_PAGE)
    run = await request.app[SERVICE].store.aread(clusters.newest_run)
    late = await newcomers(request)
    labelled = request.query.get("labelled")
    return await page(
        request, "clusters.html", clusters=found, first="after" not in request.query,
        more=f"{found[-1].size},{found[-1].number}" if len(found) == A_PAGE else None,
        answered=whole(labelled, "labelled") if labelled else None, request_name=request.query.get("request", ""),
        run=run, plots=plots(run), late=late,
    )  # fmt: skip


async def newcomers(request: web.Request) -> tuple[int, bool]:
    """How many photos are in no cluster yet, and whether they are being put into clusters now."""
    service = request.app[SERVICE]
    return await service.store.aread(groups.unclustered_count), service.jobs.is_running("group")


@routes.get("/cluster/{uid}")
async def show_cluster(request: web.Request) -> web.Response:
    """What an answer for the whole cluster of a photo would mean: how many, and which; the furthest out are there, too."""

    def look(db: Database) -> tuple[Cluster, Meaning, list[Photo]]:
        cluster = _of(db, request.match_info["uid"], 1)
        means = clusters.meaning(db, request[VOTER], cluster.number)
        if means.asked <= IN_THE_PREVIEW:
            shown = clusters.asked(db, request[VOTER], cluster.number)
        else:
            ends = (
                clusters.asked(db, request[VOTER], cluster.number, IN_THE_PREVIEW // 2, furthest=far) for far in (False, True)
            )
            shown = [i for end in ends for i in end]
        known = photos.many(db, shown)
        return cluster, means, [known[i] for i in shown]

    cluster, means, shown = await request.app[SERVICE].store.aread(look)
    return await page(
        request, "cluster.html", cluster=cluster, means=means, count=means.asked, shown=shown,
        request_name=secrets.token_hex(16),
    )  # fmt: skip


@routes.get("/api/clusters/{uid}")
async def strip(request: web.Request) -> web.Response:
    """The cluster of a photo as a strip, and what is answered of it."""

    def look(db: Database) -> tuple[Cluster, Meaning]:
        cluster = _of(db, request.match_info["uid"], IN_A_LONG_STRIP)
        return cluster, clusters.meaning(db, request[VOTER], cluster.number)

    cluster, means = await request.app[SERVICE].store.aread(look)
    return web.json_response(
        {
            "number": cluster.number, "size": cluster.size, "name": cluster.name, "kept": means.kept, "deleted": means.deleted,
            "reserved": means.reserved, "unanswered": means.asked, "photos": [photo_json(p) for p in cluster.nearest],
        }
    )  # fmt: skip


@routes.post("/api/clusters/name")
async def name(request: web.Request) -> web.Response:
    """Call the cluster of `photo` by a `name`; an empty one takes the name away."""
    fields, service = await said(request), request.app[SERVICE]
    uid, called = fields.text("photo"), " ".join(fields.text("name", "").split())
    if len(called) > LONGEST_NAME or any("\ud800" <= sign <= "\udfff" for sign in called):
        raise BadRequest(f"A name has at most {LONGEST_NAME} characters.")
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
        raise NotFound("This photo is in no cluster yet. Clusters are made at night, or with: precious-daemon jobs run group")
    return found
