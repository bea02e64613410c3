"""Bursts and copies, one group at a time: which frame is the best, what stays beside it, and what goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from aiohttp import web

from precious_daemon.models import Group, GroupDecision, GroupKind, GroupMember, Photo
from precious_daemon.store import Database, decisions, groups, photos
from precious_daemon.store.groups import Key
from precious_daemon.suggesting import review, rules
from precious_daemon.web import words
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.language import N_, _, _n
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.render import page
from precious_daemon.web.reviewing import JUST_NOW, told
from precious_daemon.web.talk import reply, said, whole

routes = web.RouteTableDef()

TABS = N_({
    None: "To decide", GroupKind.BURST: "Bursts", GroupKind.SAME: "Same picture", GroupKind.COPY: "Exact copies",
    GroupKind.EDIT: "Edits", GroupKind.SERIES: "Sets", GroupKind.SCENE: "Scenes",
})  # fmt: skip
WHAT = N_(
    {  # how many of what it is, and what can be done
        GroupKind.BURST: ("{n} frames of one moment", "Which one is the best? The others can go."),
        GroupKind.SAME: ("{n} versions of one picture", "Which one is the best? The others can go."),
        GroupKind.COPY: ("{n} exact copies", "Which one is the best? The others can go."),
        GroupKind.EDIT: ("{n} edits and their original", "You made them, so all are kept. Untick what may go."),
        GroupKind.SERIES: ("{n} frames that belong together", "They were taken as a set, so all are kept. Untick what may go."),
        GroupKind.SCENE: ("{n} photos of one view", "They are different photos, so all are kept. Untick what may go."),
    }
)
DEEDS = ("choose", "keep", "keep_all")


@dataclass(frozen=True, slots=True)
class Film:
    """One group on the page: its frames with their bytes, in the order they were taken."""

    key: Key
    group: Group
    frames: list[tuple[GroupMember, Photo, int]]

    @property
    def best(self) -> tuple[GroupMember, Photo, int]:
        """The first one, where the best is gone."""
        return next((frame for frame in self.frames if frame[0].best), self.frames[0])


def _film(db: Database, key: Key, group: Group) -> Film:
    ids = [member.photo_id for member in group.members]
    known, sizes = photos.many(db, ids), photos.sizes(db, ids)
    decided_before = any(member.kept for member in group.members)
    frames = [(member, known[member.photo_id], sizes.get(member.photo_id, 0)) for member in group.members]
    if not group.kind.thinned and not decided_before:
        frames = [(replace(member, kept=True), photo, size) for member, photo, size in frames]
    return Film(key, group, sorted(frames, key=lambda frame: (frame[1].taken_at or 0, frame[1].path)))


def _find(db: Database, voter_id: int, kind: GroupKind | None, after: Key | None, uid: str | None) -> Film | None:
    """The group of a photo, settled or not, or else the next one to review."""
    if uid:
        photo = photos.by_uid(db, uid)
        keys = [key for k in ([kind] if kind else GroupKind) if (key := groups.key_of(db, photo.id, k))]
        for key, group in groups.as_left(db, voter_id, keys).items():
            return _film(db, key, group)
    found = groups.next_to_review(db, voter_id, kind, after)
    return _film(db, *found) if found else None


@routes.get("/groups")
async def show_groups(request: web.Request) -> web.Response:
    service, voter_id = request.app[SERVICE], request[VOTER]
    kind, after = _kind(request.query.get("kind")), _key(request.query.get("after"))
    film = await service.store.aread(_find, voter_id, kind, after, request.query.get("photo"))
    last = await service.store.aread(decisions.newest, voter_id)
    by_rule = last is not None and await service.store.aread(decisions.rule_of, last.id) is not None
    return await page(
        request, "groups.html", film=film, kind=kind, tabs=TABS, what=_what(film), keeping=_keeping(film),
        counts=await service.store.aread(groups.counts),
        last=last if last and service.clock() - last.at < JUST_NOW else None,
        last_words=_("Your rule settled groups.") if by_rule else _deed(last) if last else "",
        following=_address(kind, film.key) if film else None, first=after is None,
    )  # fmt: skip


@routes.post("/api/groups/decide")
async def decide(request: web.Request) -> web.Response:
    """`deed`: `choose` only names the best, `keep` lets all go but the best and what is ticked, `keep_all` lets none go."""
    fields, service = await said(request), request.app[SERVICE]
    deed, kind = fields.text("deed"), _kind(fields.text("kind"))
    if deed not in DEEDS or kind is None:
        raise BadRequest(f'"deed" has to be one of {words.listed(DEEDS)}, and "kind" the kind of the group.')
    shown, best = fields.names("photos"), fields.text("best")
    stays = {"choose": [], "keep": [best, *fields.some("stays")], "keep_all": shown}[deed]
    decision, outcomes = await review.settle_group(
        service, request[VOTER], kind, shown, best, stays, fields.number("typed_count")
    )  # fmt: skip
    back = _address(_kind(fields.text("tab", "")), _key(fields.text("after", "")))
    if deed == "choose":
        back = f"/groups?kind={kind}&photo={best}"
    if outcomes:
        return await told(request, outcomes, back, decision=decision.id, next=back)
    return reply(request, {"decision": decision.id, "next": back, "refused": [], "sentence": _deed(decision)}, back)


@routes.post("/api/groups/undo")
async def undo(request: web.Request) -> web.Response:
    """Take back a decision: what went comes back, and the group is to be decided again; with it all that the same rule did."""
    fields, service = await said(request), request.app[SERVICE]
    number = fields.number("decision")
    if number is None:
        raise BadRequest("There is nothing to take back.")
    if rule := await service.store.aread(decisions.rule_of, number):
        outcomes = await rules.undo(service, request[VOTER], rule)
        if any(not outcome.moved for outcome in outcomes):
            return await told(request, outcomes, "/trash", next="/trash")
        sentence = _("Taken back, with all that the rule did.")
        return reply(request, {"next": "/groups", "sentence": sentence, "refused": []}, "/groups")
    decision, outcomes = await review.undo_group(service, request[VOTER], number)
    best = await service.store.aread(photos.get, decision.best)
    back = f"/groups?photo={best.uid}"
    if any(not outcome.moved for outcome in outcomes):
        return await told(request, outcomes, "/trash", next="/trash")
    return reply(request, {"next": back, "sentence": _("Taken back. Decide it anew."), "refused": []}, back)


def _what(film: Film | None) -> tuple[str, str]:
    if film is None:
        return "", ""
    what, advice = WHAT[film.group.kind]
    return _(what, n=len(film.frames)), _(advice)


def _keeping(film: Film | None) -> str:
    """What the button says as the group is; the script says the same of what is ticked then."""
    if film is None:
        return ""
    stays = sum(member.kept or photo is film.best[1] for member, photo, size in film.frames)
    going = len(film.frames) - stays
    if not going:
        return _("All of them stay")
    if stays == 1:
        return _n("Keep the best, {n} goes", "Keep the best, {n} go", going)
    return _n("Keep {stays}, {n} goes", "Keep {stays}, {n} go", going, stays=stays)


def _deed(decision: GroupDecision) -> str:
    total, stays = len(decision.members), len(decision.stays)
    if not stays:
        return _("You chose the best.")
    return _("All {n} stay.", n=total) if stays == total else _("You kept {stays} of {total}.", stays=stays, total=total)


def _address(kind: GroupKind | None, after: Key | None) -> str:
    query = ({"kind": kind} if kind else {}) | ({"after": f"{after[0]},{after[1]}"} if after else {})
    return "/groups" + (f"?{urlencode(query, safe=',')}" if query else "")


def _kind(value: str | None) -> GroupKind | None:
    if not value:
        return None
    try:
        return GroupKind(value)
    except ValueError as exc:
        raise BadRequest(f'"kind" has to be one of {words.listed(GroupKind)}.') from exc


def _key(value: str | None) -> Key | None:
    kind, _, number = (value or "").partition(",")
    found = _kind(kind)
    return (found, whole(number, "after")) if found else None
