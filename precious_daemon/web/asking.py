"""The pages that ask, and where their answers go. Nothing a model thinks is shown here: the answers must be blind."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from aiohttp import web

from precious_daemon.asking import answering, ask
from precious_daemon.asking.ask import Asked, Steady
from precious_daemon.models import Aim, Choice, Order, Question, Scope
from precious_daemon.store import Database, answers, photos, scores
from precious_daemon.web import within, words
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.language import N_, _, _n, told
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.render import page
from precious_daemon.web.talk import MOST, asked_json, photo_json, reply, said
from precious_daemon.web.within import Within

routes = web.RouteTableDef()

NEAR = 1000
"""So many answers until the top is steady are worth naming; where more are missing, the next round number is."""

KINDS = {"pair": "/compare", "label": "/label", "any": "/ask"}
"""What a page asks, and its address."""
ELSEWHERE = {
    Question.SUGGESTION: "/suggestions",
    Question.ENOUGH: "/blind",
    Question.RANKING: "/ranking",
    Question.OUTSIDE: "/answers",
}
RATED = (Question.PAIR, Question.FOUR)


@routes.get("/compare")
async def compare(request: web.Request) -> web.Response:
    return await _question(request, "pair")


@routes.get("/label")
async def label(request: web.Request) -> web.Response:
    return await _question(request, "label")


@routes.get("/ask")
async def mixed(request: web.Request) -> web.Response:
    """All kinds of questions in one stream."""
    return await _question(request, "any")


async def _question(request: web.Request, kind: str) -> web.Response:
    part = await _within(request, request.rel_url.raw_query_string)
    asked = await _again(request) or await _next(request, kind, part)
    left = None
    if asked is None and part.way.order is Order.ELIMINATION:
        left = await ask.round_left(request.app[SERVICE], request[VOTER], part.way.since, part.scope)
    newest = await request.app[SERVICE].store.aread(answers.newest_comparison, request[VOTER])
    return await page(
        request, "question.html", asked=asked, kind=kind, page=KINDS[kind], progress=await _progress(request, part),
        request_name=secrets.token_hex(16), within=part, left=left, newest=newest, aims=AIMS, orders=ORDERS,
    )  # fmt: skip


AIMS = N_(
    {
        Aim.RANK: ("Everything", "What tells most about the ranking at large."),
        Aim.TOP: ("The top", "Which photos belong among the best twenty: for a highlights album."),
        Aim.BORDER: ("The border", "Which photos are worth keeping, and which are not."),
    }
)
ORDERS = N_(
    {
        Order.TELLING: ("Most telling", "Pairs by how much their answer says. Needs the fewest answers."),
        Order.SMART: ("Smart shuffle", "Close ratings and photos compared least first, shuffled anew every few votes."),
        Order.PLAIN: ("Plain shuffle", "Pairs by chance."),
        Order.ELIMINATION: ("Sequential elimination", "Whoever loses leaves the round, until one is left."),
    }
)


async def _within(request: web.Request, query: str) -> Within:
    return await request.app[SERVICE].store.aread(within.read, query, request[VOTER])


async def _again(request: web.Request) -> Asked | None:
    """The question that an undo came back to: `?again=QUESTION&photo=UID&purpose=...`, with its photos in their order."""
    uids, purpose = request.query.getall("photo", []), request.query.get("purpose", "")
    try:
        question = Question(request.query.get("again", ""))
    except ValueError:
        return None
    if len(uids) not in answering.SHOWN.get(question, (1,)) or purpose not in answering.PURPOSES.get(question, ()):
        return None
    shown = tuple([await request.app[SERVICE].store.aread(photos.by_uid, uid) for uid in uids])
    return Asked(question, purpose, shown)


async def _next(request: web.Request, kind: str, part: Within, exclude: Collection[str] = ()) -> Asked | None:
    service, voter = request.app[SERVICE], request[VOTER]
    if kind == "label":
        return await ask.next_label(service, voter, exclude)
    find = ask.next_pair if kind == "pair" else ask.next_any
    return await find(service, voter, exclude, part.scope, part.way)


async def _progress(request: web.Request, part: Within) -> dict[str, Any]:
    """How far the owner is, in numbers and in one line for each page."""
    service = request.app[SERVICE]
    counts, needed, steady = await service.store.aread(_how_far, request[VOTER], part.scope)
    goals, votes = service.settings.ask, counts["votes"]
    reached, ahead = words.milestone(votes)
    compared = _n("{n} comparison", "{n} comparisons", votes)
    if votes:
        near = steady if steady and steady.needed <= NEAR else None
        compared += f" · {told(near.sentence) if near else _('{n} more to {mark}', n=ahead - votes, mark=ahead)}"
    train, test = counts.get("train", 0), counts.get("test", 0)
    done = train >= goals.train_labels and test >= goals.test_labels
    if done:
        said_label = _("{n} answers to learn from", n=train + test)
        said_label += _(" · about {n} until certified", n=needed) if needed else ""
    else:
        goal = goals.train_labels + goals.test_labels
        said_label = _("{done} of {total}", done=min(train, goals.train_labels) + min(test, goals.test_labels), total=goal)
    return {
        "votes": votes, "reached": reached, "ahead": ahead, "train": train, "train_goal": goals.train_labels,
        "test": test, "test_goal": goals.test_labels, "audit": counts.get("audit", 0), "needed": needed,
        "pair_words": compared,
        "steady": steady and asdict(steady),
        "label_words": said_label, "done": done,
    }  # fmt: skip


def _how_far(db: Database, voter_id: int, scope: Scope | None) -> tuple[dict[str, int], int | None, Steady | None]:
    counts = answers.counts(db, voter_id)
    return counts, scores.certificate(db, voter_id)[2], ask.until_steady(db, voter_id, scope) if counts["votes"] else None


@routes.get("/api/question")
async def question(request: web.Request) -> web.Response:
    """The next question of `?kind=pair|label|any`, without the photos of `&exclude=UID,UID`; null where there is no other.

    A comparison is of the part of the library that `&folder=`, `&from=`, `&to=` and `&class=` name, of `&of=` photos, and chosen
    as `&aim=` and `&order=` say. Asking changes nothing, so that a page can look ahead.
    """
    kind = _kind(request.query.get("kind", ""))
    exclude = [uid for uid in request.query.get("exclude", "").split(",") if uid]
    if len(exclude) > MOST:
        raise BadRequest(f'"exclude" may hold at most {MOST} photos.')
    part = await _within(request, request.rel_url.raw_query_string)
    asked = await _next(request, kind, part, exclude)
    return web.json_response({"next": asked_json(asked), "progress": await _progress(request, part)})


def _kind(name: str) -> str:
    if name not in KINDS:
        raise BadRequest('"kind" has to be pair, label or any.')
    return name


@routes.post("/api/answer")
async def answer(request: web.Request) -> web.Response:
    """Stored on disk before this returns, together with the next question of the same page.

    `kind` is that page's, and `within` the end of its address: `folder=...&from=...&to=...&of=4`.
    """
    fields = await said(request)
    asked, choice = _one_of(Question, fields.text("question")), _one_of(Choice, fields.text("choice"))
    kind = _kind(fields.text("kind", "pair" if asked in RATED else "label"))
    stored = await answering.answer(
        request.app[SERVICE], request[VOTER], asked, choice, fields.names("photos"), fields.text("purpose", "train"),
        fields.text("request", "") or None,
    )  # fmt: skip
    part = await _within(request, fields.text("within", "", longest=8192))
    following = await _next(request, kind, part)
    value = {"answer": stored.id, "next": asked_json(following), "progress": await _progress(request, part)}
    return reply(request, value, part.after(KINDS[kind]))


@routes.post("/api/undo")
async def undo(request: web.Request) -> web.Response:
    """Take back the newest answer, and give its question to be asked again."""
    fields = await said(request)
    kind = _kind(fields.text("kind", "any"))
    part = await _within(request, fields.text("within", "", longest=8192))
    taken_back = await answering.take_back(request.app[SERVICE], request[VOTER])
    undone, shown = taken_back.answer, taken_back.photos
    where = _where(undone.question, kind)
    if undone.question not in ELSEWHERE:
        again = [f"again={undone.question}", *(f"photo={photo.uid}" for photo in shown), f"purpose={undone.purpose}"]
        where = part.after(where + "?" + "&".join(again))
    value = {
        "question": undone.question, "choice": undone.choice, "purpose": undone.purpose, "group_size": 1, "page": where,
        "photos": [photo_json(photo) for photo in shown], "progress": await _progress(request, part),
    }  # fmt: skip
    return reply(request, value, where)


def _where(question: Question, kind: str) -> str:
    """The page on which a question is asked again: the one that was left, where it asks such."""
    own = "pair" if question in RATED else "label"
    return ELSEWHERE.get(question) or KINDS["any" if kind == "any" else own]


def _one_of(kind: Any, value: str) -> Any:
    try:
        return kind(value)
    except ValueError as exc:
        raise BadRequest(f'"{value}" is not one of {words.listed(kind)}.') from exc
