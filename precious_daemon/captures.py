"""Which files of a folder belong together: a still with its RAW twin, Live Photo video and sidecars."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from precious_daemon.models import Role

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


def role_of(name: str) -> Role | None:
    """What a file is by the end of its name, or None for something else. A RAW file may be a photo of its own: see `pair`."""
    suffix = _suffix(name)
    for suffixes, role in ((STILLS, Role.STILL), (RAWS, Role.RAW), (VIDEOS, Role.VIDEO), (SIDECARS, Role.SIDECAR)):
        if suffix in suffixes:
            return role
    return None


def is_raw(path: str) -> bool:
    return _suffix(path) in RAWS


def pair(names: Iterable[str], raw_is_readable: bool = RAW_IS_READABLE) -> Pairing:
    """Pair the file names of one folder by their stem. A companion that two stills could own leaves both ambiguous.

    A RAW file without a still is a photo of its own where RAW files can be read.
    """
    roles = {name: role_of(name) for name in sorted(names)}
    stills = [name for name, role in roles.items() if role is Role.STILL]
    if raw_is_readable:
        taken = {_stem(name) for name in stills}
        stills = sorted(stills + [name for name, role in roles.items() if role is Role.RAW and _stem(name) not in taken])
    by_stem: dict[str, list[str]] = {}
    for name in stills:
        by_stem.setdefault(_stem(name), []).append(name)
    by_name: dict[str, list[str]] = {}
    for name in stills:
        by_name.setdefault(name.casefold(), []).append(name)
    companions: dict[str, dict[str, Role]] = {name: {} for name in stills}
    ambiguous: dict[str, str] = {}
    unsupported: Counter[str] = Counter()
    for name, role in roles.items():
        if name in companions:
            continue
        owners: list[str] = []
        if role is None:
            if takeout := _TAKEOUT.fullmatch(name.casefold()):
                role, owners = Role.SIDECAR, _of_takeout(takeout, by_name)
        else:
            whole = by_name.get(_stem(name)) if role is Role.SIDECAR else None  # IMG_1.JPG.xmp is of IMG_1.JPG alone
            owners = whole or by_stem.get(_stem(name), [])
        if len(owners) == 1 and role:
            companions[owners[0]][name] = role
        elif owners:
            for owner in owners:
                ambiguous[owner] = f"{name} could belong to {' or '.join(owners)}"
        else:
            unsupported[_suffix(name) or "no suffix"] += 1
    return Pairing(companions, ambiguous, unsupported)


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
