"""Pictures that the cache does not have: made while their photo is there, the thumbnail otherwise. Pixels at full size."""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from precious_daemon.config import IngestSettings
from precious_daemon.folders.previews import Previews
from precious_daemon.folders.readers import Readers
from precious_daemon.models import Photo, PhotoFacts, RootState
from precious_daemon.service import Service
from precious_daemon.store import Database, pictures, roots
from tests.conftest import until
from tests.web.library import Browser, read, root_of


def forget(service: Service) -> None:
    service.store.write(lambda db: db.execute("DELETE FROM cache.previews"))


def kept(db: Database, photo: Photo) -> bytes | None:
    assert photo.content_hash
    return pictures.preview(db, photo.content_hash)


async def test_forgotten_preview_is_made_again_and_kept(service: Service, browser: Browser, library: list[Photo]) -> None:
    photo = library[0]
    before = service.store.read(kept, photo)
    first = await browser.get(f"/preview/{photo.uid}")
    forget(service)
    again = await browser.get(f"/preview/{photo.uid}")
    assert await again.read() == before
    assert again.headers["ETag"] == first.headers["ETag"]
    assert service.store.read(kept, photo) == before


async def test_browser_that_has_the_preview_still_costs_no_reading(
    service: Service, browser: Browser, library: list[Photo]
) -> None:
    first = await browser.get(f"/preview/{library[0].uid}")
    forget(service)
    again = await browser.get(f"/preview/{library[0].uid}", If_None_Match=first.headers["ETag"])
    assert again.status == 304
    assert service.store.read(kept, library[0]) is None


@pytest.mark.parametrize("state", [RootState.OFFLINE, RootState.FROZEN])
async def test_folder_that_is_away_gives_the_thumbnail(
    service: Service, browser: Browser, library: list[Photo], state: RootState
) -> None:
    forget(service)
    service.store.write(roots.set_state, library[0].root_id, state, "away")
    assert (await browser.get(f"/preview/{library[0].uid}")).headers["ETag"].endswith('-thumb"')


async def test_file_that_is_gone_or_another_gives_the_thumbnail(service: Service, browser: Browser, library: list[Photo]) -> None:
    forget(service)
    gone, changed = root_of(service) / library[0].path, root_of(service) / library[1].path
    gone.unlink()
    changed.write_bytes((root_of(service) / library[2].path).read_bytes())
    for photo in library[:2]:
        assert (await browser.get(f"/preview/{photo.uid}")).headers["ETag"].endswith('-thumb"')
    assert service.store.read(kept, library[1]) is None


@pytest.fixture
async def previews(service: Service) -> AsyncIterator[Previews]:
    made = Previews(service.store, IngestSettings(), idle=0.0)
    yield made
    await made.stop()


async def test_photo_asked_for_twice_at_once_is_read_once(
    previews: Previews, library: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    read = Readers.read

    async def counted(self: Readers, path: str) -> PhotoFacts:
        asked.append(Path(path).name)
        return await read(self, path)

    monkeypatch.setattr(Readers, "read", counted)
    one, two, other = await asyncio.gather(*(previews.make(photo) for photo in (library[0], library[0], library[1])))
    assert one == two != other
    assert sorted(asked) == sorted([library[0].path, library[1].path])


async def test_process_ends_when_nobody_asks(previews: Previews, library: list[Photo]) -> None:
    assert await previews.make(library[0])
    await asyncio.sleep(0)  # the timer of no seconds
    await asyncio.to_thread(until, lambda: not multiprocessing.active_children())


async def test_without_room_for_previews_they_are_shown_and_not_kept(service: Service, library: list[Photo]) -> None:
    forget(service)
    previews = Previews(service.store, IngestSettings(preview_cache_gb=0))
    assert await previews.make(library[0])
    assert service.store.read(kept, library[0]) is None
    await previews.stop()


# --- at full size ------------------------------------------------------------------------------------------------------


@pytest.fixture
def wide(service: Service, tmp_path: Path) -> Photo:
    """1300 x 700 as it is shown, stored on its side; red to the left, blue to the right."""
    image = Image.new("RGB", (1300, 700), "red")
    image.paste("blue", (1024, 0, 1300, 700))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    (tmp_path / "photos").mkdir()
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "photos" / "wide.jpg", exif=exif, quality=95)
    os.utime(tmp_path / "photos" / "wide.jpg", (1e9, 1e9))  # what was just written would wait to settle
    (photo,) = read(service, tmp_path / "photos")
    return photo


async def test_pixels_of_the_original_come_upright_in_tiles_and_are_kept(service: Service, browser: Browser, wide: Photo) -> None:
    assert (wide.width, wide.height) == (1300, 700)
    response = await browser.get(f"/full/{wide.uid}/1,0?v={(wide.content_hash or b'').hex()[:12]}")
    tile = Image.open(io.BytesIO(await response.read()))
    assert tile.size == (276, 700)
    red, _, blue = tile.convert("RGB").getpixel((140, 350))
    assert blue > 240
    assert red < 15
    assert "max-age" in response.headers["Cache-Control"]
    (root_of(service) / wide.path).unlink()
    left = await browser.get(f"/full/{wide.uid}/0,0")
    assert Image.open(io.BytesIO(await left.read())).size == (1024, 700), "one reading made both"
    again = await browser.get(f"/full/{wide.uid}/1,0", If_None_Match=response.headers["ETag"])
    assert again.status == 304


async def test_what_is_no_tile_or_not_what_it_was_is_not_there(service: Service, browser: Browser, wide: Photo) -> None:
    for place in ("2,0", "0,1", "x,0", "0", "-1,0", "99999,99999"):
        assert (await browser.get(f"/full/{wide.uid}/{place}")).status == 404, place
    service.store.write(lambda db: db.execute("DELETE FROM cache.tiles"))
    Image.new("RGB", (1300, 700)).save(root_of(service) / wide.path)
    assert (await browser.get(f"/full/{wide.uid}/0,0")).status == 404


def test_tiles_and_previews_stay_within_their_bound(service: Service, library: list[Photo]) -> None:
    def fill(db: Database) -> tuple[int, int]:
        for number in range(40):
            pictures.put_tiles(db, bytes([number]), {(0, 0): bytes(100), (1, 0): bytes(100)}, 16_000)
            pictures.put_preview(db, bytes([number]), bytes(700), 16_000)
        return pictures.tile_bytes(db), pictures.preview_bytes(db)

    tiles, previews = service.store.write(fill)
    assert tiles == 2_000
    assert 13_000 < previews <= 14_000
    assert service.store.read(pictures.tile, bytes([39]), (1, 0)) == bytes(100)
    assert service.store.read(pictures.tile, bytes([0]), (1, 0)) is None
