"""The main job, end to end: the real service on a made library, an owner over HTTP, kill -9 in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from precious_daemon.demo.__main__ import read_truth, truth_file
from precious_daemon.words import papers
from tests.e2e.process import ServiceProcess, bytes_under, command

COUNT = 200
TRAIN, TEST = 45, 20


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "Pictures"
    made = [sys.executable, "-m", "precious_daemon.demo", str(folder), "--count", str(COUNT)]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (1_700_000_000, 1_700_000_000))  # long settled
    return folder


@pytest.fixture
def service(library: Path, home: Path) -> Iterator[ServiceProcess]:
    (home / "config.toml").write_text(f"[ask]\ntrain_labels = {TRAIN}\ntest_labels = {TEST}\n[ingest]\nworkers = 2\n")
    process = ServiceProcess(str(library))
    yield process
    process.close()


@pytest.mark.timeout(900)
def test_an_evening_and_a_night(service: ServiceProcess, library: Path, home: Path) -> None:
    truth = {str(t.path): t for t in read_truth(truth_file(library))}
    before = bytes_under(library)

    # a first scan, with the service killed in the middle of it: nothing is read twice, nothing is lost
    service.start()
    service.kill()
    owner = service.start()
    status = owner.settled(len(truth))
    assert status["photos"]["new"] == status["photos"]["broken"] == 0
    assert status["groups"]["clusters"] > 1
    assert status["groups"].get("burst", 0) > 0

    # an evening of answers, with a kill -9 after some of them
    def goes(path: str) -> bool:
        return truth[path].junk

    owner.vote(30, lambda a, b: (goes(a), a) < (goes(b), b))
    owner.label(30, goes)
    answered = owner.status["answers"]
    service.kill()
    owner = service.start()
    assert owner.status["answers"] == answered, "every acknowledged answer is there"
    owner.vote(30, lambda a, b: (goes(a), a) < (goes(b), b))
    owner.label(TRAIN + TEST - 30, goes)
    said = owner.status["answers"]
    assert (said["votes"], said["train"], said["test"]) == (60, TRAIN, TEST)

    # the night's work
    night = owner.run("night")
    assert night["outcome"] == "done", night
    status = owner.status
    assert status["model"], night["detail"]
    figures = status["model"]["metrics"]
    assert 0 < figures["n"] <= TEST, "those of a burst that was trained on do not test it"
    assert b"precision" in owner.get("/report").lower()
    (paper,) = (home / "data" / "reports" / "nights").glob("*/night.html")
    assert papers.CERTIFICATE not in paper.read_text(), "the sentence stands in its place"
    newest = json.loads((home / "data" / "reports" / "report" / "latest.json").read_text())
    assert len(newest["suggestions"]) == status["suggestions"]["open"] > 0

    # what it suggests is mostly junk, and never the frame to keep
    suggestions = owner.get("/api/suggestions")["suggestions"]
    assert all(s["reasons"] for s in suggestions)
    right = sum(goes(s["photo"]["path"]) or truth[s["photo"]["path"]].kind in ("copy", "edit") for s in suggestions)
    assert right / len(suggestions) > 0.6, f"{right} of {len(suggestions)}"

    # a dry run says where it would go, and moves nothing
    assert "Would move" in command("apply", suggestions[0]["uid"][:12], "--dry-run")
    assert bytes_under(library) == before

    # approve two: they move with all their companions, byte for byte
    chosen = suggestions[:2]
    gone = owner.post("/api/suggestions/approve", uids=[s["uid"] for s in chosen])
    assert len(gone["moved"]) == 2, gone
    after = bytes_under(library)
    for s in chosen:
        stem = os.path.splitext(s["photo"]["path"])[0]
        assert s["photo"]["path"] not in after
        assert not [name for name in after if os.path.splitext(name)[0] == stem]
    trash = library / ".precious-trash"
    assert {before[s["photo"]["path"]] for s in chosen} <= {p.read_bytes() for p in trash.rglob("*") if p.is_file()}

    # killed and started again, the trash is what it was; undo brings every byte back
    service.kill()
    owner = service.start()
    assert owner.status["trash"]["units"] == 2
    assert "Stopped" not in command("trash", "list")
    undone = json.loads(command("undo", "--last", "--json"))
    assert (sorted(undone["moved"]), undone["refused"]) == (sorted(gone["moved"]), [])
    assert bytes_under(library) == before
    assert owner.status["trash"]["units"] == 0

    # a dismissed suggestion stays dismissed
    left = owner.get("/api/suggestions")["suggestions"]
    owner.post("/api/suggestions/dismiss", uids=[left[0]["uid"]])
    owner.run("suggest")
    assert left[0]["photo"]["path"] not in {s["photo"]["path"] for s in owner.get("/api/suggestions")["suggestions"]}

    assert service.stop(signal.SIGTERM) < 10
    assert service.process.returncode == 0
    assert any("Stopped" in line for line in service.lines)
    assert bytes_under(library) == before
