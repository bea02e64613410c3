"""Which files belong together."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from precious_daemon.config import WatchSettings
from precious_daemon.folders.scan import scan
from precious_daemon.folders.watched import add_root
from precious_daemon.models import Choice, PhotoState, Question, Role
from precious_daemon.pure.captures import pair
from precious_daemon.store import Store, answers, photos
from tests.pictures import save, settle


def owned(*names: str) -> dict[str, set[str]]:
    return {still: set(companions) for still, companions in pair(names, raw_is_readable=True).companions.items()}


def test_a_photo_keeps_its_raw_its_video_and_its_sidecars() -> None:
    found = pair(["IMG_1.JPG", "IMG_1.CR2", "img_1.mov", "IMG_1.xmp", "IMG_1.JPG.xmp", "IMG_2.JPG"])
    assert found.companions["IMG_1.JPG"] == {
        "IMG_1.CR2": Role.RAW, "img_1.mov": Role.VIDEO, "IMG_1.xmp": Role.SIDECAR, "IMG_1.JPG.xmp": Role.SIDECAR,
    }  # fmt: skip
    assert found.companions["IMG_2.JPG"] == {}
    assert not found.ambiguous


def test_raw_without_a_still_is_a_photo_of_its_own_where_it_can_be_read() -> None:
    assert owned("a.NEF", "a.xmp", "b.nef", "b.jpg") == {"a.NEF": {"a.xmp"}, "b.jpg": {"b.nef"}}
    found = pair(["a.NEF"], raw_is_readable=False)
    assert (found.companions, found.unsupported) == ({}, {".nef": 1})


@pytest.mark.parametrize(
    ("json", "still"),
    [
        ("IMG_1.jpg.json", "IMG_1.jpg"),
        ("IMG_1.jpg.supplemental-metadata.json", "IMG_1.jpg"),
        ("IMG_1.jpg.supplemental-me.json", "IMG_1.jpg"),
        ("IMG_1.jpg.json", "IMG_1.JPG"),
        ("IMG_1.jpg(1).json", "IMG_1(1).jpg"),
        ("IMG_1.jpg.supplemental-metadata(1).json", "IMG_1(1).jpg"),
        ("7a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9_original_.json", "7a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9_original_photo.jpg"),
        ("Screenshot_20240131-123005_Some Application Na.json", "Screenshot_20240131-123005_Some Application Name.png"),
    ],
)
def test_takeouts_json_goes_with_its_photo(json: str, still: str) -> None:
    assert owned(json, still, "other.jpg") == {still: {json}, "other.jpg": set()}


def test_json_that_is_of_no_photo_is_counted() -> None:
    found = pair(["metadata.json", "IMG_1.jpg", "IMG_11.jpg.json"])
    assert found.companions == {"IMG_1.jpg": {}}
    assert found.unsupported == {".json": 2}


def test_cut_off_json_of_two_photos_leaves_both_ambiguous() -> None:
    start = "Screenshot_20240131-123005_Some Application Na"
    found = pair([f"{start}.json", f"{start}me.png", f"{start}vy.png"])
    assert found.companions == {f"{start}me.png": {}, f"{start}vy.png": {}}
    assert set(found.ambiguous) == set(found.companions)
    assert all(f"{start}.json could belong to" in why for why in found.ambiguous.values())


@given(
    st.lists(
        st.builds(
            lambda stem, suffix: stem + suffix,
            st.sampled_from(["a", "A", "b", "a(1)", "a.jpg", "a.jpg.supplemental-metadata"]),
            st.sampled_from([".jpg", ".JPG", ".heic", ".cr2", ".mov", ".xmp", ".aae", ".json", ".txt", ""]),
        ),
        unique=True,
    ),
    st.booleans(),
)
def test_every_file_is_a_photo_a_companion_of_one_or_counted(names: list[str], raw: bool) -> None:
    found = pair(names, raw)
    companions = [name for each in found.companions.values() for name in each]
    assert len(companions) == len(set(companions)), "nobody's file is another's too"
    assert not set(companions) & set(found.companions)
    left = set(names) - set(found.companions) - set(companions)
    assert bool(found.ambiguous) or sum(found.unsupported.values()) == len(left)
    assert set(found.ambiguous) <= set(found.companions)


def test_raw_gives_way_to_the_still_that_comes_and_is_a_photo_again_when_it_goes(store: Store, tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.nef").write_bytes(b"raw")
    settle(folder / "a.nef")
    root = add_root(store, str(folder), time.time())

    def known() -> list[tuple[str, str]]:
        scan(store, root, WatchSettings(), time.time)
        sql = "SELECT photos.path, state FROM photos WHERE state != 'missing'"
        return [(os.fsdecode(path), state) for path, state in store.read(lambda db: db.execute(sql).fetchall())]

    assert known() == [("a.nef", "new")]
    save(folder / "a.jpg", 1)
    assert known() == [("a.jpg", "new")]
    (folder / "a.jpg").unlink()
    assert known() == [("a.nef", "new")]


@pytest.mark.parametrize("beside", [(), ("a.xmp", "a.mov")])
def test_what_was_said_of_a_capture_stays_with_it_when_its_still_changes(
    store: Store, tmp_path: Path, beside: tuple[str, ...]
) -> None:
    """A RAW file is voted on; its JPEG comes later, goes elsewhere, comes again, and is deleted."""
    pytest.importorskip("rawpy")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.nef", *beside):
        (folder / name).write_bytes(b"raw")
        settle(folder / name)
    root = add_root(store, str(folder), time.time())

    def here() -> dict[str, tuple[int, set[str]]]:
        """Present captures by their still: (photo, all files)."""
        scan(store, root, WatchSettings(), time.time)
        found = store.read(photos.page, PhotoState.NEW)
        return {photo.path: (photo.id, {file.path for file in store.read(photos.files_of, photo.id)}) for photo in found}

    raw = {"a.nef", *beside}
    ((voted, files),) = here().values()
    assert files == raw
    store.write(answers.add, 1, Question.LABEL, Choice.KEEP, voted, None, "train", 0.0)
    save(folder / "a.jpg", 1)
    assert here() == {"a.jpg": (voted, raw | {"a.jpg"})}
    (folder / "away").mkdir()
    (folder / "a.jpg").rename(folder / "away" / "a.jpg")
    moved = here()
    assert moved["away/a.jpg"] == (voted, {"away/a.jpg"}), "the photo is where its still is"
    assert moved["a.nef"][1] == raw
    (folder / "away" / "a.jpg").rename(folder / "a.jpg")
    assert here() == {"a.jpg": (voted, raw | {"a.jpg"})}
    (folder / "a.jpg").unlink()
    assert here() == {"a.nef": (voted, raw)}
    assert [label.photo_id for label in store.read(answers.labels, 1)] == [voted]
