"""What is lost when the service is killed, or the power cut, at any moment: nothing, or the run says what.

    python -m bench.faults [--quick] [--kills N] [--cuts N]

An owner answers without pause and moves photos to the trash and back; at a random moment the process gets SIGKILL, or the
file system that holds both the photos and the library is shut down as by a power cut (ext4 on a loop device; needs root). Then
everything starts again. Counted are answers that were acknowledged and are not there, photos that are neither at their old nor
at their new place, databases that are not whole, and the seconds until the page answers.
"""

from __future__ import annotations

import http.client
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
import uuid
from contextlib import closing
from pathlib import Path

from bench.common import Figure, arguments, demo_library, report, say
from tests.e2e.process import Owner, ServiceProcess
from tests.faults.disks import Disk

BUSY = 1.5  # seconds of work before the blow, at most


class Busy(threading.Thread):
    """An owner who answers and deletes until the connection breaks; `kept` answers were acknowledged."""

    def __init__(self, owner: Owner, rng: random.Random) -> None:
        super().__init__(daemon=True)
        self.owner, self.rng, self.kept = owner, rng, 0

    def run(self) -> None:
        try:
            while True:
                asked = self.owner.get("/api/question?kind=pair")["next"]
                self.owner.post(
                    "/api/answer", question="pair", choice=self.rng.choice(("first", "second", "draw")), purpose=asked["purpose"],
                    photos=[photo["uid"] for photo in asked["photos"]], request=uuid.uuid4().hex,
                )  # fmt: skip
                self.kept += 1
                if self.kept % 3 == 0:
                    self._move()
        except (OSError, http.client.HTTPException, AssertionError, ValueError):
            return  # the blow

    def _move(self) -> None:
        units = [unit["uid"] for unit in self.owner.get("/api/trash")["units"]]
        if units and self.rng.random() < 0.6:
            self.owner.post("/api/trash/restore", uids=units[:3])
        elif open_ones := [s["uid"] for s in self.owner.get("/api/suggestions")["suggestions"]][:3]:
            self.owner.post("/api/suggestions/approve", uids=open_ones, typed_count=len(open_ones))


class Trial:
    """One library, hit again and again."""

    def __init__(self, base: Path, photos: int) -> None:
        self.home, self.folder = base / "home", base / "Pictures"
        self.home.mkdir()
        (self.home / "config.toml").write_text("[trash]\ndaily_percent = 100.0\nbatch = 1000\n")
        os.environ["PRECIOUS_HOME"] = str(self.home)
        demo_library(self.folder, photos)
        os.sync()
        self.before = self._contents()
        self.lost_answers = self.lost_photos = self.broken = 0
        self.ready: list[float] = []
        self.votes = 0

    def _contents(self) -> list[bytes]:
        return sorted(path.read_bytes() for path in self.folder.rglob("*") if path.suffix.lower() in (".jpg", ".png"))

    def hit(self, blow: str, disk: Disk | None, rng: random.Random) -> None:
        service = ServiceProcess(str(self.folder))
        owner = service.start(60)
        self._wait_until_read(owner)
        busy = Busy(owner, rng)
        busy.start()
        time.sleep(rng.uniform(0.05, BUSY))
        if disk and blow == "power":
            disk.cut_the_power()
        service.kill()
        busy.join(30)
        if disk and blow == "power":
            disk.power_up()
        began = time.monotonic()
        owner = service.start(60)
        self.ready.append(time.monotonic() - began)
        votes = owner.status["answers"]["votes"]
        self.lost_answers += max(0, self.votes + busy.kept - votes)
        self.votes = votes
        self.lost_photos += sum(1 for content in set(self.before) - set(self._contents()))
        service.stop()
        for name in ("data/library.db", "cache/cache.db"):
            with closing(sqlite3.connect(self.home / name)) as db:
                self.broken += db.execute("PRAGMA integrity_check").fetchone()[0] != "ok"

    def _wait_until_read(self, owner: Owner) -> None:
        while owner.status["photos"]["new"] or not owner.status["groups"]["clusters"]:
            time.sleep(0.2)

    def figures(self, what: str) -> dict[str, Figure]:
        return {
            f"{what}: acknowledged answers lost": Figure(self.lost_answers, "", 0),
            f"{what}: photos lost": Figure(self.lost_photos, "", 0),
            f"{what}: databases damaged": Figure(self.broken, "", 0),
            f"{what}: answers given": Figure(self.votes, ""),
            f"{what}: ready again, median": Figure(statistics.median(self.ready), "s", 5),
            f"{what}: ready again, slowest": Figure(max(self.ready), "s", 5),
        }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--kills", type=int, help="how often; 1,000, or 5 with --quick")
    parser.add_argument("--cuts", type=int, help="how often; 200, or 2 with --quick")
    given = parser.parse_args()
    kills = (5 if given.quick else 1000) if given.kills is None else given.kills
    cuts = (2 if given.quick else 200) if given.cuts is None else given.cuts
    rng = random.Random(1)
    base = Path(tempfile.mkdtemp(prefix="faults-"))
    figures: dict[str, Figure] = {}
    try:
        if kills:
            (base / "kills").mkdir()
            trial = Trial(base / "kills", 40)
            for number in range(kills):
                say(f"kill {number + 1} of {kills}")
                trial.hit("kill", None, rng)
            figures |= trial.figures("SIGKILL")
        if cuts and (sys.platform != "linux" or os.geteuid() != 0):
            say("cutting the power of a file system needs root on Linux: left out")
        elif cuts:
            disk = Disk(base / "disk.img", base / "disk", 256)
            try:
                trial = Trial(disk.path, 40)
                for number in range(cuts):
                    say(f"power cut {number + 1} of {cuts}")
                    trial.hit("power", disk, rng)
                figures |= trial.figures("power cut")
            finally:
                disk.close()
    finally:
        shutil.rmtree(base)
    report("faults", {"kills": kills, "power cuts": cuts, "load average": f"{os.getloadavg()[0]:.1f}"}, figures)


if __name__ == "__main__":
    main()
