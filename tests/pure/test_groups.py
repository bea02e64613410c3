"""Copies, edits and scenes: groups that need every witness, whatever order the photos come in."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageFilter

from precious_daemon.grouping.groups import Grouping, Looks
from precious_daemon.grouping.twins import CROPPED, Twin
from precious_daemon.models import Group, GroupKind
from tests.pure.album import CANON, GOOD, SIZE, Album, page, scene, shaken

T = Image.Transpose
LARGE, HALF = (3840, 2880), (1920, 1440)


def ids(group: Group) -> list[int]:
    return [m.photo_id for m in group.members]


def kinds(album: Album) -> list[GroupKind]:
    return [group.kind for group in album.groups()]


# --- copies ------------------------------------------------------------------------------------------------------------


def test_equal_bytes_are_copies_and_the_plainest_name_is_best() -> None:
    album = Album()
    for name in ("IMG_0042 (1).JPG", "IMG_0042.JPG", "IMG_0042 copy.JPG"):
        album.add(name, scene(1), content="a" * 64)
    (group,) = album.groups()
    assert group.kind is GroupKind.COPY
    assert album.names(group)[0] == "IMG_0042.JPG"
    assert [m.reason for m in group.members] == ["plainest name of 3"] + ["exact copy of IMG_0042.JPG"] * 2


def test_of_equal_copies_the_one_in_a_preferred_folder_stays() -> None:
    album = Album()
    album.add("a.jpg", scene(1), content="a" * 64, preferred=1)
    album.add("a (1).jpg", scene(1), content="a" * 64, preferred=0)
    (group,) = album.groups()
    assert (ids(group)[0], group.members[0].reason) == (2, "the one of 2 in a folder that you prefer")


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ({"size": LARGE}, {"size": HALF}, "largest of 2: 3840 x 2880"),
        ({"camera": CANON, "at": 1.0}, {"format": "PNG"}, "the one of 2 with the camera's data"),
        (
            {"camera": CANON, "at": 1.0, "format": "HEIF"},
            {"camera": CANON, "at": 1.0, "format": "PNG", "size_": 90000},
            "the one of 2 in the camera's format",
        ),
        ({"size_": 5000}, {"size_": 2000, "format": "WEBP"}, "least compressed of 2"),
    ],
)
def test_the_original_stays_and_it_is_said_why(first: dict[str, object], second: dict[str, object], why: str) -> None:
    for order in ((first, second), (second, first)):
        album = Album()
        for number, facts in enumerate(order):
            sizes = {"size": facts["size_"]} if "size_" in facts else {}
            index = album.add(f"{number}.jpg", scene(1), **{k: v for k, v in facts.items() if k != "size_"})  # type: ignore[arg-type]
            album.photos[index - 1] = replace(album.photos[index - 1], **sizes)  # type: ignore[arg-type]
        (group,) = album.groups(GroupKind.SAME)
        assert album.photos[ids(group)[0] - 1].path == f"2023/{order.index(first)}.jpg"
        assert group.members[0].reason == why


# --- the same picture --------------------------------------------------------------------------------------------------


def test_a_smaller_copy_from_a_messenger_is_the_same_picture() -> None:
    album = Album()
    album.add("IMG-20230107-WA0001.jpg", scene(1).resize((120, 90)), size=(1600, 1200))
    album.add("IMG_0042.JPG", scene(1), size=LARGE, camera=CANON, at=1.0)
    (group,) = album.groups()
    assert (group.kind, ids(group)) == (GroupKind.SAME, [2, 1])
    assert [m.reason for m in group.members] == ["largest of 2: 3840 x 2880", "1600 x 1200 copy of IMG_0042.JPG"]


def test_a_squeezed_thumbnail_is_the_same_picture_and_a_squeezed_large_one_is_not() -> None:
    album = Album()
    album.add("a.jpg", scene(1), size=LARGE)
    album.add("square.jpg", scene(1).resize((150, 150)), size=(600, 600))
    album.add("b.jpg", scene(2), size=LARGE)
    album.add("square b.jpg", scene(2).resize((200, 200)), size=(3400, 3400))
    assert [ids(g) for g in album.groups(GroupKind.SAME)] == [[1, 2]]


def test_a_near_hash_alone_is_not_enough() -> None:
    album = Album()
    album.add("a.jpg", scene(1))
    album.add("b.jpg", scene(2), size=HALF, perceptual_hash=album.photos[0].perceptual_hash)
    assert album.groups() == []


def test_two_shutter_times_are_two_photos() -> None:
    album = Album()
    album.add("a.jpg", scene(1), camera=CANON, at=100.0)
    album.add("b.jpg", scene(1), camera=CANON, at=5000.0, size=HALF)
    assert album.groups() == []


def test_an_export_that_kept_the_cameras_data_is_the_same_picture() -> None:
    album = Album()
    album.add("a.jpg", scene(1), camera=CANON, at=100.0)
    album.add("a small.jpg", scene(1), camera=CANON, at=100.0, size=HALF)
    assert kinds(album) == [GroupKind.SAME]


def test_two_frames_of_one_second_are_not_one_picture_unless_one_is_named_after_the_other() -> None:
    album = Album()
    album.add("IMG_1.jpg", scene(1), camera=CANON, at=100.0)
    album.add("IMG_2.jpg", scene(1), camera=CANON, at=100.0)
    assert kinds(album) == [GroupKind.BURST]
    album.add("IMG_1 (1).jpg", scene(1), camera=CANON, at=100.0)
    assert [sorted(ids(g)) for g in album.groups(GroupKind.SAME)] == [[1, 3]]


@pytest.mark.parametrize("size", [None, HALF])
def test_pages_that_look_alike_do_not_group(size: tuple[int, int] | None) -> None:
    """Bills of one shop, screens of one chat: the same head, other lines."""
    album = Album()
    album.add("scan1.jpg", page(1))
    album.add("scan2.jpg", page(2, like=1), size=size)
    album.add("scan3.jpg", page(3), size=size)
    assert album.groups() == []


def test_a_smaller_copy_of_a_page_does_group() -> None:
    album = Album()
    album.add("scan.jpg", page(1))
    album.add("scan small.jpg", page(1), size=(1440, 1920))
    assert kinds(album) == [GroupKind.SAME]


@pytest.mark.parametrize("level", [0, 3, 128, 255])
def test_blank_scans_and_dark_frames_do_not_group(level: int) -> None:
    album = Album()
    for n in range(3):
        noise = np.random.default_rng(n).integers(-2, 3, (180, 240, 3))
        blank = Image.fromarray((level + noise).clip(0, 255).astype(np.uint8))
        album.add(f"{n}.jpg", blank, size=LARGE if n else HALF)
    assert album.groups() == []


def test_a_chain_of_likeness_does_not_pull_strangers_together() -> None:
    """Each frame is near the next one; the last has nothing of the first."""
    album = Album()
    one, other = scene(1), scene(2)
    for n in range(9):
        album.add(f"{n}.jpg", Image.blend(one, other, n / 8), size=(3840 - n, 2880))
    for group in album.groups(GroupKind.SAME, GroupKind.EDIT):
        assert len(group.members) < 9
    near = {frozenset((twin.one, twin.other)) for twin in album.twins}
    for group in album.groups(GroupKind.SAME, GroupKind.EDIT):
        best, *others = (album.photos[i - 1].content_hash for i in ids(group))
        assert all(frozenset((best, one)) in near for one in others)


# --- edits -------------------------------------------------------------------------------------------------------------

EDITS = {
    "mirrored": lambda p: p.transpose(T.FLIP_LEFT_RIGHT),
    "mirrored top to bottom": lambda p: p.transpose(T.FLIP_TOP_BOTTOM),
    "turned by 90°": lambda p: p.transpose(T.ROTATE_270),
    "turned by 180°": lambda p: p.transpose(T.ROTATE_180),
    "turned by 270°": lambda p: p.transpose(T.ROTATE_90),
    "in black and white": lambda p: p.convert("L").convert("RGB"),
    "recoloured": lambda p: ImageEnhance.Color(p).enhance(2.0),
    "darker": lambda p: ImageEnhance.Brightness(p).enhance(0.6),
    "lighter": lambda p: p.point(lambda v: 90 + v * 0.62),
    "softened": lambda p: p.filter(ImageFilter.GaussianBlur(1.3)),
    "mirrored and in black and white": lambda p: p.convert("L").convert("RGB").transpose(T.FLIP_LEFT_RIGHT),
    "cropped to about 65 %": lambda p: p.crop((12, 18, 204, 162)),
    "cropped to about 25 %": lambda p: p.crop((100, 40, 220, 136)),
    "turned by 4°": lambda p: p.rotate(4, Image.Resampling.BICUBIC).crop((14, 12, 226, 168)),
    "turned by 20°": lambda p: p.rotate(-20, Image.Resampling.BICUBIC),
}


@pytest.mark.parametrize("words", EDITS)
def test_an_edit_is_found_and_named(words: str) -> None:
    album = Album()
    album.add("IMG_1.JPG", scene(3), camera=CANON, at=100.0)
    for stranger in range(10, 16):
        album.add(f"IMG_{stranger}.JPG", scene(stranger), camera=CANON, at=1e6 * stranger)
    edit = EDITS[words](scene(3))
    album.add("nice.jpg", edit)
    (group,) = album.groups()
    assert (group.kind, ids(group)) == (GroupKind.EDIT, [1, 8])
    assert [m.reason for m in group.members] == ["the original of 2", f"{words}, made of IMG_1.JPG"]


def test_a_screen_that_shows_a_photo_is_no_edit_of_it_nor_is_the_same_screen_in_another_theme() -> None:
    album = Album()
    screen = page(1).resize((240, 400))
    screen.paste(scene(3).resize((120, 90)), (60, 40))
    album.add("IMG_1.JPG", scene(3), size=(120 * 16, 90 * 16), camera=CANON, at=1.0)
    album.add("Screenshot_1.png", screen, format="PNG")
    album.add("Screenshot_2.png", ImageEnhance.Brightness(screen).enhance(0.85), format="PNG")
    assert album.groups() == []


def test_an_edit_belongs_to_the_original_that_agrees_best_and_not_to_a_larger_one_in_which_it_is_found_too() -> None:
    album = Album()
    for name, size in (("wide.jpg", (7680, 5760)), ("close.jpg", (3840, 2880)), ("mirrored.jpg", (3840, 2880))):
        album.add(name, scene(1), size=size)
    wide, close, mirrored = (photo.content_hash for photo in album.photos)
    same = (1.0, 1.0, 0.0, (False, False))
    found = [Twin(close, mirrored, "mirrored", 0.98, 0.9, *same), Twin(wide, mirrored, CROPPED, 0.95, 0.95, *same, 0.3)]
    groups = Grouping(album.photos, album.looks(), found).groups({})
    assert [ids(group) for group in groups] == [[2, 3]]
    siblings = [*found, Twin(wide, close, CROPPED, 0.96, 0.96, *same, 0.3)]
    groups = Grouping(album.photos, album.looks(), siblings).groups({})
    assert [ids(group) for group in groups] == [[1, 2, 3]], "of one family it stays with what they were all made of"


def test_a_burst_frame_that_was_edited_is_the_one_to_keep() -> None:
    album = Album()
    for n in range(3):
        album.add(
            f"IMG_{n}.JPG", shaken(scene(1), n), camera=CANON, at=100 + n / 2, quality=replace(GOOD, sharpness=0.6 - n / 10)
        )
    album.add("grey.jpg", shaken(scene(1), 2).convert("L").convert("RGB"))
    burst, edit = album.groups(GroupKind.BURST, GroupKind.EDIT)
    assert (ids(burst)[0], burst.members[0].reason) == (3, "you edited it")
    assert ids(edit) == [3, 4]


def test_another_frame_without_its_data_is_no_edit() -> None:
    album = Album()
    for n in range(6):
        album.add(f"{n}.jpg", shaken(scene(4), n), size=(3840 - n, 2880 - n))
    assert album.groups(GroupKind.SAME) == []
    assert not [twin for twin in album.twins if twin.how == CROPPED and twin.left > 0.93]


def test_only_what_is_new_is_compared_and_the_groups_are_the_same() -> None:
    album = Album()
    album.add("a.jpg", scene(1), camera=CANON, at=1.0)
    album.add("b.jpg", scene(2), camera=CANON, at=1e6)
    assert album.groups() == []
    album.add("small.jpg", scene(1), size=HALF)
    album.add("cut.jpg", scene(2).crop((12, 18, 204, 162)))
    grown = album.groups()
    assert [(g.kind, ids(g)) for g in grown] == [(GroupKind.SAME, [1, 3]), (GroupKind.EDIT, [2, 4])]
    assert [(g.kind, ids(g)) for g in album.shuffled(range(4)).groups()] == [(g.kind, ids(g)) for g in grown]


# --- bursts and scenes -------------------------------------------------------------------------------------------------


def test_frames_within_two_seconds_are_a_burst_and_the_sharpest_is_best() -> None:
    album = Album()
    for n in range(5):
        quality = GOOD if n == 3 else replace(GOOD, sharpness=0.2, sharpest_tile=0.2)
        album.add(f"IMG_{n}.JPG", shaken(scene(1), n), camera=CANON, at=100 + n / 2, quality=quality)
    (group,) = album.groups()
    assert (group.kind, sorted(ids(group)), ids(group)[0]) == (GroupKind.BURST, [1, 2, 3, 4, 5], 4)
    assert group.members[0].reason == "sharper than the 4 others"
    assert "IMG_3.JPG is sharper" in group.members[1].reason


def test_a_burnt_out_frame_is_not_the_best_however_sharp() -> None:
    album = Album()
    for n, quality in enumerate((GOOD, replace(GOOD, sharpness=0.65, highlights=0.4))):
        album.add(f"{n}.jpg", shaken(scene(1), n), camera=CANON, at=1.0 + n, quality=quality)
    (group,) = album.groups()
    assert (ids(group)[0], group.members[0].reason) == (1, "best exposed")


def test_other_scenes_cameras_and_minutes_are_other_bursts() -> None:
    album = Album()
    for start, number in ((100.0, 1), (2000.0, 1), (101.5, 2)):
        for n in range(3):
            album.add(f"{start}-{n}.jpg", shaken(scene(number), n), camera=CANON, at=start + n / 2)
    album.add("other.jpg", scene(1), camera="Apple iPhone 14", at=100.2)
    album.add("nobody.jpg", scene(3), at=100.2)
    assert sorted(sorted(ids(g)) for g in album.groups(GroupKind.BURST)) == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_photos_of_one_view_minutes_apart_are_a_scene_and_nothing_more() -> None:
    album = Album()
    for n in range(3):
        album.add(f"{n}.jpg", scene(1), camera=CANON, at=100.0 + 50 * n * n)
    album.add("later.jpg", scene(1), camera=CANON, at=9000.0)
    (group,) = album.groups()
    assert (group.kind, ids(group)) == (GroupKind.SCENE, [1, 2, 3])
    assert not group.kind.thinned


def test_a_large_softened_picture_is_no_edit_of_a_miniature_in_whichever_order_they_come() -> None:
    for order in ((0, 1), (1, 0)):
        album = Album()
        album.add("small.jpg", scene(0), size=(240, 180), at=0.0)
        album.add("large.jpg", EDITS["softened"](scene(0)), size=(1920, 1440), at=0.0)
        assert album.shuffled(order).groups(GroupKind.EDIT) == []


# --- what holds for every library --------------------------------------------------------------------------------------

Made = tuple[int, str, tuple[int, int], str | None, int, str, bool]
MADE = st.lists(
    st.tuples(
        st.integers(0, 2),  # scene
        st.sampled_from(["", "mirrored", "darker", "softened", "cropped to about 65 %", "shaken"]),
        st.sampled_from([SIZE, HALF, LARGE]),
        st.sampled_from([None, CANON]),
        st.integers(0, 6),
        st.sampled_from(["", "1/125 s", "1/500 s", "1/30 s"]),
        st.booleans(),  # a copy of something
    ),
    max_size=9,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MADE, st.randoms(use_true_random=False), st.integers(0, 9))
def test_photos_in_any_order_make_the_same_groups_however_often_it_stopped(
    made: list[Made], rng: random.Random, stop: int
) -> None:
    album = Album()
    for n, (number, edit, size, camera, at, exposure, copied) in enumerate(made):
        picture = shaken(scene(number), n) if edit == "shaken" else EDITS[edit](scene(number)) if edit else scene(number)
        content = album.photos[n // 2].content_hash if copied and n else None
        picture = album.pictures[n // 2] if content else picture
        album.add(f"{n}.jpg", picture, size=size, camera=camera, at=float(at), content=content, exposure=exposure or None)
    found = album.groups()
    order = list(range(len(made)))
    rng.shuffle(order)
    other = album.shuffled(order)
    other.look(stop)
    assert sorted((g.kind, *album.names(g)) for g in found) == sorted((g.kind, *other.names(g)) for g in other.groups())
    series = {i: n for n, g in enumerate(found) if g.kind is GroupKind.SERIES for i in ids(g)}
    for group in found:
        assert len(group.members) > 1
        assert [m.best for m in group.members] == [True] + [False] * (len(group.members) - 1)
        assert all(m.reason for m in group.members)
        if group.kind is not GroupKind.SERIES:
            assert len({series[i] for i in ids(group) if i in series}) <= 1, "no group spans two sets"
        if group.kind is GroupKind.BURST:
            assert not series.keys() & ids(group)
    for kind in GroupKind:
        members = [i for g in found if g.kind is kind for i in ids(g)]
        assert len(members) == len(set(members))


def test_no_photos_make_no_groups() -> None:
    nothing = np.zeros((0, 8), np.float16)
    assert Grouping([], Looks([], nothing, nothing, lambda i: None), []).groups({}) == []
