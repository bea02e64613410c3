"""The grouping child as the service runs it: a process, a job folder, results."""

from __future__ import annotations

import json
import math
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from blake3 import blake3
from PIL import ImageFilter

from precious_daemon.config import ClusterSettings, Places
from precious_daemon.grouping import __main__ as grouping
from precious_daemon.models import Quality
from precious_daemon.store import Store, clusters, groups, schema
from precious_daemon.work import jobfolder
from precious_daemon.work.jobfolder import PhotoRow
from tests.pure.album import scene

BACKBONE = "some-network"
GOOD = Quality(0.6, 0.7, 0.3, 0.2, 0.2, 0.0, 0.5, 0.4, 0.0, 0.0, 0.3, 0.3, 0.05, 0.9, 0.29)


@pytest.fixture
def job(here: Places) -> Path:
    """60 photos in four kinds, 3 frames of a burst among them and one copy; every tenth without its embedding."""
    here.make()
    schema.migrate(here)
    folder = here.jobs / "group-1"
    folder.mkdir()
    rng = np.random.default_rng(0)
    kinds, gradients = rng.normal(size=(4, 32)), rng.normal(size=(60, 36))
    photos = []
    with closing(sqlite3.connect(here.cache_db)) as cache, cache:
        for i in range(60):
            content = f"{min(i, 58):064x}"  # the last is a copy of the one before
            frame = i in (20, 21, 22)
            photos.append(
                PhotoRow(
                    i + 1, content, int(rng.integers(0, 2**63)), 1000.0 * i if not frame else 5000.0 + i, "Canon EOS R6",
                    4000, 3000, 1000, "JPEG", f"2023/IMG_{i}.JPG", 0,
                )
            )  # fmt: skip
            key = bytes.fromhex(content)
            hog = gradients[i].astype(np.float16).tobytes()
            cache.execute("INSERT OR REPLACE INTO pictures VALUES (?, x'', ?, ?, ?)", [key, proxy(i % 4), hog, GOOD.pack()])
            if i % 10 != 5:
                vector = (kinds[min(i, 58) % 4 if not frame else 0] + rng.normal(0, 0.1, 32)).astype(np.float16).tobytes()
                cache.execute("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)", [key, BACKBONE, vector])
    jobfolder.write_photos(folder, photos)
    write_job(folder, here)
    return folder


def proxy(kind: int) -> bytes:
    """A small picture, bright in one corner."""
    pixels = np.zeros((24, 32, 3), np.uint8)
    pixels[12 * (kind // 2) :, 16 * (kind % 2) :][:12, :16] = 200
    return bytes(simplejpeg.encode_jpeg(pixels))


def write_job(folder: Path, here: Places, **changes: Any) -> None:
    settings = asdict(ClusterSettings()) | changes.pop("clusters", {})
    job = {"task": "group", "cache_db": str(here.cache_db), "backbone": BACKBONE, "representatives": 12, "seed": 0}
    job |= {"clusters": settings, "worker_megabytes": 1024}
    jobfolder.write_json(folder, "job.json", job | changes)


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "precious_daemon.grouping", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run_apart(folder: Path) -> list[dict[str, object]]:
    """Run the child to its end, and return what it said."""
    said, complaints = start(folder).communicate(timeout=120)
    assert complaints == ""
    return [json.loads(line) for line in said.splitlines()]


def run(folder: Path) -> list[dict[str, object]]:
    """The same in this process, which has its libraries loaded."""
    said: list[dict[str, object]] = []
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobfolder, "step_back", lambda: None)
        patch.setattr(jobfolder, "say", lambda what, done, total: said.append({"what": what, "done": done, "total": total}))
        grouping.main(folder)
    signal.signal(signal.SIGTERM, before)
    return said


def test_the_child_leaves_clusters_scores_and_groups(job: Path) -> None:
    said = run_apart(job)
    assert said[-1] == {"what": "choosing photos that stand for the others", "done": 3, "total": 3}
    rows = list(jobfolder.read_clusters(job))
    assert [row[0] for row in rows] == list(range(1, 61))
    assert sorted(row.representative for row in rows)[-13:] == list(range(13))  # in their order; the others are none
    made = jobfolder.read_json(job, "clusters.json")
    assert (made["anew"], made["why"]) == (True, "there were none yet")
    assert made["clusters"] == made["k"] >= 4
    assert {"k", "asked", "silhouette", "davies_bouldin", "calinski_harabasz"} == made["scores"][0].keys()
    discs = {number: (x, y, radius) for number, x, y, radius in made["discs"]}
    assert all(math.dist((row.x, row.y), discs[row.cluster][:2]) <= discs[row.cluster][2] for row in rows)
    embedded = [row for row in rows if (row[0] - 1) % 10 != 5 and row[0] not in (21, 22, 23)]
    kinds = {(row[1], (min(row[0], 59) - 1) % 4) for row in embedded}
    assert len(kinds) == len({number for number, _ in kinds}) >= 4, "no cluster mixes what the embedding tells apart"
    groups = jobfolder.read_json(job, "groups.json")
    assert [(g["kind"], sorted(m["photo_id"] for m in g["members"])) for g in groups] == [
        ("copy", [59, 60]),
        ("burst", [21, 22, 23]),
    ]
    assert all({"photo_id", "best", "reason"} == m.keys() for g in groups for m in g["members"])


def test_photos_are_grouped_by_their_gradients_until_half_are_embedded(job: Path, here: Places) -> None:
    write_job(job, here, backbone="a-network-that-saw-nothing-yet")
    run(job)
    rows = list(jobfolder.read_clusters(job))
    assert len(rows) == 60
    assert sum(row.representative > 0 for row in rows) == 12


@pytest.mark.parametrize(
    ("method", "features"), [("agglomerative", "hog+pixels"), ("hdbscan", "embedding+hog"), ("kmeans", "pixels")]
)
def test_clusters_are_made_as_it_was_set(job: Path, here: Places, method: str, features: str) -> None:
    write_job(job, here, clusters={"method": method, "features": features, "representatives": "facility-location"})
    run(job)
    made = jobfolder.read_json(job, "clusters.json")
    assert (made["settings"]["method"], made["settings"]["kinds"]) == (method, features.split("+"))
    assert sum(row.representative > 0 for row in jobfolder.read_clusters(job)) == 12


def keep(job: Path, here: Places) -> None:
    """Store what the child left, as the service does."""
    made = jobfolder.read_json(job, "clusters.json")
    rows = list(jobfolder.read_clusters(job))
    with Store(here) as store:
        if made["anew"]:
            store.write(clusters.replace, rows, made, made["discs"], (job / "model.npz").read_bytes(), 1.0)
        else:
            store.write(clusters.add, rows)


def test_new_photos_are_put_into_the_clusters_there_were_until_too_many_came(job: Path, here: Places) -> None:
    photos = jobfolder.read_photos(job)
    jobfolder.write_photos(job, photos[:50])
    run(job)
    keep(job, here)
    before = {row.photo_id: row.cluster for row in jobfolder.read_clusters(job)}
    jobfolder.write_photos(job, photos[:56])
    run(job)
    made, rows = jobfolder.read_json(job, "clusters.json"), list(jobfolder.read_clusters(job))
    assert (made["anew"], [row.photo_id for row in rows]) == (False, [51, 52, 53, 54, 55, 56])
    kinds = {(photo - 1) % 4: number for photo, number in before.items() if photo not in (21, 22, 23) and (photo - 1) % 10 != 5}
    assert all(row.cluster == kinds[(row.photo_id - 1) % 4] for row in rows if (row.photo_id - 1) % 10 != 5)
    assert not any(row.representative for row in rows)
    keep(job, here)
    jobfolder.write_photos(job, photos)
    run(job)
    keep(job, here)
    assert jobfolder.read_json(job, "clusters.json")["anew"] is False, "a fifth has not come yet: these are 10 of 50"
    jobfolder.write_photos(job, photos[3:])
    run(job)
    made = jobfolder.read_json(job, "clusters.json")
    assert made["why"] == "10 photos came and 3 went since they were made of 50"
    after = {row.photo_id: row.cluster for row in jobfolder.read_clusters(job)}
    same = sum(after[photo] == number for photo, number in before.items() if photo in after)
    assert same >= 40, "a cluster keeps its number as far as its members stay together"
    write_job(job, here, clusters={"score": "silhouette"})
    run(job)
    assert "was set" in jobfolder.read_json(job, "clusters.json")["why"]


def test_photos_whose_features_are_gone_are_no_trouble(job: Path, here: Places) -> None:
    with closing(sqlite3.connect(here.cache_db)) as cache, cache:
        cache.execute("DELETE FROM pictures")
        cache.execute("DELETE FROM embeddings")
    run(job)
    assert len(list(jobfolder.read_clusters(job))) == 60
    assert [g["kind"] for g in jobfolder.read_json(job, "groups.json")] == ["copy"]


def test_sigterm_ends_it_with_the_status_of_a_stop_and_no_broken_file(job: Path) -> None:
    child = start(job)
    assert child.stdout
    assert child.stderr
    with child.stdout, child.stderr:
        child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=20) == jobfolder.STOPPED
        assert "Traceback" not in child.stderr.read()
    assert not (job / "clusters.csv").exists() or len(list(jobfolder.read_clusters(job))) == 60


def test_comparing_goes_on_where_the_time_was_up(job: Path, here: Places) -> None:
    write_job(job, here, seconds=1e-6)
    compared: set[bytes] = set()
    for night in (1, 2):
        run(job)
        new = {content for content, _ in jobfolder.read_records(job, "compared.bin")}
        assert (len(new), new & compared) == (1, set())
        assert jobfolder.read_json(job, "compared.json") == {"done": night, "of": 59}
        compared |= new
        with Store(here) as store:
            store.write(groups.keep_twins, [], new)
    write_job(job, here)
    run(job)
    assert jobfolder.read_json(job, "compared.json") == {"done": 59, "of": 59}


def test_frames_that_compete_are_read_at_full_size_once(job: Path, here: Places, tmp_path: Path) -> None:
    """The first frames are equal by what ingest measured; at full size one of them is sharp. One file is not what it was."""
    rows = jobfolder.read_photos(job)
    for n, i in enumerate((20, 21, 22)):
        picture = scene(7, (1200, 900)).filter(ImageFilter.GaussianBlur((1.5, 0, 2)[n]))
        picture.save(tmp_path / f"{n}.jpg", quality=92)
        content = blake3((tmp_path / f"{n}.jpg").read_bytes()).hexdigest()
        with closing(sqlite3.connect(here.cache_db)) as cache, cache:
            for table in ("pictures", "embeddings"):
                sql = f"UPDATE {table} SET content_hash = ? WHERE content_hash = ?"
                cache.execute(sql, [bytes.fromhex(content), bytes.fromhex(rows[i].content_hash)])
        rows[i] = replace(rows[i], content_hash=content, root=str(tmp_path), path=f"{n}.jpg")
    jobfolder.write_photos(job, rows)
    said = run(job)
    assert [word["done"] for word in said if "full size" in str(word["what"])] == [0, 1, 2]
    (burst,) = [g for g in jobfolder.read_json(job, "groups.json") if g["kind"] == "burst"]
    assert (burst["members"][0]["photo_id"], burst["members"][0]["reason"]) == (22, "sharper than the 2 others")
    found = list(jobfolder.read_records(job, "details.bin", jobfolder.DETAIL_BYTES))
    assert len(found) == 3
    with closing(sqlite3.connect(here.cache_db)) as cache, cache:
        cache.executemany("INSERT INTO details VALUES (?, ?)", found[1:])
    (tmp_path / "0.jpg").write_bytes(b"something else")
    said = run(job)
    assert [word["done"] for word in said if "full size" in str(word["what"])] == [0], "what is known is not read again"
    assert list(jobfolder.read_records(job, "details.bin", jobfolder.DETAIL_BYTES)) == []
