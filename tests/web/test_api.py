"""What programs read: the document of the API, the figures for Prometheus, the schema of the status, the runs of jobs."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from precious_daemon import web
from precious_daemon.models import Photo
from precious_daemon.service import Service
from precious_daemon.store import job_runs
from precious_daemon.web.openapi import BODIES
from tests.web.library import KEY, Browser

TOP = Path(__file__).parents[2]


async def test_the_document_names_every_route_of_the_api_and_nothing_else(site: web.Site, browser: Browser) -> None:
    told = await (await browser.get("/api/openapi.json")).json()
    there = {
        (route.resource.canonical, route.method.lower())
        for route in site.app.router.routes()
        if route.resource and route.method != "HEAD" and route.resource.canonical.startswith("/api/")
    }
    named = {(path, method) for path, methods in told["paths"].items() for method in methods}
    assert {row for row in named if row[0].startswith("/api/")} == there
    assert {path for path, _ in named if not path.startswith("/api/")} == {"/thumb/{uid}", "/preview/{uid}", "/metrics"}
    assert {(path, "post") for path in BODIES} <= there
    operations = [operation["operationId"] for methods in told["paths"].values() for operation in methods.values()]
    assert len(operations) == len(set(operations))


async def test_whatever_is_sent_is_answered_as_the_document_says(
    site: web.Site, service: Service, library: list[Photo], tmp_path: Path
) -> None:
    """Schemathesis sends each route what fits its description and what does not.

    But for the one that never ends, and the one that has a child load torch for each file that is named.
    """
    passed_over = (
        "missing_required_header",  # what comes from no page and has no key is refused before it is asked who it is
        "positive_data_acceptance",  # a text may have the right form and mean nothing here
        "unsupported_method", "allow_header_conformance",  # /api/clusters/{uid} answers for /api/clusters/label, too
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run",
        f"{site.address.local}/api/openapi.json", "--header", f"Authorization: Bearer {KEY}", "--no-color",
        "--phases", "coverage,fuzzing", "--max-examples", "1", "--generation-deterministic",
        "--exclude-checks", ",".join(passed_over), "--exclude-path", "/api/events", "--exclude-path", "/api/model",
        "--max-failures", "5", "--warnings", "off",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


# --- figures -----------------------------------------------------------------------------------------------------------

LINE = re.compile(r'[a-z_]+(\{([a-z]+="([^"\\\n]|\\.)*",?)*\})? -?[0-9.e+-]+')


async def test_the_figures_are_in_the_format_of_prometheus(service: Service, browser: Browser, library: list[Photo]) -> None:
    await service.jobs.run("suggest")
    service.jobs.waiting["night"] = "on battery"
    response = await browser.get("/metrics")
    lines = (await response.text()).splitlines()
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    declared: set[str] = set()
    for line in lines:
        if line.startswith("# TYPE"):
            declared.add(line.split()[2])
        elif not line.startswith("#"):
            assert LINE.fullmatch(line), line
            assert re.split(r"[{ ]", line)[0] in declared
    for line in (
        'precious_photos{state="present"} 6',
        'precious_job_last_failed{job="suggest"} 0',
        'precious_job_waiting{job="night",why="on battery"} 1',
        "precious_paused 0",
    ):
        assert line in lines


# --- the status --------------------------------------------------------------------------------------------------------


def fits(value: Any, schema: dict[str, Any], where: str = "status") -> None:
    """As much of JSON Schema as `docs/status.schema.json` uses."""
    kinds = {
        "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None),
    }  # fmt: skip
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    real = [kind for kind in wanted if isinstance(value, kinds[kind]) and not (isinstance(value, bool) and kind != "boolean")]
    assert real or not wanted, f"{where} is {value!r}, not {wanted}"
    assert "enum" not in schema or value in schema["enum"], f"{where} is {value!r}"
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema["required"]) <= set(value), f"{where} lacks {set(schema['required']) - set(value)}"
        assert set(value) <= set(schema["properties"]), f"{where} has {set(value) - set(schema['properties'])}, not documented"
        for name, part in value.items():
            fits(part, schema["properties"][name], f"{where}.{name}")
    if isinstance(value, dict) and "additionalProperties" in schema:
        for name, part in value.items():
            fits(part, schema["additionalProperties"], f"{where}.{name}")
    if isinstance(value, list):
        for part in value:
            fits(part, schema["items"], f"{where}[]")


async def test_the_status_is_what_its_schema_says(service: Service, browser: Browser, library: list[Photo]) -> None:
    schema = json.loads((TOP / "docs" / "status.schema.json").read_text())
    await service.jobs.run("suggest")
    await service.jobs.pause(service.clock() + 60)
    service.jobs.waiting["night"] = "paused"
    told = await (await browser.get("/api/status")).json()
    fits(told | {"service": "running"}, schema)
    with pytest.raises(AssertionError, match="not documented"):
        fits(told | {"service": "running", "secret": 1}, schema)


# --- the runs of jobs --------------------------------------------------------------------------------------------------


async def test_each_run_of_a_job_has_its_log(service: Service, browser: Browser, library: list[Photo]) -> None:
    for _ in range(2):
        await service.jobs.run("suggest")
    told = await (await browser.get("/api/jobs/suggest/runs?limit=1")).json()
    (run,) = told["runs"]
    assert run["outcome"] == "done"
    log = await (await browser.get(f"/api/runs/{run['id']}/log")).json()
    assert any("choosing what to suggest" in line for line in log["lines"])
    text = await (await browser.get("/jobs/suggest")).text()
    assert text.count("Started by you") == 2
    assert "choosing what to suggest" in text
    assert (await browser.get("/jobs/nothing")).status == 404
    assert (await browser.get("/api/runs/999/log")).status == 404


async def test_only_the_last_runs_are_kept(service: Service) -> None:
    for _ in range(job_runs.KEPT + 5):
        service.store.write(lambda db: job_runs.finish(db, job_runs.start(db, "scan", "owner", 1.0), "done", "", None, 2.0))
    assert len(service.store.read(job_runs.recent, "scan", 1000)) == job_runs.KEPT


async def test_why_a_job_waits_is_on_the_page(service: Service, browser: Browser, library: list[Photo]) -> None:
    service.jobs.waiting["night"] = "on battery"
    service.jobs.next_run = lambda name: 1.0
    assert "waits: on battery" in await (await browser.get("/jobs")).text()
    assert "waits: on battery" in await (await browser.get("/")).text()
