"""The two pages that ask, and where their answers go. Nothing a model thinks is shown here: the answers must be blind."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from aiohttp import web

from precious_daemon import ask
from precious_daemon.ask import Asked
from precious_daemon.models import Choice, Question
from precious_daemon.store import answers, photos, scores
from precious_daemon.web import within, words
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.render import page
from precious_daemon.web.talk import MOST, asked_json, photo_json, reply, said
from precious_daemon.web.within import Within

routes = web.RouteTableDef()

PAGE = {Question.PAIR: "/compare", Question.LABEL: "/label", Question.AUDIT: "/label", Question.SUGGESTION: "/suggestions"}


@routes.get("/compare")
async def compare(request: web.Request) -> web.Response:
    return await _question(request, "compare.html", Question.PAIR)


@routes.get("/label")
async def label(request: web.Request) -> web.Response:
    return await _question(request, "label.html", Question.LABEL)


async def _question(request: web.Request, template: str, kind: Question) -> web.Response:
    part = await _within(request, request.rel_url.raw_query_string)
    asked = await _again(request, kind) or await _next(request, kind, part)
    return await page(
        request, template, asked=asked, progress=await _progress(request, part), request_name=secrets.token_hex(16), within=part
    )


async def _within(request: web.Request, query: str) -> Within:
    return await request.app[SERVICE].store.aread(within.read, query)


async def _again(request: web.Request, kind: Question) -> Asked | None:
    """The question that an undo came back to: `?photo=UID&purpose=...`, with two photos for a pair."""
    uids, purpose = request.query.getall("photo", []), request.query.get("purpose", "")
    if len(uids) != (2 if kind is Question.PAIR else 1) or purpose not in ("rank", "train", "test", "audit"):
        return None
    shown = tuple([await request.app[SERVICE].store.aread(photos.by_uid, uid) for uid in uids])
    return Asked(Question.AUDIT if purpose == "audit" else kind, purpose, shown)


async def _next(request: web.Request, kind: Question, part: Within, exclude: Collection[str] = ()) -> Asked | None:
    service, voter = request.app[SERVICE], request[VOTER]
    if kind is Question.PAIR:
        return await ask.next_pair(service, voter, exclude, part.scope)
    return await ask.next_label(service, voter, exclude)


async def _progress(request: web.Request, part: Within) -> dict[str, Any]:
    """How far the owner is, in numbers and in one line for each page."""
    service = request.app[SERVICE]
    counts = await service.store.aread(answers.counts, request[VOTER])
    _, _, needed = await service.store.aread(scores.certificate, request[VOTER])
    goals, votes = service.settings.ask, counts["votes"]
    reached, ahead = words.milestone(votes)
    steady = await service.store.aread(ask.until_steady, request[VOTER], part.scope) if votes else None
    to_mark = f"{ahead - votes} to the {ahead:,} mark"
    train, test = counts.get("train", 0), counts.get("test", 0)
    done = train >= goals.train_labels and test >= goals.test_labels
    said_label = f"Learning {train} of {goals.train_labels} · testing {test} of {goals.test_labels}"
    if done:
        said_label = f"{words.count(train + test)} answers to learn from"
        said_label += f" · {words.count(needed, 'more check')} to certify" if needed else ""
    return {
        "votes": votes, "reached": reached, "ahead": ahead, "train": train, "train_goal": goals.train_labels,
        "test": test, "test_goal": goals.test_labels, "audit": counts.get("audit", 0), "needed": needed,
        "pair_words": f"{words.count(votes, 'comparison')} · {steady.sentence if steady else to_mark}",
        "steady": steady and asdict(steady),
        "label_words": said_label, "done": done,
    }  # fmt: skip


@routes.get("/api/question")
async def question(request: web.Request) -> web.Response:
    """The next question of `?kind=pair|label`, without the photos of `&exclude=UID,UID`; null where there is no other.

    A pair is of the part of the library that `&folder=`, `&from=` and `&to=` name. Asking changes nothing, so that a page
    can look ahead.
    """
    kind = request.query.get("kind", "")
    if kind not in (Question.PAIR, Question.LABEL):
        raise BadRequest('"kind" has to be pair or label.')
    exclude = [uid for uid in request.query.get("exclude", "").split(",") if uid]
    if len(exclude) > MOST:
        raise BadRequest(f'"exclude" may hold at most {MOST} photos.')
    part = await _within(request, request.rel_url.raw_query_string)
    asked = await _next(request, Question(kind), part, exclude)
    return web.json_response({"next": asked_json(asked), "progress": await _progress(request, part)})


@routes.post("/api/answer")
async def answer(request: web.Request) -> web.Response:
    """Stored on disk before this returns, together with the next question of the same page.

    `within` is the end of that page's address where it asks about a part of the library: `folder=...&from=...&to=...`.
    """
    fields = await said(request)
    kind, choice = _one_of(Question, fields.text("question")), _one_of(Choice, fields.text("choice"))
    stored = await ask.answer(
        request.app[SERVICE], request[VOTER], kind, choice, fields.names("photos"), fields.text("purpose", "train"),
        fields.text("request", "") or None,
    )  # fmt: skip
    part = await _within(request, fields.text("within", "", longest=8192))
    following = await _next(request, Question.PAIR if kind is Question.PAIR else Question.LABEL, part)
    value = {"answer": stored.id, "next": asked_json(following), "progress": await _progress(request, part)}
    return reply(request, value, part.after(PAGE[kind]))


@routes.post("/api/undo")
async def undo(request: web.Request) -> web.Response:
    """Take back the newest answer, and give its question to be asked again."""
    fields = await said(request)
    part = await _within(request, fields.text("within", "", longest=8192))
    taken_back = await ask.take_back(request.app[SERVICE], request[VOTER])
    undone, shown = taken_back.answer, taken_back.photos
    where = PAGE[undone.question]
    if undone.question is not Question.SUGGESTION:
        where += "?" + "&".join([*(f"photo={photo.uid}" for photo in shown), f"purpose={undone.purpose}"])
    if undone.question is Question.PAIR:
        where = part.after(where)
    value = {
        "question": undone.question, "choice": undone.choice, "purpose": undone.purpose, "group_size": 1, "page": where,
        "photos": [photo_json(photo) for photo in shown], "progress": await _progress(request, part),
    }  # fmt: skip
    return reply(request, value, where)


def _one_of(kind: Any, value: str) -> Any:
    try:
        return kind(value)
    except ValueError as exc:
        raise BadRequest(f'"{value}" is not one of {words.listed(kind)}.') from exc
