"""My answers: everything that was said, newest first, and any of it taken back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from aiohttp import web

from precious_daemon.asking import answering
from precious_daemon.models import Answer, Choice, Photo, Question, Rating
from precious_daemon.store import Database, answers, outside, photos
from precious_daemon.store.answers import PLACES
from precious_daemon.web import words
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.language import N_, _, told
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.render import page
from precious_daemon.web.talk import photo_json, reply, said, whole

routes = web.RouteTableDef()

_Shown = tuple[list[Answer], dict[int, Photo], Mapping[int, str]]

A_PAGE = 60
KINDS = N_(
    {
        "comparisons": ("Comparisons", (Question.PAIR, Question.FOUR)),
        "labels": ("Keep or delete", (Question.LABEL,)),
        "audits": ("Blind checks", (Question.AUDIT, Question.ENOUGH)),
        "reviews": ("Reviews", (Question.SUGGESTION,)),
        "outside": ("Said elsewhere", (Question.OUTSIDE,)),
        "ranking": ("Taken out", (Question.RANKING,)),
    }
)
WORDS = N_(
    {
        Choice.KEEP: "Keep",
        Choice.DELETE: "Delete",
        Choice.BOTH_KEEP: "Both stay",
        Choice.BOTH_DELETE: "Both go",
        Choice.DRAW: "Equal",
        Choice.SKIP: "Skipped",
        Choice.OUT: "Taken out of the ranking",
        Choice.ORDER: "In this order",
    }
)
ENOUGH = N_(
    {
        Choice.FIRST: "The left one is enough",
        Choice.SECOND: "The right one is enough",
        Choice.DRAW: "Either of them is enough",
    }
)
PURPOSES = N_(
    {
        "rank": "for the ranking",
        "top": "for the top",
        "border": "at the border of keeping",
        "train": "to learn from",
        "test": "to test with",
        "audit": "a blind check",
        "review": "a suggestion reviewed",
        "duplicate": "another copy stays",
        "import": "brought along",
        "outside": "by a file that went or came back",
        "xmp": "by its sidecar",
        "elsewhere": "with another program",
    }
)


OF_TWO = N_(("The left one is better", "The right one is better"))
OF_FOUR = N_(
    ("The first one is the best", "The second one is the best", "The third one is the best", "The fourth one is the best")
)


def sentence(answer: Answer, how: Mapping[int, str]) -> str:
    """`The left one is better, for the ranking`. `how` tells of answers that were given with another program."""
    what = WORDS.get(answer.choice or Choice.SKIP, "")
    if answer.question is Question.ENOUGH:
        what = ENOUGH.get(answer.choice or Choice.SKIP, what)
    elif answer.choice in PLACES:
        what = (OF_TWO if len(answer.photos) == 2 else OF_FOUR)[PLACES[Choice(answer.choice)]]
    purpose = told(how[answer.id]) if answer.id in how else _(PURPOSES.get(answer.purpose, answer.purpose))
    return _("{what}, {purpose}", what=_(what), purpose=purpose)


def chosen(answer: Answer) -> int | None:
    """The photo that the answer named, of several."""
    return answer.photos[PLACES[Choice(answer.choice)]] if answer.choice in PLACES else None


@routes.get("/answers")
async def show(request: web.Request) -> web.Response:
    kind, before = _asked(request)
    found, shown, how = await request.app[SERVICE].store.aread(_page, request[VOTER], kind, before)
    return await page(
        request, "answers.html", found=found, shown=shown, kind=kind, kinds=KINDS, first=before is None,
        sentence=partial(sentence, how=how), chosen=chosen,
        older=found[-1].id if len(found) == A_PAGE else None, news=request.query.get("news", ""),
    )  # fmt: skip


@routes.get("/api/answers")
async def listing(request: web.Request) -> web.Response:
    """Answers that count, newest first: `?kind=` one of those of the page, `&before=` the id of the last one shown."""
    kind, before = _asked(request)
    found, shown, how = await request.app[SERVICE].store.aread(_page, request[VOTER], kind, before)
    return web.json_response({
        "answers": [
            {
                "id": answer.id, "at": answer.at, "question": answer.question, "choice": answer.choice, "purpose": answer.purpose,
                "sentence": sentence(answer, how), "photos": [photo_json(shown[i]) for i in answer.photos if i in shown],
            }
            for answer in found
        ],
        "before": found[-1].id if len(found) == A_PAGE else None,
    })  # fmt: skip


@routes.post("/api/answers/{id}/undo")
async def undo(request: web.Request) -> web.Response:
    """Take back any answer. Ratings are then what they would be had it never been given; the reply says what that changed."""
    fields = await said(request)
    service, answer_id = request.app[SERVICE], whole(request.match_info["id"])
    how = await service.store.aread(outside.how, [answer_id])
    undone = await answering.take_back(service, request[VOTER], answer_id)
    names = {photo.id: words.name(photo.path) for photo in undone.photos}
    change = changes(names, undone.before, undone.after)
    outcome = f"{_('Taken back: {answer}.', answer=sentence(undone.answer, how))} {change}".strip()
    value = {"id": undone.answer.id, "sentence": outcome, "photos": [photo_json(photo) for photo in undone.photos]}
    kind = fields.text("kind", "")
    return reply(request, value, f"/answers?kind={kind}&news=taken" if kind in KINDS else "/answers?news=taken")


def changes(names: Mapping[int, str], before: Mapping[int, Rating], after: Mapping[int, Rating]) -> str:
    """What became of the ratings of the photos that an answer was about, in words."""
    parts = []
    for photo_id, name in names.items():
        old, new = before.get(photo_id), after.get(photo_id)
        if old and new and round(old.mu, 1) != round(new.mu, 1):
            parts.append(_("{name} goes from {old} to {new}", name=name, old=f"{old.mu:.1f}", new=f"{new.mu:.1f}"))
        elif old and new is None:
            parts.append(_("{name} has no comparison left", name=name))
    return _("; ").join(parts) + _(".") if parts else ""


def _asked(request: web.Request) -> tuple[str, int | None]:
    kind, before = request.query.get("kind", ""), request.query.get("before")
    if kind and kind not in KINDS:
        raise BadRequest(f'"kind" has to be one of {words.listed(KINDS)}.')
    return kind, whole(before, "before") if before else None


def _page(db: Database, voter_id: int, kind: str, before: int | None) -> _Shown:
    found = answers.page(db, voter_id, KINDS[kind][1] if kind else (), before, A_PAGE)
    shown = photos.many(db, {i for answer in found for i in answer.photos})
    return found, shown, outside.how(db, [answer.id for answer in found])
