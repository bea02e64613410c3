"""Sets of frames are told from bursts, and are never thinned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from precious_daemon.grouping.bestshot import Frame, choose
from precious_daemon.grouping.series import exposure_value, is_focus_stack
from precious_daemon.models import GroupKind
from tests.pure.album import CANON, GOOD, Album, scene, shaken


def sets(album: Album) -> list[tuple[list[str], str]]:
    return [(sorted(album.names(g)), g.members[0].reason) for g in album.groups(GroupKind.SERIES)]


def take(
    album: Album, frames: Iterator[Image.Image] | list[Image.Image], step: float, start: float = 100.0, **more: object
) -> None:
    for n, frame in enumerate(frames):
        own = {key: value[n] if isinstance(value, list) else value for key, value in more.items()}
        album.add(f"IMG_{len(album.photos):03}.JPG", frame, camera=CANON, at=start + n * step, **own)  # type: ignore[arg-type]


EXPOSURES = ["1/125 s, f/8, ISO 100", "1/500 s, f/8, ISO 100", "1/30 s, f/8, ISO 100"]


@pytest.mark.parametrize("told", [{}, {"bracketed": True}])
def test_frames_of_one_view_that_are_exposed_otherwise_are_a_bracket(told: dict[str, object]) -> None:
    album = Album()
    for start in (100.0, 101.5):  # twice in a row
        light = (ImageEnhance.Brightness(scene(1)).enhance(share) for share in (1, 0.6, 1.5))
        take(album, light, 0.3, start, exposure=EXPOSURES, **told)
    found = sets(album)
    assert [names for names, _ in found] == [
        ["IMG_000.JPG", "IMG_001.JPG", "IMG_002.JPG"],
        ["IMG_003.JPG", "IMG_004.JPG", "IMG_005.JPG"],
    ]
    assert {why for _, why in found} == {"exposure bracket: -2.0 EV"}
    assert album.groups(GroupKind.BURST, GroupKind.SAME) == []


def test_a_burst_in_changing_light_is_no_bracket() -> None:
    album = Album()
    take(album, [shaken(scene(1), n) for n in range(4)], 0.3, exposure=["1/125 s", "1/110 s", "1/125 s", "1/140 s"])
    assert [g.kind for g in album.groups()] == [GroupKind.BURST]


def test_exposure_value_is_that_of_the_settings() -> None:
    album = Album()
    take(album, [scene(1)] * 3, 1, exposure=["1/125 s, f/8, ISO 100", "2 s, f/16, ISO 400, 50 mm", None])
    values = [exposure_value(photo) for photo in album.photos]
    assert values[:2] == [pytest.approx(12.97, abs=0.01), pytest.approx(5.0, abs=0.01)]
    assert values[2] is None


def test_frames_at_even_intervals_are_a_time_lapse_and_at_uneven_ones_are_not() -> None:
    album = Album()
    take(album, [shaken(scene(1), n) for n in range(12)], 10.0)
    ((names, why),) = sets(album)
    assert (len(names), why) == (12, "time lapse: every 10 s")
    by_hand = Album()
    for n, at in enumerate([0, 7, 21, 40, 44, 63, 71, 96, 103, 125]):
        by_hand.add(f"{n}.jpg", shaken(scene(1), n), camera=CANON, at=float(at))
    assert sets(by_hand) == []


def test_a_run_of_minutes_is_a_set_and_no_burst() -> None:
    album = Album()
    rng = np.random.default_rng(0)
    for n, at in enumerate(np.cumsum(rng.uniform(0.5, 1.4, 90))):
        album.add(f"{n}.jpg", scene(1), camera=CANON, at=float(at), content=f"{n:064x}")
    assert [len(names) for names, _ in sets(album)] == [90]
    assert album.groups(GroupKind.BURST) == []


def test_overlapping_frames_are_a_panorama() -> None:
    album = Album()
    wide = scene(5, (700, 180))
    take(album, [wide.crop((x, 0, x + 240, 180)) for x in (0, 110, 230, 340)], 3.0)
    ((names, why),) = sets(album)
    assert (len(names), why) == (4, "panorama: part 3 of 4")


def test_other_subjects_in_quick_succession_are_no_panorama() -> None:
    album = Album()
    take(album, [scene(n) for n in range(6)], 3.0)
    assert sets(album) == []


def test_a_focus_that_goes_from_near_to_far_is_a_stack() -> None:
    album = Album()
    take(album, [shaken(scene(1), n) for n in range(5)], 0.5, focus_distance=[0.3, 0.35, 0.4, 0.5, 0.7])
    ((names, why),) = sets(album)
    assert (len(names), why) == (5, "focus stack: focused at 0.40 m")
    waving = Album()
    take(waving, [shaken(scene(1), n) for n in range(5)], 0.5, focus_distance=[0.3, 0.35, 0.3, 0.5, 0.2])
    assert sets(waving) == []


def test_sharpness_that_wanders_through_the_picture_is_a_stack_and_one_sharp_frame_is_none() -> None:
    depth = np.repeat(np.arange(16), 16)  # a table from below
    stack = np.array([160 - 12 * np.abs(depth - focus) for focus in (1, 5, 9, 13)]).clip(20).astype(np.uint8)
    assert is_focus_stack(stack)
    burst = np.array([np.full(256, 160), np.full(256, 120), np.full(256, 130), np.full(256, 110)], np.uint8)
    assert not is_focus_stack(burst + np.random.default_rng(0).integers(0, 9, (4, 256)).astype(np.uint8))


def test_sets_divide_bursts_and_no_group_spans_them() -> None:
    album = Album()
    take(album, [shaken(scene(1), n) for n in range(3)], 0.5, 100.0)
    take(album, (ImageEnhance.Brightness(scene(1)).enhance(share) for share in (1, 0.6, 1.5)), 0.3, 101.7, exposure=EXPOSURES)
    take(album, [shaken(scene(1), n) for n in range(3, 6)], 0.5, 102.9)
    found = [(g.kind, sorted(m.photo_id for m in g.members)) for g in album.groups()]
    assert (GroupKind.SERIES, [4, 5, 6]) in found
    assert [ids for kind, ids in found if kind is GroupKind.BURST] == [[1, 2, 3], [7, 8, 9]]
    assert not [ids for kind, ids in found if kind is GroupKind.SCENE and {4, 5, 6} & set(ids)]


def test_a_burst_that_wanders_off_begins_anew() -> None:
    album = Album()
    wide = scene(9, (2000, 180))
    take(album, [wide.crop((x, 0, x + 240, 180)) for x in range(0, 600, 24)], 0.4)
    for group in album.groups(GroupKind.BURST):
        assert len(group.members) < 25, "the last frame shows nothing of the first"


# --- the best of a burst -----------------------------------------------------------------------------------------------


def frame(name: str, detail: int | None = None, liked: float = 0.0, quality: object = GOOD, edited: bool = False) -> Frame:
    parts = None if detail is None else np.full(256, detail, np.uint8)
    return Frame(quality, parts, liked, edited, 1000, name)  # type: ignore[arg-type]


def test_the_sharpest_at_full_size_is_the_best_and_it_is_said() -> None:
    verdict = choose([frame("a", 120), frame("b", 150), frame("c", 130)])
    assert verdict.order == [1, 2, 0]
    assert verdict.why == ["b is sharper", "sharper than the 2 others", "b is sharper"]


def test_the_subject_counts_and_not_the_edge() -> None:
    side = np.arange(16)
    middle = ((abs(side - 7.5) < 5)[:, None] & (abs(side - 7.5) < 5)[None, :]).ravel()
    subject, ground = np.where(middle, 150, 80).astype(np.uint8), np.where(middle, 80, 150).astype(np.uint8)
    frames = [Frame(GOOD, ground, 0, False, 1, "ground"), Frame(GOOD, subject, 0, False, 1, "subject")]
    assert choose(frames).order[0] == 1


def test_what_the_owner_said_comes_before_what_is_measured() -> None:
    assert choose([frame("a", 150), frame("b", 100, liked=1.0)]).why == ["you prefer b", "you like it best"]
    assert choose([frame("a", 150), frame("b", 100, edited=True)]).why[1] == "you edited it"
    assert choose([frame("a", 150, liked=-1.0), frame("b", 100)]).order == [1, 0]


def test_taste_decides_among_frames_that_are_about_equally_sharp() -> None:
    assert choose([frame("a", 150), frame("b", 149, liked=0.6)]).order == [1, 0]
    assert choose([frame("a", 150), frame("b", 120, liked=0.6)]).order == [0, 1]
