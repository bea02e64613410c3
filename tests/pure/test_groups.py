"""Near-duplicates: exact near pairs, and groups that need every witness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precious_daemon import groups
from precious_daemon.groups import Looks, find_groups, near_pairs
from precious_daemon.jobfolder import PhotoRow
from precious_daemon.models import Group, GroupKind, Quality

GOOD = Quality(0.6, 0.7, 0.3, 0.2, 0.2, 0.0, 0.5, 0.4, 0.0, 0.0, 0.3, 0.3, 0.05, 0.9, 0.29)
PAGE = replace(GOOD, white_paper=0.9, entropy=0.5, saturation=0.0)
SCENES = np.random.default_rng(7).normal(size=(50, 64)).astype(np.float32)
HASHES = np.random.default_rng(8).integers(0, 2**64, 50, dtype=np.uint64)


class Album:
    """Photos of scenes, with the features that such photos would have."""

    def __init__(self) -> None:
        self.photos: list[PhotoRow] = []
        self.quality: list[Quality | None] = []
        self.hog: list[np.ndarray] = []
        self.embedding: list[np.ndarray] = []

    def add(
        self,
        name: str,
        scene: int = 0,
        *,
        size: tuple[int, int] = (4000, 3000),
        camera: str | None = None,
        at: float | None = None,
        content: str | None = None,
        flips: int = 0,
        drift: float = 0.05,
        quality: Quality = GOOD,
        format: str = "JPEG",  # noqa: A002 - the field's name
    ) -> int:
        number = len(self.photos) + 1
        rng = np.random.default_rng(number)
        code = int(HASHES[scene]) ^ ((1 << flips) - 1)
        self.photos.append(
            PhotoRow(number, content or f"{number:064x}", code, at, camera, *size, 1000, format, f"2023/{name}", 0)
        )
        self.quality.append(quality)
        self.hog.append(SCENES[scene] + drift * rng.normal(size=64))
        self.embedding.append(SCENES[scene] + drift * rng.normal(size=64))
        return number

    def groups(self, kind: GroupKind | None = None, embedded: bool = True) -> list[Group]:
        embedding = np.array(self.embedding, np.float16) if embedded else np.zeros((len(self.photos), 64), np.float16)
        found = find_groups(self.photos, Looks(self.quality, np.array(self.hog, np.float16), embedding))
        return [g for g in found if kind in (None, g.kind)]


def ids(group: Group) -> list[int]:
    return [m.photo_id for m in group.members]


def best(group: Group) -> int:
    return next(m.photo_id for m in group.members if m.best)


# --- near hashes -------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=12),
    st.lists(st.tuples(st.integers(0, 40), st.sets(st.integers(0, 63), max_size=9)), max_size=40),
    st.integers(0, 12),
)
def test_near_pairs_are_those_of_brute_force(seeds: list[int], offspring: list[tuple[int, set[int]]], radius: int) -> None:
    hashes = [0, *seeds]
    for parent, flipped in offspring:
        hashes.append(hashes[parent % len(hashes)] ^ sum(1 << bit for bit in flipped))
    expected = {
        (i, j): (hashes[i] ^ hashes[j]).bit_count()
        for j in range(len(hashes))
        for i in range(j)
        if (hashes[i] ^ hashes[j]).bit_count() <= radius
    }
    pairs, bits = near_pairs(np.array(hashes, dtype=np.uint64), radius)
    assert len(pairs) == len(expected)
    assert dict(zip(map(tuple, pairs.tolist()), bits.tolist(), strict=True)) == expected


def test_near_pairs_are_found_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = np.random.default_rng(0).integers(0, 8, 300, dtype=np.uint64)
    whole = near_pairs(hashes, 3)
    monkeypatch.setattr(groups, "CHUNK", 1000)
    parts = near_pairs(hashes, 3)
    assert sorted(map(tuple, whole[0].tolist())) == sorted(map(tuple, parts[0].tolist()))


# --- copies ------------------------------------------------------------------------------------------------------------


def test_equal_bytes_are_copies_and_the_plainest_name_is_best() -> None:
    album = Album()
    for name in ("IMG_0042 (1).JPG", "IMG_0042.JPG", "IMG_0042 copy.JPG"):
        album.add(name, content="a" * 64)
    (group,) = album.groups()
    assert group.kind is GroupKind.COPY
    assert best(group) == 2
    assert [m.reason for m in group.members] == ["plainest name of 3 copies"] + ["exact copy of IMG_0042.JPG"] * 2


# --- the same picture --------------------------------------------------------------------------------------------------


def test_a_smaller_copy_from_a_messenger_is_the_same_picture() -> None:
    album = Album()
    album.add("IMG-20230107-WA0001.jpg", size=(1600, 1200), flips=2)
    album.add("IMG_0042.JPG", camera="Canon EOS R6", at=1.0)
    (group,) = album.groups()
    assert (group.kind, best(group)) == (GroupKind.SAME, 2)
    assert [m.reason for m in group.members] == ["largest of 2: 4000 x 3000", "1600 x 1200 copy of IMG_0042.JPG"]


def test_a_near_hash_alone_is_not_enough() -> None:
    album = Album()
    album.add("a.jpg")
    album.add("b.jpg", size=(1600, 1200))
    album.embedding[1] = SCENES[1]
    assert album.groups() == []
    album.embedding[1], album.hog[1] = album.embedding[0], SCENES[1]
    assert album.groups() == []


def test_another_shape_is_another_picture() -> None:
    album = Album()
    album.add("a.jpg")
    album.add("b.jpg", size=(3000, 3000))
    assert album.groups() == []


def test_two_shutter_times_are_two_photos() -> None:
    album = Album()
    album.add("a.jpg", camera="Canon EOS R6", at=100.0)
    album.add("b.jpg", camera="Canon EOS R6", at=500.0, size=(2000, 1500))
    assert album.groups() == []


def test_an_export_that_kept_the_cameras_data_is_the_same_picture() -> None:
    album = Album()
    album.add("a.jpg", camera="Canon EOS R6", at=100.0)
    album.add("a small.jpg", camera="Canon EOS R6", at=100.0, size=(2000, 1500))
    assert [g.kind for g in album.groups()] == [GroupKind.SAME]


def test_receipts_that_look_alike_do_not_group() -> None:
    album = Album()
    album.add("scan1.jpg", quality=PAGE)
    album.add("scan2.jpg", quality=PAGE)  # same size and format: another page out of the same scanner
    album.add("scan3.jpg", quality=PAGE, size=(2000, 1500), flips=4)
    album.add("scan4.jpg", quality=PAGE, size=(2000, 1500), drift=0.2)
    assert album.groups() == []


def test_a_smaller_copy_of_a_receipt_does_group() -> None:
    album = Album()
    album.add("scan1.jpg", quality=PAGE)
    album.add("scan1 small.jpg", quality=PAGE, size=(2000, 1500))
    assert [ids(g) for g in album.groups()] == [[1, 2]]


def test_black_frames_do_not_group() -> None:
    album = Album()
    for name in "abc":
        album.add(f"{name}.jpg", quality=replace(GOOD, contrast=0.01, brightness=0.01))
    assert album.groups() == []


def test_a_chain_of_likeness_does_not_pull_strangers_together() -> None:
    album = Album()
    album.add("a.jpg", size=(4000, 3000))
    album.add("b.jpg", size=(3999, 2999), flips=5)
    album.add("c.jpg", size=(3998, 2998), flips=10)  # near b, far from a
    (group,) = album.groups(GroupKind.SAME)
    assert ids(group) == [1, 2]


def test_without_embeddings_the_gradients_have_to_agree_more() -> None:
    album = Album()
    album.add("a.jpg", drift=0.02)
    album.add("b.jpg", size=(2000, 1500), drift=0.02)
    album.add("c.jpg", 1, drift=0.15)
    album.add("d.jpg", 1, size=(2000, 1500), drift=0.15)
    assert [ids(g) for g in album.groups(embedded=False)] == [[1, 2]]


def test_copies_are_represented_by_one_in_other_groups() -> None:
    album = Album()
    album.add("a.jpg", content="a" * 64)
    album.add("a (1).jpg", content="a" * 64)
    album.add("small.jpg", size=(2000, 1500))
    assert [(g.kind, ids(g)) for g in album.groups()] == [(GroupKind.COPY, [1, 2]), (GroupKind.SAME, [1, 3])]


# --- bursts ------------------------------------------------------------------------------------------------------------


def burst(album: Album, count: int, *, start: float = 100.0, step: float = 0.5, scene: int = 0, sharp: int = 1) -> list[int]:
    blurred = replace(GOOD, sharpness=0.2, sharpest_tile=0.2)
    return [
        album.add(
            f"IMG_{i}.JPG", scene, camera="Canon EOS R6", at=start + step * i, flips=3 * (i % 3), drift=0.3,
            quality=GOOD if i == sharp else blurred,
        )
        for i in range(count)
    ]  # fmt: skip


def test_frames_within_two_seconds_are_a_burst_and_the_sharpest_is_best() -> None:
    album = Album()
    frames = burst(album, 5, sharp=3)
    (group,) = album.groups()
    assert (group.kind, sorted(ids(group)), best(group)) == (GroupKind.BURST, frames, frames[3])
    assert group.members[0].reason == "sharpest of 5"
    assert "IMG_3.JPG is sharper" in group.members[1].reason


def test_a_burnt_out_frame_is_not_the_best_however_sharp() -> None:
    album = Album()
    for name, quality in (("a", GOOD), ("b", replace(GOOD, sharpness=0.65, highlights=0.4))):
        album.add(f"{name}.jpg", camera="Canon EOS R6", at=1.0, quality=quality)
    assert [best(g) for g in album.groups()] == [1]


def test_other_scenes_cameras_and_minutes_are_other_bursts() -> None:
    album = Album()
    burst(album, 3)
    burst(album, 3, start=200.0)
    burst(album, 2, start=101.5, scene=2)
    album.add("other.jpg", camera="Apple iPhone 14", at=100.2)
    album.add("nobody.jpg", at=100.2, drift=0.5)
    assert sorted(sorted(ids(g)) for g in album.groups(GroupKind.BURST)) == [[1, 2, 3], [4, 5, 6], [7, 8]]


def test_a_series_of_minutes_is_no_burst() -> None:
    album = Album()
    burst(album, 90, step=1.0)
    assert album.groups(GroupKind.BURST) == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 4), st.sampled_from([None, "x", "y"]), st.integers(0, 6)),
        min_size=1,
        max_size=25,
    )
)
def test_each_group_has_one_best_and_a_photo_is_in_one_group_of_a_kind(
    made: list[tuple[int, int, str | None, int]],
) -> None:
    album = Album()
    for scene, size, camera, second in made:
        album.add("p.jpg", scene, size=(400 * (size + 1), 300 * (size + 1)), camera=camera, at=float(second),
                  content=f"{scene}{size}" * 8 if second == 0 else None)  # fmt: skip
    found = album.groups()
    for group in found:
        assert len(group.members) > 1
        assert sum(m.best for m in group.members) == 1
        assert all(m.reason for m in group.members)
    for kind in GroupKind:
        members = [i for g in found if g.kind is kind for i in ids(g)]
        assert len(members) == len(set(members))


def test_no_photos_make_no_groups() -> None:
    assert find_groups([], Looks([], np.zeros((0, 8), np.float16), np.zeros((0, 8), np.float16))) == []
