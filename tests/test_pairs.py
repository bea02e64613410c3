"""Live Photos and RAW twins: known by what the files say, where their names do not tell or mislead."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precious_daemon.config import IngestSettings, Places, Settings
from precious_daemon.folders.watched import add_root
from precious_daemon.jobs import open_service
from precious_daemon.models import PhotoState, Role, Told
from precious_daemon.pictures.ingest import look_into, read_photo
from precious_daemon.pictures.quicktime import content_identifier
from precious_daemon.pure.captures import EXIF, IDENTIFIER, Pairing, pair
from precious_daemon.store import Database, photos
from tests.pictures import live_still, live_video, movie, save

ONE, OTHER = "0A1B2C3D-1111-4222-8333-444455556666", "F0E1D2C3-9999-4888-8777-666655554444"
NOON = 1_700_000_000.0


def paired(*names: str, **told: Told) -> Pairing:
    """`told` by stem and suffix with an underscore between: a_jpg."""
    return pair(names, True, {name.replace("_", "."): its for name, its in told.items()})


def test_identifier_is_found_in_still_and_video(tmp_path: Path) -> None:
    still = live_still(tmp_path / "a.jpg", 1, ONE)
    assert read_photo(str(still), 10).content_id == ONE
    for full_box in (False, True):
        assert look_into([str(live_video(tmp_path / "a.mov", ONE, full_box=full_box))], 10) == [Told(ONE, None)]


def test_file_that_is_no_video_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.mov").write_bytes(b"no movie")
    (tmp_path / "b.mov").mkdir()
    assert look_into([str(tmp_path / name) for name in ("a.mov", "b.mov", "gone.mov")], 10) == [Told(None, None)] * 3


@given(st.data())
def test_damaged_video_is_read_to_an_end(data: st.DataObject) -> None:
    """Any bytes changed, or the end cut off: an identifier or none, never an error, and no endless loop."""
    film = bytearray(movie(ONE))
    for place in data.draw(st.lists(st.integers(0, len(film) - 1), max_size=12)):
        film[place] = data.draw(st.sampled_from([0, 1, 7, 8, 255]))
    cut = data.draw(st.integers(0, len(film)))
    found = content_identifier(io.BytesIO(bytes(film[:cut])), cut)
    assert found is None or len(found) <= 64


@given(st.binary(max_size=400))
def test_any_bytes_are_read_to_an_end(data: bytes) -> None:
    assert content_identifier(io.BytesIO(data), len(data)) is None


def test_identifier_goes_before_the_name() -> None:
    live, other = Told(ONE, None), Told(OTHER, None)
    found = paired("a.heic", "b.mov", a_heic=live, b_mov=live)
    assert (found.companions, found.bonds) == ({"a.heic": {"b.mov": Role.VIDEO}}, {"b.mov": IDENTIFIER})
    found = paired("a.heic", "a.jpg", "a.mov", a_heic=live, a_mov=live)
    assert found.companions == {"a.heic": {"a.mov": Role.VIDEO}, "a.jpg": {}}
    assert not found.ambiguous
    found = paired("a.heic", "a.mov", a_heic=other, a_mov=live)
    assert (found.companions, found.unsupported) == ({"a.heic": {}}, {".mov": 1})


def test_video_of_two_stills_with_its_identifier_leaves_both_ambiguous() -> None:
    live = Told(ONE, None)
    found = paired("a.heic", "b.heic", "c.mov", a_heic=live, b_heic=live, c_mov=live)
    assert found.companions == {"a.heic": {}, "b.heic": {}}
    assert set(found.ambiguous) == {"a.heic", "b.heic"}
    found = paired("a.heic", "b.heic", "b.mov", a_heic=live, b_heic=live, b_mov=live)
    assert found.companions == {"a.heic": {}, "b.heic": {"b.mov": Role.VIDEO}}, "the name decides between equals"


def test_raw_is_paired_by_the_moment_where_the_name_does_not_tell() -> None:
    then, later = Told(None, NOON + 0.25), Told(None, NOON + 0.5)
    found = paired("a.jpg", "a.tiff", "a.dng", a_jpg=then, a_tiff=later, a_dng=later)
    assert found.companions == {"a.jpg": {}, "a.tiff": {"a.dng": Role.RAW}}
    found = paired("a.jpg", "b.dng", a_jpg=then, b_dng=then)
    assert (found.companions, found.bonds) == ({"a.jpg": {"b.dng": Role.RAW}}, {"b.dng": EXIF})


@pytest.mark.parametrize("moment", [NOON, NOON + 0.25])
def test_raw_of_another_name_stays_a_photo_where_the_moment_could_be_anothers(moment: float) -> None:
    told = Told(None, moment)
    if moment % 1:  # to the fraction of a second, but two of them
        assert set(paired("a.jpg", "b.dng", "c.dng", a_jpg=told, b_dng=told, c_dng=told).companions) == {
            "a.jpg",
            "b.dng",
            "c.dng",
        }
    else:  # a whole second may be another frame's
        assert set(paired("a.jpg", "b.dng", a_jpg=told, b_dng=told).companions) == {"a.jpg", "b.dng"}


async def test_live_photo_is_put_together_once_its_files_were_looked_into(here: Places, tmp_path: Path) -> None:
    """Through real reading processes: names alone would leave one apart, and pair another with a stranger."""
    folder = tmp_path / "pictures"
    live_still(folder / "IMG_1.jpg", 1, ONE)
    live_video(folder / "renamed.mov", ONE)
    live_still(folder / "IMG_2.jpg", 2, OTHER)
    live_video(folder / "IMG_2.mov", "11111111-2222-4333-8444-555566667777")
    save(folder / "IMG_3.jpg", 3)
    save(folder / "IMG_3.jpeg", 4)
    live_video(folder / "IMG_3.mov", "22222222-2222-4333-8444-555566667777")
    service = open_service(here, Settings(ingest=IngestSettings(workers=1)))
    try:
        root = add_root(service.store, str(folder), time.time())
        await service.jobs.arrivals.scan_root(root)
        await service.jobs.arrivals.reading_done()
        found = service.store.read(photos.page, PhotoState.PRESENT)
        assert {p.path: {f.path for f in service.store.read(photos.files_of, p.id)} - {p.path} for p in found} == {
            "IMG_1.jpg": {"renamed.mov"}, "IMG_2.jpg": set(), "IMG_3.jpg": set(), "IMG_3.jpeg": set(),
        }  # fmt: skip
        assert {p.path for p in found if service.store.read(photos.ambiguous, p.id)} == {"IMG_3.jpg", "IMG_3.jpeg"}
        before = service.store.read(_changes)
        await service.jobs.arrivals.scan_root(root)
        await service.jobs.arrivals.reading_done()
        assert service.store.read(_changes) == before, "nothing is done twice"
    finally:
        await service.jobs.stop()
        service.store.close()


def _changes(db: Database) -> list[tuple[object, ...]]:
    tables = ("files", "relatives", "photos", "unsupported")
    return [row for table in tables for row in db.execute(f"SELECT * FROM {table}").fetchall()]
