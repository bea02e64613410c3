"""The embed task: whole records, whatever happens."""

from __future__ import annotations

import signal

from precious_daemon.learn.backbone import DIMENSION
from precious_daemon.learn.embed import embed
from precious_daemon.learn.limits import Deadline
from precious_daemon.work import jobfolder
from tests.conftest import until
from tests.learn.conftest import new_library
from tests.learn.library import Library, content_hash, picture, start, thumbnail

RECORD = jobfolder.HASH_BYTES + 2 * DIMENSION


def job_of(library: Library) -> dict[str, object]:
    return {"cache_db": str(library.places.cache_db), "backbone": "efficientnet-lite2-260"}


def test_every_wanted_photo_gets_one_record(library: Library) -> None:
    folder = library.embed_job()
    assert embed(folder, job_of(library), Deadline(None, 0))
    found = dict(jobfolder.read_embeddings(folder, DIMENSION))
    assert found.keys() == {content_hash(n) for n in range(1, 13)}
    assert len(set(found.values())) == 12
    meta = jobfolder.read_json(folder, "meta.json")
    assert meta.pop("cost").keys() >= {"seconds", "processor_seconds", "peak_rss_mb"}
    assert meta == {"backbone": "efficientnet-lite2-260", "dimension": DIMENSION, "done": 12, "total": 12}


def test_a_broken_thumbnail_is_passed_over_with_its_reason(library: Library) -> None:
    library.spoil(3, b"no picture")
    library.spoil(4, thumbnail(picture(4, False))[:200])
    folder = library.embed_job()
    assert embed(folder, job_of(library), Deadline(None, 0))
    assert len(list(jobfolder.read_embeddings(folder, DIMENSION))) == 10
    skipped = jobfolder.read_json(folder, "skipped.json")
    assert [s["content_hash"] for s in skipped] == [content_hash(3).hex(), content_hash(4).hex()]
    assert "cannot be decoded" in skipped[0]["why"]


def test_when_time_is_up_what_is_done_is_kept_and_the_next_run_goes_on(library: Library) -> None:
    folder = library.embed_job()
    assert not embed(folder, job_of(library), Deadline(0.0, 0.0))
    first = list(jobfolder.read_embeddings(folder, DIMENSION))
    assert 0 < len(first) < 12
    with open(folder / "embeddings.bin", "ab") as file:
        file.write(b"cut short")
    assert embed(folder, job_of(library), Deadline(None, 0))
    whole = list(jobfolder.read_embeddings(folder, DIMENSION))
    assert whole[: len(first)] == first
    assert len(dict(whole)) == len(whole) == 12


def test_sigterm_ends_it_at_once_and_leaves_whole_records(tmp_path_factory: object) -> None:
    library = new_library(tmp_path_factory.mktemp("many"), 150)  # type: ignore[attr-defined]
    folder = library.embed_job()
    records = folder / "embeddings.bin"
    child = start(folder)
    try:
        until(lambda: records.exists() and records.stat().st_size >= 2 * RECORD, 90, "nothing was embedded")
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=10)
    finally:
        child.kill()
        child.communicate()
    assert (child.returncode, err) == (jobfolder.STOPPED, "")
    assert '"looking at photos"' in out
    assert records.stat().st_size % RECORD == 0
    assert 2 <= records.stat().st_size // RECORD < 150
    assert jobfolder.read_json(folder, "meta.json")["dimension"] == DIMENSION
