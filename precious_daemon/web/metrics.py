"""Figures for Prometheus, in its text format (version 0.0.4)."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from aiohttp import web

from precious_daemon import status
from precious_daemon.web.keys import SERVICE, VOTER

routes = web.RouteTableDef()

Sample = tuple[dict[str, str], float]


@routes.get("/metrics")
async def show(request: web.Request) -> web.Response:
    """For Prometheus, with a key of the scope `read`."""
    now = await status.snapshot(request.app[SERVICE], request[VOTER])
    return web.Response(text=text(now), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def text(now: dict[str, Any]) -> str:
    """All figures of a status."""
    return "".join(line + "\n" for name, kind, meaning, samples in _figures(now) for line in _lines(name, kind, meaning, samples))


def _figures(now: dict[str, Any]) -> Iterator[tuple[str, str, str, Iterable[Sample]]]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    ran = [(job["name"], job["last"]) for job in now["jobs"] if job["last"]]
    ended = [(name, last) for name, last in ran if last["finished_at"]]
    yield "precious_info", "gauge", "The version that runs.", [({"version": now["version"]}, 1)]
    yield "precious_photos", "gauge", "Photos by what is known of them.", [({"state": s}, n) for s, n in now["photos"].items()]
    states = [({"folder": root["path"], "state": str(root["state"])}, 1) for root in now["roots"]]
    yield "precious_folder_state", "gauge", "Watched folders; the state is a label.", states
    answers = [({"kind": kind}, now["answers"][kind]) for kind in ("votes", "train", "test", "audit", "review")]
    yield "precious_answers", "gauge", "Answers that count.", answers
    yield "precious_suggestions_open", "gauge", "Suggestions that wait for a decision.", [({}, now["suggestions"]["open"])]
    yield "precious_suggestions_bytes", "gauge", "What they take up.", [({}, now["suggestions"]["bytes"])]
    yield "precious_certified", "gauge", "1 where suggestions are certified.", [({}, now["certificate"]["certified"])]
    yield "precious_trash_photos", "gauge", "Photos in the trash.", [({}, now["trash"]["units"])]
    yield "precious_trash_bytes", "gauge", "What they take up.", [({}, now["trash"]["bytes"])]
    yield "precious_disk_free_bytes", "gauge", "Left on the disk of the library.", [({}, now["disk"]["free"])]
    yield "precious_job_last_start_seconds", "gauge", "When each job began last.", [({"job": n}, r["started_at"]) for n, r in ran]
    seconds = [({"job": name}, last["finished_at"] - last["started_at"]) for name, last in ended]
    yield "precious_job_last_duration_seconds", "gauge", "How long its last run took.", seconds
    failed = [({"job": name}, last["outcome"] == "failed") for name, last in ended]
    yield "precious_job_last_failed", "gauge", "1 where its last run failed.", failed
    waiting = [({"job": job["name"], "why": job["waits"]}, 1) for job in now["jobs"] if job["waits"]]
    yield "precious_job_waiting", "gauge", "Jobs that are due, and what they wait for.", waiting
    yield "precious_paused", "gauge", "1 in a pause.", [({}, now["paused"] is not None)]
    yield "precious_warnings", "gauge", "What wants attention.", [({}, len(now["warnings"]))]
    cpu = usage.ru_utime + usage.ru_stime
    yield "process_cpu_seconds_total", "counter", "Processor time of the service itself.", [({}, cpu)]
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    yield "precious_peak_memory_bytes", "gauge", "The most memory that the service itself ever held.", [({}, peak)]


def _lines(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{inside}}} {float(value):.15g}" if inside else f"{name} {float(value):.15g}"


def _escaped(text: str) -> str:
    whole = text.encode("utf-8", "replace").decode()
    return whole.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
