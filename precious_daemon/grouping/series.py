"""Frames that belong together: bursts, of which one is enough, and sets, of which every frame is wanted.

A set is taken on purpose: an exposure bracket, the parts of a panorama, a focus stack, a time lapse. It is told from a
burst by what the camera wrote and by what the frames show. Where there is doubt it is a set: that costs nothing but
a few frames more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from precious_daemon.grouping.compare import Pixels, shift
from precious_daemon.work.jobfolder import PhotoRow

Alike = Callable[[int, int], bool]

BURST_GAP = 2.0  # seconds from one frame to the next
BURST_LONGEST = 60.0  # what goes on for longer is a series that someone wanted
BRACKET_SPAN, BRACKET_STEP = 1.2, 0.3  # EV: of a set, between any two frames of it
BRACKET_FRAMES = 3
LAPSE_FRAMES, LAPSE_LONGEST = 8, 3600.0  # frames at least; seconds between them at most
LAPSE_SHORTEST = 1.5  # seconds between them at least: what is faster is a burst
LAPSE_TOLERANCE = 0.05  # of the interval, beside what rounding to whole seconds does
STACK_FRAMES = 4
PANORAMA_FRAMES, PANORAMA_GAP = 3, 15.0
PANORAMA_STEP = (0.15, 0.85)  # of the side along which it is swept
PANORAMA_BITS = 8  # in the hash, at least: nearer frames were not swept
PANORAMA_AGREEMENT = 0.5  # of the detail of what two frames share: other views .2

_TIME = re.compile(r"(?:1/)?([\d.]+) s")
_APERTURE, _ISO = re.compile(r"f/([\d.]+)"), re.compile(r"ISO (\d+)")


@dataclass(frozen=True, slots=True)
class Series:
    """Indexes of photos in the order they were taken, and what each is, in words."""

    what: str
    frames: list[int]
    words: list[str] = field(default_factory=list)


def find_series(
    photos: Sequence[PhotoRow], among: Sequence[int], alike: Alike, thumbnail: Callable[[int], Pixels | None]
) -> tuple[list[Series], list[list[int]]]:
    """Sets, and bursts of what is in no set. `alike`: do two frames show one view?"""
    cameras: dict[str, list[int]] = {}
    for i in among:
        if photos[i].taken_at is not None and (camera := photos[i].camera):
            cameras.setdefault(camera, []).append(i)
    sets, bursts = list[Series](), list[list[int]]()
    for camera in sorted(cameras):
        line = sorted(cameras[camera], key=lambda i: (photos[i].taken_at, photos[i].path, photos[i].content_hash))
        found = list[Series]()
        for look in (_brackets, _lapses, _stacks):
            taken = {i for one in found for i in one.frames}
            found += look(photos, [i for i in line if i not in taken], alike)
        taken = {i for one in found for i in one.frames}
        found += _panoramas(photos, _stretches(photos, line, taken), thumbnail)
        taken = {i for one in found for i in one.frames}
        sets += found
        for stretch in _stretches(photos, line, taken):
            bursts += _bursts(photos, stretch, alike)
    return sets, bursts


def _seconds(photos: Sequence[PhotoRow], a: int, b: int) -> float:
    return (photos[b].taken_at or 0.0) - (photos[a].taken_at or 0.0)


def _stretches(photos: Sequence[PhotoRow], line: Sequence[int], taken: set[int]) -> list[list[int]]:
    """What is left of a camera's photos on each side of the sets: no burst reaches across one."""
    parts: list[list[int]] = [[]]
    for i in line:
        if i in taken:
            parts.append([])
        else:
            parts[-1].append(i)
    return [part for part in parts if part]


def _runs(frames: Sequence[int], joined: Callable[[int, int], bool]) -> list[list[int]]:
    runs = [list(frames[:1])]
    for a, b in pairwise(frames):
        if joined(a, b):
            runs[-1].append(b)
        else:
            runs.append([b])
    return [run for run in runs if run]


# --- bursts ------------------------------------------------------------------------------------------------------------


def _bursts(photos: Sequence[PhotoRow], line: Sequence[int], alike: Alike) -> list[list[int]]:
    """Runs of frames within seconds, each like the one before and like the first: a camera that wanders off begins anew."""
    found: list[list[int]] = []
    for run in _runs(line, lambda a, b: _seconds(photos, a, b) <= BURST_GAP):
        if _seconds(photos, run[0], run[-1]) > BURST_LONGEST and len(_one_view(run, alike)) == 1:
            continue
        found += [part for part in _one_view(run, alike) if len(part) > 1]
    return found


def _one_view(run: Sequence[int], alike: Alike) -> list[list[int]]:
    parts = [[run[0]]]
    for i in run[1:]:
        if alike(parts[-1][-1], i) and alike(parts[-1][0], i):
            parts[-1].append(i)
        else:
            parts.append([i])
    return parts


# --- exposure brackets -------------------------------------------------------------------------------------------------


def exposure_value(photo: PhotoRow) -> float | None:
    """EV at ISO 100 of the camera's settings: log2(aperture^2 / time) - log2(ISO / 100)."""
    text = photo.exposure or ""
    time, aperture, iso = _TIME.search(text), _APERTURE.search(text), _ISO.search(text)
    if not time or float(time[1]) <= 0:
        return None
    seconds = 1 / float(time[1]) if time[0].startswith("1/") else float(time[1])
    stop = float(aperture[1]) if aperture and float(aperture[1]) > 0 else 1.0
    return math.log2(stop * stop / seconds) - math.log2(int(iso[1]) / 100 if iso and int(iso[1]) else 1.0)


def _brackets(photos: Sequence[PhotoRow], line: Sequence[int], alike: Alike) -> list[Series]:
    """Frames in quick succession of which each is exposed otherwise."""

    def follows(a: int, b: int) -> bool:
        long = 1 / 2 ** ((exposure_value(photos[a]) or 0.0) + 2)  # a night exposure keeps the next one waiting
        same = (photos[a].width, photos[a].height) == (photos[b].width, photos[b].height)
        return same and _seconds(photos, a, b) <= BURST_GAP + min(long, 30.0)

    found = []
    for run in _runs(line, follows):
        if len(run) < BRACKET_FRAMES:
            continue
        flagged = any(photos[i].bracketed for i in run)
        for part in _rounds(photos, run):
            values = [v for i in part if (v := _exposed(photos[i])) is not None]
            wide = len(values) > 1 and max(values) - min(values) >= (0.5 if flagged else BRACKET_SPAN)
            enough = len(part) >= (2 if flagged else BRACKET_FRAMES)
            if enough and wide and (flagged or alike(part[0], part[-1]) or alike(part[0], part[1])):
                middle = sorted(values)[len(values) // 2]
                words = [f"{middle - value:+.1f} EV" for value in values]
                found.append(Series("exposure bracket", part, words))
    return found


def _exposed(photo: PhotoRow) -> float | None:
    """EV of the settings, or, where they are not known, what the camera was told to differ by."""
    value = exposure_value(photo)
    return value if value is not None else (None if photo.exposure_bias is None else -photo.exposure_bias)


def _rounds(photos: Sequence[PhotoRow], run: Sequence[int]) -> list[list[int]]:
    """A run cut where an exposure comes again; frames whose exposure is not known are in no part."""
    parts: list[list[int]] = [[]]
    seen: list[float] = []
    for i in run:
        value = _exposed(photos[i])
        if value is None or any(abs(value - other) < BRACKET_STEP for other in seen):
            parts.append([])
            seen = []
        if value is not None:
            parts[-1].append(i)
            seen.append(value)
    return [part for part in parts if part]


# --- time lapses -------------------------------------------------------------------------------------------------------


def _lapses(photos: Sequence[PhotoRow], line: Sequence[int], alike: Alike) -> list[Series]:
    """Many frames of one view at even intervals, as nobody presses a button; and what went on for minutes without a pause."""
    found, start = list[Series](), 0
    whole = all((photos[i].taken_at or 0.0) % 1 == 0 for i in line)  # clocks without fractions of a second
    while start + LAPSE_FRAMES <= len(line):
        end, low, high = start + 1, 0.0, math.inf
        while end < len(line):
            step = _seconds(photos, line[end - 1], line[end])
            slack = (1.0 if whole else 0.2) + LAPSE_TOLERANCE * step
            low, high = max(low, step - slack), min(high, step + slack)
            if not LAPSE_SHORTEST <= step <= LAPSE_LONGEST or low > high or not alike(line[end - 1], line[end]):
                break
            end += 1
        frames = list(line[start:end])
        if len(frames) >= LAPSE_FRAMES:
            interval = _seconds(photos, frames[0], frames[-1]) / (len(frames) - 1)
            found.append(Series("time lapse", frames, [f"every {_span(interval)}"] * len(frames)))
        start = end if len(frames) >= LAPSE_FRAMES else start + 1
    taken = {i for one in found for i in one.frames}
    for run in _runs([i for i in line if i not in taken], lambda a, b: _seconds(photos, a, b) <= BURST_GAP and alike(a, b)):
        length = _seconds(photos, run[0], run[-1])
        if length > BURST_LONGEST:
            found.append(Series("time lapse", run, [f"{len(run)} frames over {_span(length)}"] * len(run)))
    return found


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


# --- focus stacks ------------------------------------------------------------------------------------------------------


def _stacks(photos: Sequence[PhotoRow], line: Sequence[int], alike: Alike) -> list[Series]:
    """Frames of one view whose focus goes steadily from near to far, or back."""
    found = []
    for run in _runs(line, lambda a, b: _seconds(photos, a, b) <= 2 * BURST_GAP and alike(a, b)):
        distances = [photos[i].focus_distance for i in run]
        known = [d for d in distances if d is not None]
        steps = [b - a for a, b in pairwise(known)]
        if len(run) >= STACK_FRAMES and len(known) == len(run) and (all(s > 0 for s in steps) or all(s < 0 for s in steps)):
            found.append(Series("focus stack", run, [f"focused at {d:.2f} m" for d in known]))
    return found


def is_focus_stack(details: NDArray[np.uint8]) -> bool:
    """Of the frames of a burst, (frames, parts) of `features.detail`: does the sharpness wander through the picture?

    Then most parts that have any detail are clearly sharp in one frame only, several frames have such parts, and each
    part grows sharper up to its frame and softer after it. In a burst it is the same frame that is sharpest nearly
    everywhere.
    """
    if len(details) < STACK_FRAMES:
        return False
    parts = details.astype(float) / 255
    telling = parts.max(0) - np.median(parts, 0) > 0.08
    if telling.mean() < 0.25:
        return False
    winners = parts[:, telling].argmax(0)
    shares = np.bincount(winners, minlength=len(parts)) / len(winners)
    rising = np.diff(parts[:, telling], axis=0) > -0.02
    before = np.arange(len(parts) - 1)[:, None] < winners[None, :]
    steady = (rising == before) | (np.abs(np.diff(parts[:, telling], axis=0)) < 0.02)
    return bool((shares > 0.1).sum() >= 3 and shares.max() < 0.6 and steady.mean() > 0.85)


# --- panoramas ---------------------------------------------------------------------------------------------------------


def _panoramas(
    photos: Sequence[PhotoRow], stretches: Sequence[Sequence[int]], thumbnail: Callable[[int], Pixels | None]
) -> list[Series]:
    """Frames that overlap in one direction, taken one after the other."""
    found = []
    for stretch in stretches:
        for run in _runs(stretch, lambda a, b: _may_be_swept(photos, a, b)):
            if len(run) < PANORAMA_FRAMES:
                continue
            steps = [_step(thumbnail(a), thumbnail(b)) for a, b in pairwise(run)]
            start = 0
            for end in range(len(steps) + 1):
                if end < len(steps) and steps[end] is not None and (end == start or _agree(steps[end - 1], steps[end])):
                    continue
                if end - start + 1 >= PANORAMA_FRAMES:
                    frames = run[start : end + 1]
                    found.append(Series("panorama", frames, [f"part {n} of {len(frames)}" for n in range(1, len(frames) + 1)]))
                start = end if end < len(steps) and steps[end] is not None else end + 1
    return found


def _may_be_swept(photos: Sequence[PhotoRow], a: int, b: int) -> bool:
    one, other = photos[a], photos[b]
    elsewhere = (one.perceptual_hash ^ other.perceptual_hash).bit_count() >= PANORAMA_BITS
    return elsewhere and (one.width, one.height) == (other.width, other.height) and _seconds(photos, a, b) <= PANORAMA_GAP


def _step(one: Pixels | None, other: Pixels | None) -> tuple[str, float] | None:
    """(axis, signed share) that the camera was swept by, or None."""
    seen = shift(one, other) if one is not None and other is not None else None
    if seen is None or seen[2] < PANORAMA_AGREEMENT:
        return None
    across, down, _ = seen
    axis, by, aside = ("across", across, down) if abs(across) > abs(down) else ("down", down, across)
    return (axis, by) if PANORAMA_STEP[0] <= abs(by) <= PANORAMA_STEP[1] and abs(aside) <= 0.2 else None


def _agree(one: tuple[str, float] | None, other: tuple[str, float] | None) -> bool:
    return one is not None and other is not None and one[0] == other[0] and (one[1] > 0) == (other[1] > 0)
