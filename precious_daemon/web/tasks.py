"""The owner's own label sets: pages to make and change one, to answer it, and to see what came of it."""

from __future__ import annotations

import secrets
from typing import Any

from aiohttp import hdrs, web

from precious_daemon.asking import tasks
from precious_daemon.models import LabelTask
from precious_daemon.store import Database, photos
from precious_daemon.store import tasks as rows
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.render import page
from precious_daemon.web.talk import keyset, photo_json, reply, said, whole

routes = web.RouteTableDef()

A_PAGE = 60
FEW = 12


def _id(request: web.Request) -> int:
    return whole(request.match_info["id"])


async def _task(request: web.Request) -> LabelTask:
    return await request.app[SERVICE].store.aread(rows.get, _id(request))


def _told(task: LabelTask) -> dict[str, Any]:
    classes = [{"id": known.id, "name": known.name, "key": known.key} for known in task.classes]
    return {"id": task.id, "name": task.name, "classes": classes}


# --- making and changing one -------------------------------------------------------------------------------------------


def _all(db: Database, voter_id: int) -> list[tuple[LabelTask, int]]:
    """(task, photos answered)."""
    return [(task, rows.answered_count(db, task.id, voter_id)) for task in rows.everything(db)]


@routes.get("/tasks")
async def show_all(request: web.Request) -> web.Response:
    return await page(request, "tasks.html", found=await request.app[SERVICE].store.aread(_all, request[VOTER]))


@routes.get("/api/tasks")
async def list_all(request: web.Request) -> web.Response:
    found = await request.app[SERVICE].store.aread(_all, request[VOTER])
    return web.json_response({"tasks": [_told(task) | {"answers": count} for task, count in found]})


@routes.post("/api/tasks")
async def make(request: web.Request) -> web.Response:
    """A new task: `name`, and `classes` one a line."""
    service, fields = request.app[SERVICE], await said(request)
    classes = fields.text("classes", longest=2000).splitlines()
    task = await service.store.awrite(tasks.make, fields.text("name"), classes, service.clock())
    return reply(request, _told(task), f"/tasks/{task.id}")


@routes.post("/api/tasks/{id}/rename")
async def rename(request: web.Request) -> web.Response:
    fields = await said(request)
    task = await request.app[SERVICE].store.awrite(tasks.rename, _id(request), fields.text("name"))
    return reply(request, _told(task), f"/tasks/{task.id}")


@routes.post("/api/tasks/{id}/classes")
async def add_class(request: web.Request) -> web.Response:
    fields = await said(request)
    task = await request.app[SERVICE].store.awrite(tasks.add_class, _id(request), fields.text("name"))
    return reply(request, _told(task), f"/tasks/{task.id}")


@routes.post("/api/tasks/{id}/classes/{number}")
async def change_class(request: web.Request) -> web.Response:
    """Another `name` or `key`."""
    fields, number = await said(request), whole(request.match_info["number"])
    change = (_id(request), number, fields.text("name"), fields.text("key"))
    task = await request.app[SERVICE].store.awrite(tasks.change_class, *change)
    return reply(request, _told(task), f"/tasks/{task.id}")


@routes.post("/api/tasks/{id}/classes/{number}/remove")
async def remove_class(request: web.Request) -> web.Response:
    """Only a class that was never an answer."""
    number = whole(request.match_info["number"])
    task = await request.app[SERVICE].store.awrite(tasks.remove_class, _id(request), number)
    return reply(request, _told(task), f"/tasks/{task.id}")


@routes.get("/tasks/{id}")
async def show(request: web.Request) -> web.Response:
    """One task: its classes, how far the answers are, and how well the model knows them."""
    task, store = await _task(request), request.app[SERVICE].store
    counts = await store.aread(rows.counts, task.id, request[VOTER])
    report = await store.aread(rows.report, task.id, request[VOTER])
    names = {known.id: known.name for known in task.classes}
    answered = sum(one for one, _ in counts.values())
    return await page(request, "task.html", task=task, counts=counts, report=report, names=names, answered=answered)


# --- asking ------------------------------------------------------------------------------------------------------------


@routes.get("/tasks/{id}/ask")
async def ask(request: web.Request) -> web.Response:
    """The next photo of a task; `?photo=UID` is the one that an undo came back to."""
    task, service = await _task(request), request.app[SERVICE]
    if uid := request.query.get("photo"):
        photo = await service.store.aread(photos.by_uid, uid)
    else:
        photo = await _next(request)
    count = await service.store.aread(rows.answered_count, task.id, request[VOTER])
    return await page(request, "task_ask.html", task=task, photo=photo, count_all=count, request_name=secrets.token_hex(16))


async def _next(request: web.Request) -> Any:
    service = request.app[SERVICE]
    point = service.rng.getrandbits(64) - (1 << 63)
    return await service.store.aread(rows.next_photo, _id(request), request[VOTER], point)


@routes.get("/api/tasks/{id}/question")
async def question(request: web.Request) -> web.Response:
    """The next photo to answer; null where each has an answer."""
    task, photo = await _task(request), await _next(request)
    return web.json_response({"task": _told(task), "photo": photo_json(photo) if photo else None})


@routes.post("/api/tasks/{id}/answer")
async def answer(request: web.Request) -> web.Response:
    """Say what a `photo` is: `class` by its id, or none to skip. It is on disk when this returns."""
    service, fields = request.app[SERVICE], await said(request)
    stored = await service.store.asay(
        tasks.answer, _id(request), request[VOTER], fields.text("photo"), fields.number("class"), service.clock(),
        fields.text("request", "") or None,
    )  # fmt: skip
    return reply(request, {"answer": stored}, f"/tasks/{_id(request)}/ask")


@routes.post("/api/tasks/{id}/undo")
async def undo(request: web.Request) -> web.Response:
    """Take back the newest answer of this task, and ask it again."""
    service = request.app[SERVICE]
    photo_id = await service.store.awrite(rows.undo, _id(request), request[VOTER], service.clock())
    photo = (await service.store.aread(photos.many, [photo_id]))[photo_id]
    return reply(request, {"photo": photo_json(photo)}, f"/tasks/{_id(request)}/ask?photo={photo.uid}")


# --- what came of it ---------------------------------------------------------------------------------------------------


@routes.get("/tasks/{id}/photos")
async def browse(request: web.Request) -> web.Response:
    """Photos that are expected to be of `?class=`, likeliest first, after some that were said to be."""
    task, store = await _task(request), request.app[SERVICE].store
    one = tasks.class_in(task, whole(request.query.get("class", ""), "class"))
    after = keyset(request)
    found = await store.aread(rows.of_class, task.id, request[VOTER], one.id, after, A_PAGE)
    answered = [] if after else await store.aread(rows.said_of_class, task.id, request[VOTER], one.id, FEW)
    last = f"{found[-1][1]!r},{found[-1][0].id}" if len(found) == A_PAGE else None
    return await page(request, "task_photos.html", task=task, one=one, found=found, answered=answered, after=last)


@routes.get("/api/tasks/{id}/export.csv")
async def export(request: web.Request) -> web.Response:
    """Everything that was said and is expected: `Image,Class,Expected,Chance`."""
    text = await request.app[SERVICE].store.astudy(tasks.export, _id(request), request[VOTER])
    headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="task-{_id(request)}.csv"'}
    return web.Response(text=text, content_type="text/csv", charset="utf-8", headers=headers)
