"""The service under more than one owner's load: everybody looks at once, everybody votes at once, while photos rain in.

    python -m bench.load [--quick] [--minutes N] [--clients N] [--voters N] [--files N]

A service of its own, as a process, is asked by 1,000 clients for 10 thumbnails each, all at once. Then 50 voters answer without
pause for N minutes while files are dropped into the watched folder. In the end every answer that was acknowledged has to be in
the database once, as it was given and for whom it was given, and every file has to be indexed. A latency is that of a request
with all others under way; all run on the machine of the service.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from bench.common import Figure, arguments, demo_library, report, rss_mb, say
from bench.daemon import Started, service

THUMBNAILS = 10  # of each client


@dataclass
class Watch:
    """What was seen of one kind of request."""

    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    async def one(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        began = time.perf_counter()
        try:
            found = await ask()
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            self.errors[f"{type(exc).__name__}: {exc}"[:100]] += 1
            return None
        self.seconds.append(time.perf_counter() - began)
        return found

    def figures(self, what: str, p99: float) -> dict[str, Figure]:
        for error, count in self.errors.most_common(3):
            say(f"{what}: {count} times {error}")
        ms = [1000 * second for second in self.seconds]
        return {
            f"{what}, requests": Figure(len(ms), ""),
            f"{what}, errors": Figure(self.errors.total(), "", 0),
            f"{what}, median": Figure(statistics.median(ms), "ms"),
            f"{what}, p99": Figure(statistics.quantiles(ms, n=100)[-1], "ms", p99),
        }


class Owner:
    """Speaks to the service with its key, and signs browsers in."""

    def __init__(self, home: Path) -> None:
        told = json.loads((home / "run" / "service.json").read_text())
        self.base, self.key = f"http://{told['host']}:{told['port']}", {"Authorization": f"Bearer {told['key']}"}
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(120)
        )

    async def get(self, path: str, **headers: str) -> Any:
        async with self.session.get(self.base + path, headers=self.key | headers) as response:
            response.raise_for_status()
            return await response.json()

    async def post(self, path: str, value: Any, **headers: str) -> Any:
        async with self.session.post(self.base + path, json=value, headers=self.key | headers) as response:
            response.raise_for_status()
            return await response.json()

    async def browser(self) -> dict[str, str]:
        """The headers of a browser that is signed in."""
        token = (await self.post("/api/login-link", {}))["local"].partition("token=")[2]
        headers = {"Sec-Fetch-Site": "same-origin"}
        form = {"token": token}
        async with self.session.post(self.base + "/login", data=form, headers=headers, allow_redirects=False) as response:
            assert response.status == 303, response.status
            return headers | {"Cookie": response.headers["Set-Cookie"].partition(";")[0]}

    async def settled(self, photos: int) -> None:
        """Until so many photos are read."""
        while (await self.get("/api/status"))["photos"]["present"] < photos:
            await asyncio.sleep(0.5)


class Memory:
    """The most that a process takes while this is entered."""

    def __init__(self, pid: int) -> None:
        self._pid, self.peak = pid, 0.0

    async def __aenter__(self) -> Memory:
        async def look() -> None:
            while True:
                self.peak = max(self.peak, rss_mb(self._pid))
                await asyncio.sleep(0.2)

        self._task = asyncio.create_task(look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()


async def thumbnails(owner: Owner, pid: int, uids: list[str], clients: int) -> dict[str, Figure]:
    """All clients at once, each with a connection of its own."""
    say(f"{clients} clients ask for {THUMBNAILS} thumbnails each")
    browser, watch, rng = await owner.browser(), Watch(), random.Random(0)
    ready = asyncio.Barrier(clients)

    async def client(wanted: list[str]) -> None:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector, headers=browser, timeout=aiohttp.ClientTimeout(120)) as session:

            async def thumbnail(uid: str) -> int:
                async with session.get(f"{owner.base}/thumb/{uid}") as response:
                    response.raise_for_status()
                    return len(await response.read())

            await ready.wait()
            for uid in wanted:
                await watch.one(partial(thumbnail, uid))

    began = time.perf_counter()
    async with Memory(pid) as memory:
        await asyncio.gather(*(client(rng.choices(uids, k=THUMBNAILS)) for _ in range(clients)))
    return watch.figures("thumbnails", 5000) | {
        "thumbnails, a second": Figure(len(watch.seconds) / (time.perf_counter() - began), "/s"),
        "thumbnails, most memory of the service": Figure(memory.peak, "MB", 250),
    }


@dataclass(frozen=True)
class Given:
    """An answer that was acknowledged."""

    request: str
    voter: str
    choice: str
    photos: tuple[str, ...]


async def vote(
    owner: Owner, started: Started, voters: int, seconds: float, folder: Path, files: int
) -> tuple[dict[str, Figure], list[Given]]:
    """Everybody answers without pause; what was acknowledged, and what it took."""
    say(f"{voters} voters answer for {seconds:g} s while {files:,} files come in")
    names = [f"voter {number}" for number in range(voters)]
    for name in names:
        await owner.post("/api/people", {"name": name})
    asking, answering, given = Watch(), Watch(), list[Given]()
    end = time.monotonic() + seconds

    async def voter(name: str, rng: random.Random) -> None:
        who = {"Precious-Voter": name.replace(" ", "%20")}
        while time.monotonic() < end:
            found = await asking.one(lambda: owner.get("/api/question?kind=pair", **who))
            asked = found and found["next"]
            while asked and time.monotonic() < end:
                said = Given(
                    uuid.uuid4().hex, name, rng.choice(("first", "second", "draw")), tuple(p["uid"] for p in asked["photos"])
                )
                body = {
                    "question": asked["question"], "choice": said.choice, "photos": said.photos, "purpose": asked["purpose"],
                    "request": said.request,
                }  # fmt: skip
                done = await answering.one(partial(owner.post, "/api/answer", body, **who))
                if done:
                    given.append(said)
                asked = done and done["next"]

    before = started.cpu()
    async with Memory(started.pid) as memory:
        dropping = asyncio.create_task(asyncio.to_thread(drop, folder, files, end))
        await asyncio.gather(*(voter(name, random.Random(name)) for name in names))
        await dropping
    return asking.figures("questions", 2000) | answering.figures("answers", 2000) | {
        "answers, a second": Figure(len(given) / seconds, "/s"),
        "answers, processor time of the service": Figure(1000 * (started.cpu() - before) / max(len(given), 1), "ms each"),
        "voting, most memory of the service": Figure(memory.peak, "MB", 250),
    }, given


def drop(folder: Path, count: int, end: float) -> None:
    """Small photos, each another picture, evenly over the time; whole from the first moment that they are seen."""
    import numpy as np
    from PIL import Image

    rng, folder = np.random.default_rng(0), folder / "dropped"
    pause = max(0.0, end - time.monotonic()) / count
    for number in range(count):
        place = folder / f"{number // 500:04}"
        place.mkdir(parents=True, exist_ok=True)
        part = place / f".{number}.part"
        small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        small.resize((320, 240)).save(part, "JPEG", quality=80)
        part.rename(place / f"{number:06}.jpg")
        time.sleep(max(0.0, end - time.monotonic() - pause * (count - number - 1)))


def account(home: Path, given: list[Given]) -> dict[str, Figure]:
    """Every acknowledged answer against the database, once the service has ended."""
    sql = """
        SELECT a.request, v.name, a.choice, p.uid, o.uid FROM answers a JOIN voters v ON v.id = a.voter_id
        JOIN photos p ON p.id = a.photo_id JOIN photos o ON o.id = a.other_id WHERE a.request IS NOT NULL
    """
    with closing(sqlite3.connect(f"file:{home}/data/library.db?mode=ro", uri=True)) as db:
        rows = {row[0]: Given(row[0], row[1], row[2], row[3:]) for row in db.execute(sql)}
        whole = db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    kept = {answer.request: answer for answer in given}
    return {
        "answers acknowledged": Figure(len(given), ""),
        "acknowledged answers lost": Figure(len(kept.keys() - rows.keys()), "", 0),
        "acknowledged answers changed": Figure(sum(rows[r] != kept[r] for r in kept.keys() & rows.keys()), "", 0),
        "answers stored that nobody gave": Figure(len(rows.keys() - kept.keys()), "", 0),
        "databases damaged": Figure(int(not whole), "", 0),
    }


async def measure(started: Started, home: Path, folder: Path, options: Any) -> tuple[dict[str, Figure], list[Given]]:
    owner = Owner(home)
    try:
        await owner.settled(options.photos)
        with closing(sqlite3.connect(f"file:{home}/data/library.db?mode=ro", uri=True)) as db:
            uids = [uid for (uid,) in db.execute("SELECT uid FROM photos WHERE state = 'present'")]
        figures = await thumbnails(owner, started.pid, uids, options.clients)
        further, given = await vote(owner, started, options.voters, options.seconds, folder, options.files)
        began = time.perf_counter()
        await owner.settled(options.photos + options.files)
        figures |= further | {"all files indexed after the voting": Figure(time.perf_counter() - began, "s")}
        with suppress(TimeoutError):
            figures["memory of the service afterwards"] = Figure(rss_mb(started.pid), "MB", 250)
    finally:
        await owner.session.close()
    return figures, given


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--minutes", type=float, default=10.0, help="of voting")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--voters", type=int, default=50)
    parser.add_argument("--files", type=int, help="dropped in while voting; 10,000, or 200 with --quick")
    options = parser.parse_args()
    options.photos = 60 if options.quick else 500
    options.files = options.files if options.files is not None else 200 if options.quick else 10_000
    options.seconds = 15.0 if options.quick else options.minutes * 60
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))
    with tempfile.TemporaryDirectory() as scratch:
        home, folder = Path(scratch, "home"), Path(scratch, "pictures")
        home.mkdir()
        (home / "config.toml").write_text(
            '[schedule]\nnight = "00:00"\nnight_end = "00:01"\n'
        )  # a night would be load of its own
        demo_library(folder, options.photos)
        with service(home, folder) as started:
            figures, given = asyncio.run(measure(started, home, folder, options))
        figures |= account(home, given)
    conditions = {
        "clients": options.clients, "voters": options.voters, "seconds of voting": options.seconds, "photos": options.photos,
        "files dropped": options.files, "load average": f"{os.getloadavg()[0]:.1f}",
    }  # fmt: skip
    report("load", conditions, figures)


if __name__ == "__main__":
    main()
