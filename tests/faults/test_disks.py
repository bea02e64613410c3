"""A disk goes away, comes back empty, turns read-only or fills up under the running service."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import uuid
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.conftest import until
from tests.e2e.process import Owner, ServiceProcess, bytes_under
from tests.faults.disks import Disk
from tests.pictures import save

COUNT = 12
FROZEN_WITHIN = 10  # seconds


def photos_on(folder: Path) -> Path:
    for number in range(COUNT):
        save(folder / f"IMG_{number:03}.jpg", number, (96, 64))
    return folder


def at_rest(owner: Owner, present: int = COUNT) -> None:
    def read() -> bool:
        status = owner.status
        return status["photos"]["present"] == present and not status["photos"]["new"] and not status["running"]

    until(read, 60, "the photos were not read")


def root(owner: Owner) -> dict[str, str]:
    (found,) = owner.status["roots"]
    return found


def rows(home: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{home}/data/library.db?mode=ro", uri=True)) as db:
        return db.execute("SELECT uid, path, state, content_hash FROM photos ORDER BY id").fetchall()


@pytest.mark.parametrize("then", ["nothing", "an empty folder with the marker"])
def test_unmounted_disk_is_frozen_and_everything_is_as_before_when_it_is_back(
    disk: Disk, home: Path, services: list[ServiceProcess], then: str
) -> None:
    folder = photos_on(disk.path / "Pictures")
    service = ServiceProcess(str(folder))
    services.append(service)
    owner = service.start()
    at_rest(owner)
    before, marker = rows(home), (folder / ".precious-root").read_bytes()
    assert len(before) == COUNT

    disk.unmount()
    if then != "nothing":
        folder.mkdir()
        (folder / ".precious-root").write_bytes(marker)  # as somebody would who "repairs" it
    until(lambda: root(owner)["state"] != "watched", FROZEN_WITHIN, "the folder was not frozen")
    assert root(owner)["reason"]
    owner.post("/api/jobs/scan/run")
    owner.post("/api/jobs/suggest/run")
    until(lambda: not owner.status["running"], 30)
    assert rows(home) == before
    assert owner.get("/api/suggestions")["open"] == 0

    if then != "nothing":
        shutil.rmtree(folder)
    disk.mount()
    if root(owner)["state"] == "frozen":
        owner.post(f"/api/roots/{root(owner)['id']}/confirm")
    until(lambda: root(owner)["state"] == "watched", FROZEN_WITHIN, "the folder did not come back")
    at_rest(owner)
    assert rows(home) == before
    service.stop()


def test_disk_that_turns_read_only_keeps_its_photos_and_says_so(disk: Disk, services: list[ServiceProcess]) -> None:
    folder = photos_on(disk.path / "Pictures")
    shutil.copy2(folder / "IMG_000.jpg", folder / "IMG_000 (1).jpg")
    service = ServiceProcess(str(folder))
    services.append(service)
    owner = service.start()
    at_rest(owner, COUNT + 1)
    before = bytes_under(folder)
    owner.run("suggest")
    (suggested,) = owner.get("/api/suggestions")["suggestions"]
    disk.remount("ro")
    refused = owner.post("/api/suggestions/approve", uids=[suggested["uid"]])
    assert refused["moved"] == []
    assert "read-only" in refused["refused"][0]["message"]
    assert bytes_under(folder) == before
    disk.remount("rw")
    (again,) = owner.get("/api/suggestions")["suggestions"]
    assert len(owner.post("/api/suggestions/approve", uids=[again["uid"]])["moved"]) == 1
    service.stop()


def test_full_disk_never_says_saved_when_it_is_not(
    little: Path, tmp_path: Path, services: list[ServiceProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRECIOUS_HOME", str(little))
    folder = photos_on(tmp_path / "Pictures")
    service = ServiceProcess(str(folder))
    services.append(service)
    owner = service.start()
    at_rest(owner)
    uids = [photo["uid"] for photo in owner.get("/api/question?kind=pair")["next"]["photos"]]

    def vote() -> bool:
        """Whether the service said that it is kept."""
        fields = {"question": "pair", "choice": "first", "photos": uids, "purpose": "rank", "request": uuid.uuid4().hex}
        status, _, body = owner._send("POST", "/api/answer", json.dumps(fields).encode(), "application/json")
        assert status == 200 or b"error" in body, body
        return status == 200

    kept = sum(vote() for _ in range(5))
    assert kept == 5
    filler = little / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    failed = 0
    for _ in range(40):
        saved = vote()
        kept, failed = kept + saved, failed + (not saved)
    assert failed, "the disk was not full"
    assert owner.status["answers"]["votes"] == kept  # readable throughout
    filler.unlink()
    until(vote, 10, "it did not recover")
    assert owner.status["answers"]["votes"] == kept + 1
    service.kill()
    owner = service.start()
    assert owner.status["answers"]["votes"] == kept + 1
    service.stop()


def test_power_cut_while_photos_go_to_the_trash_and_back(
    disk: Disk, services: list[ServiceProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRECIOUS_HOME", str(disk.path / "home"))
    (disk.path / "home").mkdir()
    (disk.path / "home" / "config.toml").write_text("[trash]\ndaily_percent = 100.0\n")
    folder = photos_on(disk.path / "Pictures")
    for number in range(COUNT):
        shutil.copy2(folder / f"IMG_{number:03}.jpg", folder / f"copy {number}.jpg")
    os.sync()
    contents = sorted(bytes_under(folder).values())
    service = ServiceProcess(str(folder))
    services.append(service)
    for cut in range(4):
        owner = service.start()
        at_rest(owner, 2 * COUNT - owner.status["trash"]["units"])
        until(lambda owner=owner: owner.get("/api/suggestions")["open"] > 0, 60, "copies are suggested")
        votes = owner.status["answers"]["votes"]
        asked = owner.get("/api/question?kind=pair")["next"]
        owner.answer(asked, "first")
        uids = [s["uid"] for s in owner.get("/api/suggestions")["suggestions"]][:3]
        units = [unit["uid"] for unit in owner.get("/api/trash")["units"]]
        if cut % 2 == 0:
            told = owner.post("/api/suggestions/approve", uids=uids, typed_count=len(uids))
        else:
            told = owner.post("/api/trash/restore", uids=units[:2])
        assert told["moved"], told
        disk.cut_the_power()
        service.kill()
        disk.power_up()
        owner = service.start()
        assert owner.status["answers"]["votes"] == votes + 1, "an answer that was acknowledged"
        trashed = [path.read_bytes() for path in (folder / ".precious-trash").rglob("*.jpg")]
        assert sorted([*bytes_under(folder).values(), *trashed]) == contents
        service.stop()
