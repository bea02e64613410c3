"""Every address of the page, asked of a running service as a browser asks: how long each answer takes.

Run by `bench.store`. An address that the service has and this room does not know is an error: what is new gets its line here.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from bench.common import say

Address = Callable[[], str]
DOWNLOADS = frozenset({
    "/api/votes.csv", "/api/ranking.csv", "/api/preferences.jsonl", "/api/log.jsonl", "/api/tasks/{id}/export.csv",
    "/report/{run}/{name}", "/login", "/full/{uid}/{place}", "/api/events", "/plugin/{name}/{path:.*}",
})  # fmt: skip
"""Not asked: files as long as the library, pixels of an original, a stream, what plugins do, and the page that signs in."""


@dataclass(frozen=True)
class Took:
    """Milliseconds of each answer to one address, sorted; and of the service's processor time, which load changes less."""

    name: str
    times: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def p50(self) -> float:
        return self.times[len(self.times) // 2]

    @property
    def p99(self) -> float:
        return self.times[min(len(self.times) - 1, len(self.times) * 99 // 100)]

    @property
    def cpu_p99(self) -> float:
        return self.cpu[min(len(self.cpu) - 1, len(self.cpu) * 99 // 100)]


class Browser:
    """One connection that stays open, signed in."""

    def __init__(self, home: Path) -> None:
        told = json.loads((home / "run" / "service.json").read_text())
        self._host, self._headers = f"{told['host']}:{told['port']}", {"Accept": "text/html"}
        self._connection = http.client.HTTPConnection(told["host"], told["port"], timeout=300)
        link = json.loads(self._send("POST", "/api/login-link", "", Authorization=f"Bearer {told['key']}")[1])["url"]
        form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{self._host}"}
        self._send("POST", "/login", link.partition("?")[2], **form)

    def _send(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, bytes]:
        self._connection.request(method, path, body, self._headers | {"Host": self._host} | headers)
        answer = self._connection.getresponse()
        found = answer.read()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                self._headers["Cookie"] = value.partition(";")[0]
        return answer.status, found

    def get(self, path: str) -> bytes:
        status, found = self._send("GET", path)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {found[:300]!r}")
        return found

    def post(self, path: str, /, **fields: object) -> bytes:
        headers = {"Content-Type": "application/json", "Origin": f"http://{self._host}", "Accept": "application/json"}
        status, found = self._send("POST", path, json.dumps(fields), **headers)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {found[:300]!r}")
        return found


def addresses(home: Path, count: int, rng: random.Random) -> dict[str, Address]:
    """What is asked of a library of `bench.million`: each address anew with other values, at every depth."""
    with sqlite3.connect(f"file:{home / 'data' / 'library.db'}?mode=ro", uri=True) as db:
        marks = ",".join(str(i) for i in rng.sample(range(1, count), min(count - 1, 3000)))
        sql = f"SELECT uid FROM photos WHERE state = 'present' AND id IN ({marks})"
        uids: list[str] = [row[0] for row in db.execute(sql)]
        runs = [row[0] for row in db.execute("SELECT id FROM job_runs LIMIT 500")]
        grouped = [
            row[0] for row in db.execute(f"SELECT uid FROM photos WHERE state = 'present' AND id < {count // 20} LIMIT 999")
        ]

    def one() -> str:
        return str(rng.choice(uids))

    def number() -> int:
        return rng.randrange(1, count)

    def taken() -> str:
        return f"{1.1e9 + rng.random() * 6e8!r},{number()}"

    def mu() -> str:
        return f"{rng.gauss(25, 5)!r},{number()}"

    def year() -> int:
        return rng.randrange(2005, 2024)

    def folder() -> str:
        trip = rng.randrange(count // 200)
        return quote(f"{2005 + trip * 200 * 20 // count}/trip {trip:05}")

    def tiles(level: int, many: int) -> str:
        side = 1 << level
        left, top = rng.randrange(max(1, side - many)), rng.randrange(max(1, side - many))
        wanted = [(x, y) for x in range(left, min(side, left + many)) for y in range(top, min(side, top + many))]
        return ",".join(f"{level}.{x}.{y}" for x, y in wanted)

    found: dict[str, Address] = {
        path: partial(str, path)
        for path in (
            "/", "/help", "/api/status", "/metrics", "/api/alive", "/api/openapi.json", "/api/settings", "/settings",
            "/plugins", "/api/plugins", "/people", "/api/people", "/api/sessions", "/api/tokens", "/jobs", "/report",
            "/report.json", "/compare", "/label", "/ask", "/blind", "/api/blind", "/tasks", "/api/tasks", "/tasks/1",
            "/tasks/1/ask", "/api/tasks/1/question", "/photos", "/photos/apart", "/ranking", "/clusters", "/map", "/highlights",
            "/api/highlights", "/groups", "/groups/rule", "/suggestions", "/api/suggestions", "/suggestions/held",
            "/api/suggestions/held", "/trash", "/api/trash", "/answers", "/api/answers", "/log", "/api/log",
            "/static/style.css",
        )
    }  # fmt: skip
    return found | {
        "/photos?after": lambda: f"/photos?after={taken()}",
        "/photos?before": lambda: f"/photos?before={taken()}",
        "/photos?state=trashed&after": lambda: f"/photos?state=trashed&after={taken()}",
        "/photos?state=missing&after": lambda: f"/photos?state=missing&after={taken()}",
        "/photos?state=broken": lambda: "/photos?state=broken",
        "/photos?state=new": lambda: f"/photos?state=new&before={taken()}",
        "/photo/{uid}": lambda: f"/photo/{one()}",
        "/photo/{uid} in a group": lambda: f"/photo/{rng.choice(grouped)}",
        "/facts": lambda: f"/facts?photo={one()}&photo={one()}&photo={one()}&photo={one()}",
        "/api/facts": lambda: f"/api/facts?photo={one()}&photo={one()}",
        "/thumb/{uid}": lambda: f"/thumb/{one()}",
        "/ranking?after": lambda: f"/ranking?after={mu()}&start=101",
        "/ranking?sort=last": lambda: f"/ranking?sort=last&after={mu()}&start=101",
        "/ranking?sort=unsure": lambda: f"/ranking?sort=unsure&after={4 + rng.random()!r},{number()}&start=101",
        "/ranking?of=guesses": lambda: f"/ranking?of=guesses&after={mu()}&start=101",
        "/ranking?of=guesses&sort=last": lambda: f"/ranking?of=guesses&sort=last&after={mu()}&start=101",
        "/ranking?folder=A TRIP": lambda: f"/ranking?folder={folder()}",
        "/ranking?folder=A YEAR": lambda: f"/ranking?folder={year()}",
        "/ranking?folder=A YEAR&sort=last&after": lambda: f"/ranking?folder={year()}&sort=last&after={mu()}&start=101",
        "/ranking?from=A MONTH": lambda: f"/ranking?from={year()}-05&to={year()}-05",
        "/ranking?from&to in one year": lambda: (lambda y: f"/ranking?from={y}-05&to={y}-05")(year()),
        "/ranking?folder&from&to": lambda: f"/ranking?folder={year()}&from={year()}-05-01&sort=unsure",
        "/ranking?folder=A YEAR&from=A DAY": lambda: (lambda y: f"/ranking?folder={year()}&from={y}-05-01&to={y}-05-02")(year()),
        "/ranking?of=guesses&folder=A YEAR": lambda: f"/ranking?of=guesses&folder={year()}&after={mu()}&start=101",
        "/ranking?of=guesses&from=A DAY": lambda: (lambda y: f"/ranking?of=guesses&from={y}-05-01&to={y}-05-01")(year()),
        "/ranking?class": lambda: f"/ranking?class={rng.randrange(1, 4)}",
        "/ranking?class&folder=A YEAR": lambda: f"/ranking?class={rng.randrange(1, 4)}&folder={year()}",
        "/compare?folder=A TRIP": lambda: f"/compare?folder={folder()}",
        "/compare?folder=A YEAR&from": lambda: f"/compare?folder={year()}&from={year()}-05-01",
        "/compare?class": lambda: f"/compare?class={rng.randrange(1, 4)}",
        "/compare?aim=border&of=4": lambda: "/compare?aim=border&of=4",
        "/compare?order=smart": lambda: "/compare?order=smart&every=3",
        "/compare?order=elimination": lambda: f"/compare?order=elimination&round={count // 10 - rng.randrange(1000)}",
        "/api/question?kind=pair": lambda: f"/api/question?kind=pair&exclude={one()},{one()}",
        "/api/question?kind=label": lambda: "/api/question?kind=label",
        "/api/question?kind=any": lambda: "/api/question?kind=any",
        "/clusters?after": lambda: f"/clusters?after={rng.randrange(count // 300, count // 150)},{rng.randrange(200)}",
        "/cluster/{uid}": lambda: f"/cluster/{one()}",
        "/api/clusters/{uid}": lambda: f"/api/clusters/{one()}",
        "/api/map, all of it": lambda: "/api/map?tiles=0.0.0",
        "/api/map, level 3": lambda: f"/api/map?tiles={tiles(3, 5)}",
        "/api/map, level 6": lambda: f"/api/map?tiles={tiles(6, 5)}",
        "/api/map, deepest": lambda: f"/api/map?tiles={tiles(8, 5)}",
        "/api/map, kept": lambda: f"/api/map?tiles={tiles(5, 5)}&show=kept",
        "/api/map, unlabelled": lambda: f"/api/map?tiles={tiles(7, 5)}&show=unlabelled",
        "/api/map, 36 tiles": lambda: f"/api/map?tiles={tiles(8, 6)}",
        "/map?show=deleted": lambda: "/map?show=deleted",
        "/highlights?before": lambda: f"/highlights?before={1.1e9 + rng.random() * 6e8!r}",
        "/groups?kind": lambda: f"/groups?kind={rng.choice(('burst', 'same', 'copy', 'edit', 'series', 'scene'))}",
        "/groups?kind&after": lambda: f"/groups?kind=burst&after=burst,{rng.randrange(count // 100)}",
        "/groups?photo": lambda: f"/groups?photo={rng.choice(grouped)}",
        "/groups/rule?kind": lambda: f"/groups/rule?kind={rng.choice(('burst', 'same', 'copy'))}&keep=1",
        "/groups/rule?kind&folder=A YEAR": lambda: f"/groups/rule?kind=burst&keep=2&folder={year()}",
        "/groups/rule?kind&folder=A TRIP": lambda: f"/groups/rule?kind=burst&keep=2&folder={folder()}",
        "/suggestions?after": lambda: f"/suggestions?after={rng.randrange(count // 50)},0",
        "/suggestions?whose=all": lambda: "/suggestions?whose=all",
        "/suggestions?whose=all&after": lambda: f"/suggestions?whose=all&after={rng.randrange(count // 50)},0",
        "/suggestions?only=certified": lambda: "/suggestions?only=certified",
        "/suggestions?only=certified&after": lambda: f"/suggestions?only=certified&after={rng.randrange(count // 50)},0",
        "/suggestions?only=certified&whose=all": lambda: "/suggestions?only=certified&whose=all",
        "/api/suggestions?whose=all&after": lambda: f"/api/suggestions?whose=all&after={rng.randrange(count // 50)},0",
        "/suggestions/held?after": lambda: f"/suggestions/held?after={rng.randrange(count // 50)}",
        "/trash?after": lambda: f"/trash?after={number()}",
        "/api/trash?after": lambda: f"/api/trash?after={number()}",
        **{f"/answers?kind={kind}": partial(str, f"/answers?kind={kind}") for kind in ANSWERS},
        "/answers?kind=audits&before": lambda: f"/answers?kind=audits&before={rng.randrange(count // 10)}",
        "/api/answers?before": lambda: f"/api/answers?before={rng.randrange(1, count // 10)}",
        "/log?kind": lambda: f"/log?kind={rng.choice(('moved', 'written', 'sent'))}",
        "/log?text, common": lambda: f"/log?text=trip%20{rng.randrange(10)}",
        "/log?text, rare": lambda: f"/log?text=nobody{number()}",
        "/jobs/{name}": lambda: f"/jobs/{rng.choice(('scan', 'night', 'learn', 'group'))}",
        "/api/jobs/{name}/runs": lambda: "/api/jobs/scan/runs?limit=100",
        "/api/runs/{id}/log": lambda: f"/api/runs/{rng.choice(runs)}/log",
        "/tasks/{id}/photos": lambda: f"/tasks/1/photos?class={rng.randrange(1, 4)}",
        "/tasks/{id}/photos?after": lambda: f"/tasks/1/photos?class={rng.randrange(1, 4)}&after={rng.random()!r},{number()}",
        "/preview/{uid}": lambda: f"/preview/{one()}",
    }


ANSWERS = ("comparisons", "labels", "audits", "reviews", "outside", "ranking")


def unknown(browser: Browser, known: dict[str, Address]) -> list[str]:
    """Addresses of the service that are not asked."""
    asked = {re.sub(r"[?, ].*", "", name).replace("/tasks/1", "/tasks/{id}") for name in known}
    described = json.loads(browser.get("/api/openapi.json"))["paths"]
    return [path for path, methods in described.items() if "get" in methods and path not in asked | DOWNLOADS]


def measure(
    browser: Browser, known: dict[str, Address], calls: int, cpu: Callable[[], float], before: Callable[[], object] = tuple
) -> Iterator[Took]:
    """Each address so many times, after `before`, which is not timed."""
    for name, address in known.items():
        times, spent = [], []
        for _ in range(calls):
            before()
            path, used = address(), cpu()
            began = time.perf_counter()
            browser.get(path)
            times.append((time.perf_counter() - began) * 1000)
            spent.append((cpu() - used) * 1000)
        took = Took(name, tuple(sorted(times)), tuple(sorted(spent)))
        say(f"{name:45} p50 {took.p50:7.2f}  p99 {took.p99:7.2f}  of processor time {took.cpu_p99:7.2f} ms")
        yield took
