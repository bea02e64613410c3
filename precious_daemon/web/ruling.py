"""One rule for many groups: what it would mean is on the page before anything is done."""

from __future__ import annotations

import secrets

from aiohttp import web

from precious_daemon.models import GroupKind
from precious_daemon.store import decisions
from precious_daemon.suggesting import rules
from precious_daemon.suggesting.rules import Rule
from precious_daemon.web import within, words
from precious_daemon.web.grouping import TABS
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.render import page
from precious_daemon.web.reviewing import told
from precious_daemon.web.talk import said, whole
from precious_daemon.web.within import Within

routes = web.RouteTableDef()

KINDS = {kind: title for kind, title in TABS.items() if kind is not None and kind.thinned}
SHOWN = 24  # groups of a plan that the page shows
MOST_KEPT = 20


async def _rule(request: web.Request, kind: str, keep: str, prefer: str, many: str, query: str) -> tuple[Rule, Within]:
    try:
        of_kind = GroupKind(kind)
    except ValueError as exc:
        raise BadRequest(f'"kind" has to be one of {words.listed(KINDS)}.') from exc
    if of_kind not in KINDS:
        raise BadRequest(f"A rule is for {words.listed(KINDS)}: the others stay whole unless you look at them one by one.")
    number = whole(keep, "keep")
    if not 1 <= number <= MOST_KEPT:
        raise BadRequest(f'"keep" has to be from 1 to {MOST_KEPT}: of each group, at least one stays.')
    if (at_once := whole(many, "many")) not in rules.MANY:
        raise BadRequest(f'"many" has to be one of {words.listed(map(str, rules.MANY))}.')
    part = await request.app[SERVICE].store.aread(within.read, query)
    return Rule(of_kind, number, prefer.strip().strip("/"), part.scope, at_once), part


@routes.get("/groups/rule")
async def show_rule(request: web.Request) -> web.Response:
    """What the rule in the address would do; only the form where there is none."""
    query = request.query
    if "kind" not in query:
        return await page(request, "rule.html", rule=None, plan=None, within=Within(), kinds=KINDS, done=None)
    rule, part = await _rule(
        request, query["kind"], query.get("keep") or "1", query.get("prefer", ""), query.get("many") or str(rules.MANY[0]),
        request.rel_url.raw_query_string,
    )  # fmt: skip
    plan = await rules.plan(request.app[SERVICE], request[VOTER], rule)
    return await page(
        request, "rule.html", rule=rule, plan=plan, within=part, kinds=KINDS, shown=plan.settlings[:SHOWN],
        request_name=secrets.token_hex(16), at_once=rules.MANY[-1],
        more_at_once=request.rel_url.update_query(many=str(rules.MANY[-1])) if plan.more and rule.many < rules.MANY[-1] else None,
    )  # fmt: skip


@routes.post("/api/groups/rule")
async def settle(request: web.Request) -> web.Response:
    """Do what the page showed: `count` is how many photos were to go. `typed_count` where that is above the caps."""
    fields, service = await said(request), request.app[SERVICE]
    rule, _ = await _rule(
        request, fields.text("kind"), fields.text("keep"), fields.text("prefer", "", 1000),
        fields.text("many", str(rules.MANY[0])), fields.text("within", "", 3000),
    )  # fmt: skip
    count, name = fields.number("count"), fields.text("request")
    if count is None or not (name.isascii() and name.isalnum()):
        raise BadRequest('"count" has to say how many photos go, and "request" to name this decision.')
    outcomes = await rules.settle(service, request[VOTER], rule, name, count, fields.number("typed_count"))
    made = await service.store.aread(decisions.of_rule, request[VOTER], name)
    back = f"/groups?kind={rule.kind}"
    return await told(request, outcomes, back, decision=made[0].id if made else None, next=back)
