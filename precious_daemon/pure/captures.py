"""Which files of a folder belong together: a still with its RAW twin, Live Photo video and sidecars."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from precious_daemon.models import Role, Told

# fmt: off
STILLS = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".heic", ".heif", ".hif", ".avif",
})
RAWS = frozenset({
    ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".raf", ".orf", ".rw2", ".dng", ".pef", ".srw", ".x3f",
    ".raw", ".3fr", ".iiq",
})
VIDEOS = frozenset({".mov", ".mp4", ".m4v"})
SIDECARS = frozenset({".xmp", ".aae"})
# fmt: on
if find_spec("pillow_jxl"):  # the extra "jxl"
    STILLS |= {".jxl"}
RAW_IS_READABLE = find_spec("rawpy") is not None  # the extra "raw"

# Google Takeout: IMG_1.jpg.json, IMG_1.jpg.supplemental-metadata.json, cut off at 51 characters in all; a second IMG_1.jpg
# of the same album is IMG_1(1).jpg and has IMG_1.jpg(1).json or IMG_1.jpg.supplemental-metadata(1).json
_TAKEOUT = re.compile(r"(?P<name>.+?)(?P<number>\(\d+\))?\.json")
_TAKEOUT_WORD = ".supplemental-metadata"
_TAKEOUT_LENGTH = 51 - len(".json")


@dataclass(frozen=True, slots=True)
class Pairing:
    """`companions` by still; `ambiguous` says of a still why it cannot be told what is its own; the rest is counted."""

    companions: Mapping[str, Mapping[str, Role]]
    ambiguous: Mapping[str, str]
    unsupported: Mapping[str, int]  # by suffix
    bonds: Mapping[str, str]  # of a companion: how it is known to be one, where that is not its name


IDENTIFIER, EXIF = "identifier", "exif"  # bonds


def role_of(name: str) -> Role | None:
    """What a file is by the end of its name, or None for something else. A RAW file may be a photo of its own: see `pair`."""
    suffix = _suffix(name)
    for suffixes, role in ((STILLS, Role.STILL), (RAWS, Role.RAW), (VIDEOS, Role.VIDEO), (SIDECARS, Role.SIDECAR)):
        if suffix in suffixes:
            return role
    return None


def is_raw(path: str) -> bool:
    return _suffix(path) in RAWS


def pair(names: Iterable[str], raw_is_readable: bool = RAW_IS_READABLE, told: Mapping[str, Told] | None = None) -> Pairing:
    """Pair the file names of one folder: by Apple's content identifier, else by the moment in their EXIF, else by their stem.

    `told` is what files that were looked into said. A companion that two stills could own leaves both ambiguous. A RAW file
    without a still is a photo of its own where RAW files can be read.
    """
    roles = {name: role_of(name) for name in sorted(names)}
    plain = [name for name, role in roles.items() if role is Role.STILL]
    by_stem = _grouped(plain, _stem)
    owners, bonds = _by_what_they_say(roles, plain, by_stem, told) if told else ({}, {})
    stills = plain
    if raw_is_readable:
        alone = [n for n, role in roles.items() if role is Role.RAW and not owners.get(n) and _stem(n) not in by_stem]
        stills = sorted(plain + alone)
        by_stem = _grouped(stills, _stem)
    by_name = _grouped(stills, str.casefold)
    companions: dict[str, dict[str, Role]] = {name: {} for name in stills}
    ambiguous: dict[str, str] = {}
    unsupported: Counter[str] = Counter()
    for name, role in roles.items():
        if name in companions:
            continue
        if role is None:
            takeout = _TAKEOUT.fullmatch(name.casefold())
            role, found = Role.SIDECAR, _of_takeout(takeout, by_name) if takeout else []
        elif name in owners:
            found = owners[name]
        else:
            whole = by_name.get(_stem(name)) if role is Role.SIDECAR else None  # IMG_1.JPG.xmp is of IMG_1.JPG alone
            found = whole or by_stem.get(_stem(name), [])
        if len(found) == 1:
            companions[found[0]][name] = role
        elif found:
            for owner in found:
                ambiguous[owner] = f"{name} could belong to {' or '.join(found)}"
        else:
            unsupported[_suffix(name) or "no suffix"] += 1
    return Pairing(companions, ambiguous, unsupported, bonds)


def _by_what_they_say(
    roles: Mapping[str, Role | None], stills: list[str], by_stem: Mapping[str, list[str]], told: Mapping[str, Told]
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """(stills that may own a video or RAW file, by its name, where that is known from more than names; the bonds)."""
    by_id = _grouped([s for s in stills if s in told and told[s].content_id], lambda name: told[name].content_id or "")
    raws = [name for name, role in roles.items() if role is Role.RAW and name in told]
    by_moment = _grouped([s for s in stills if s in told and told[s].taken_at], lambda name: _moment(told[name]))
    raws_by_moment = _grouped([raw for raw in raws if told[raw].taken_at], lambda name: _moment(told[name]))
    owners: dict[str, list[str]] = {}
    bonds: dict[str, str] = {}
    for name, role in roles.items():
        if role not in (Role.VIDEO, Role.RAW) or name not in told:
            continue
        its, alike = told[name], by_stem.get(_stem(name), [])
        if its.content_id:
            same = by_id.get(its.content_id, [])
            here = [still for still in same if still in alike]
            # one recorded with another photo is not this one's, whatever their names are
            strangers = [still for still in alike if still in told and told[still].content_id not in (None, its.content_id)]
            owners[name] = (here if len(here) == 1 else same) or [still for still in alike if still not in strangers]
            if same and len(owners[name]) == 1:
                bonds[name] = IDENTIFIER
        elif role is Role.RAW and its.taken_at:
            same = by_moment.get(_moment(its), [])
            here = [still for still in same if still in alike]
            if len(here) == 1:
                owners[name], bonds[name] = here, EXIF
            elif not alike and len(same) == len(raws_by_moment[_moment(its)]) == 1 and its.taken_at % 1:
                owners[name], bonds[name] = same, EXIF  # to the fraction of a second: a whole one may be another frame's
    return owners, bonds


def _moment(told: Told) -> str:
    return f"{told.taken_at:.3f}"


def _grouped(names: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(key(name), []).append(name)
    return found


def _of_takeout(json: re.Match[str], by_name: Mapping[str, list[str]]) -> list[str]:
    """The stills, by their names in lower case, that a JSON of Google Takeout is about."""
    name, number = json["name"], json["number"] or ""
    for end in range(len(name), 0, -1):  # the name of the still, then no more or the first letters of the word
        if end < len(name) and not _TAKEOUT_WORD.startswith(name[end:]):
            continue
        stem, suffix = posixpath.splitext(name[:end])
        if found := by_name.get(f"{stem}{number}{suffix}"):
            return found
    if not number and len(name) >= _TAKEOUT_LENGTH:
        return [still for key, stills in by_name.items() if key.startswith(name) for still in stills]
    return []


def _suffix(name: str) -> str:
    return posixpath.splitext(name)[1].lower()


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0].casefold()
