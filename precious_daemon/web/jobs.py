"""The jobs: what ran, what is due and what it waits for, the log of each run; run now, stop, pause."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from precious_daemon import status
from precious_daemon.errors import NotFound
from precious_daemon.pure import pauses
from precious_daemon.store import job_runs
from precious_daemon.web import words
from precious_daemon.web.events import deed, running
from precious_daemon.web.keys import SERVICE, VOTER
from precious_daemon.web.language import N_, _, told
from precious_daemon.web.render import page
from precious_daemon.web.talk import reply, said, whole

routes = web.RouteTableDef()

OUTCOMES = N_({"done": "finished", "failed": "failed", "stopped": "stopped early", "running": "is running"})
RUNS = 30  # shown of one job


@routes.get("/jobs")
async def show_all(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    now = await status.snapshot(service, request[VOTER])
    busy = {p["job"] for p in running(service)} | {
        j["name"] for j in now["jobs"] if j["last"] and j["last"]["outcome"] == "running"
    }
    return await page(request, "jobs.html", s=now, running=running(service), busy=busy, deed=deed, outcomes=OUTCOMES)


@routes.get("/jobs/{name}")
async def show_one(request: web.Request) -> web.Response:
    """The last runs of one job, each with its log."""
    service, name = request.app[SERVICE], _job(request)
    runs = await service.store.aread(job_runs.recent, name, RUNS)
    logs = {run.id: await service.store.aread(job_runs.log, run.id) for run in runs}
    return await page(request, "job.html", name=name, runs=runs, logs=logs, deed=deed, outcomes=OUTCOMES)


@routes.get("/api/jobs/{name}/runs")
async def show_runs(request: web.Request) -> web.Response:
    """The last runs of a job, newest first; `?limit=` up to 100."""
    limit = min(100, max(1, whole(request.query.get("limit", RUNS), "limit")))
    runs = await request.app[SERVICE].store.aread(job_runs.recent, _job(request), limit)
    return web.json_response({"runs": [asdict(run) for run in runs]})


@routes.get("/api/runs/{id}/log")
async def show_log(request: web.Request) -> web.Response:
    """What was logged while a run was under way; it is kept once the run has ended."""
    run_id = whole(request.match_info["id"], "id")
    log = await request.app[SERVICE].store.aread(job_runs.log, run_id)
    return web.json_response({"run": run_id, "lines": log.splitlines()})


@routes.post("/api/jobs/{name}/run")
async def run(request: web.Request) -> web.Response:
    """Run a job now, whatever the schedule says."""
    await said(request)
    name = _job(request)
    jobs = request.app[SERVICE].jobs
    note = _("Reading new photos stays paused.") if jobs.paused and name in ("scan", "night") else ""
    return reply(request, {"job": name, "started": jobs.start(name), "note": note}, "/jobs")


@routes.post("/api/jobs/{name}/stop")
async def stop(request: web.Request) -> web.Response:
    """Stop a job; what it has done is kept."""
    await said(request)
    name = _job(request)
    await request.app[SERVICE].jobs.stop_job(name)
    return reply(request, {"job": name, "stopped": True}, "/jobs")


@routes.post("/api/pause")
async def pause(request: web.Request) -> web.Response:
    """Read nothing new, start no scheduled job: `for` a while (1h), `until` a time (tomorrow, 18:30), or until resumed."""
    fields = await said(request)
    service = request.app[SERVICE]
    now = service.clock()
    span, until_text = fields.text("for", ""), fields.text("until", "")
    if span == "tomorrow":  # the page offers both kinds in one list
        span, until_text = "", span
    until = pauses.end(now, span, until_text)
    pause = await service.jobs.pause(until)
    sentence = pauses.sentence(pause, words.moment(until, now) if until else "")
    return reply(request, {"until": until, "sentence": told(sentence)}, "/")


@routes.post("/api/resume")
async def resume(request: web.Request) -> web.Response:
    """End the pause, and make up for what was held back."""
    await said(request)
    await request.app[SERVICE].jobs.resume()
    return reply(request, {"until": None, "sentence": _("Reading and the schedule go on.")}, "/")


def _job(request: web.Request) -> str:
    name, names = request.match_info["name"], request.app[SERVICE].jobs.NAMES
    if name not in names:
        raise NotFound(f"There is no job of that name; there are {words.listed(names)}.")
    return name
