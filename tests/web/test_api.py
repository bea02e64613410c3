"""What programs read: the document of the API, the figures for Prometheus, the schema of the status, the runs of jobs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from precious_daemon import web
from precious_daemon.models import Photo
from precious_daemon.service import Service
from precious_daemon.store import job_runs
from precious_daemon.web.openapi import BODIES, document
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


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What fits a schema, and what does not."""
    anything = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | anything
    if schema.get("type") == "array":
        return st.lists(st.text(max_size=40), max_size=4) | anything
    if schema.get("type") == "object":
        return st.fixed_dictionaries({}, optional={name: values(part) for name, part in schema["properties"].items()}) | anything
    return anything


async def test_whatever_is_sent_is_answered_and_nothing_fails(site: web.Site, service: Service, library: list[Photo]) -> None:
    """Driven by the document: each route that takes a body gets what fits it and what does not."""
    told = document(site.app)
    uid, made = library[0].uid, 0
    fills = {"uid": uid, "id": "1", "number": "1", "name": "scan"}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:
        requests: list[tuple[str, str, Any]] = []

        @settings(max_examples=6, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(st.data())
        def draw(data: st.DataObject) -> None:
            for path, methods in told["paths"].items():
                for method, operation in methods.items():
                    if path == "/api/events":
                        continue
                    filled = re.sub(r"{(\w+)}", lambda part: data.draw(st.sampled_from([fills[part[1]], "nothing"])), path)
                    body = operation.get("requestBody")
                    schema = body["content"]["application/json"]["schema"] if body else None
                    requests.append((method, filled, data.draw(values(schema)) if schema else None))

        draw()
        for method, path, body in requests:
            sent = {"json": body} if method == "post" else {}
            async with session.request(method, site.address.local + path, allow_redirects=False, **sent) as response:
                text = await response.text(errors="replace")
                assert response.status < 500 or "application/json" not in response.content_type, (method, path, body, text)
                assert response.status != 500, (method, path, body, text)
                if response.status >= 400 and path.startswith("/api/"):
                    assert "error" in json.loads(text), (method, path, body, text)
                made += 1
    assert made > 200


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
