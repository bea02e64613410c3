"""Which files of a folder belong together: a still with its RAW twin, Live Photo video and sidecars."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Pairing:
    """`companions` by still; `ambiguous` says of a still why it cannot be told what is its own; the rest is counted."""

    companions: Mapping[str, Mapping[str, Role]]
    ambiguous: Mapping[str, str]
    unsupported: Mapping[str, int]  # by suffix


def role_of(name: str) -> Role | None:
    """What a file is by the end of its name, or None for something else."""
    suffix = posixpath.splitext(name)[1].lower()
    for suffixes, role in ((STILLS, Role.STILL), (RAWS, Role.RAW), (VIDEOS, Role.VIDEO), (SIDECARS, Role.SIDECAR)):
        if suffix in suffixes:
            return role
    return None


def pair(names: Iterable[str]) -> Pairing:
    """Pair the file names of one folder by their stem. A companion that two stills could own leaves both ambiguous."""
    roles = {name: role_of(name) for name in sorted(names)}
    stills = [name for name, role in roles.items() if role is Role.STILL]
    by_stem: dict[str, list[str]] = {}
    for name in stills:
        by_stem.setdefault(_stem(name), []).append(name)
    by_name = {name.casefold(): name for name in stills}
    companions: dict[str, dict[str, Role]] = {name: {} for name in stills}
    ambiguous: dict[str, str] = {}
    unsupported: Counter[str] = Counter()
    for name, role in roles.items():
        if role is Role.STILL:
            continue
        stem = _stem(name)
        whole = by_name.get(stem) if role is Role.SIDECAR else None  # IMG_1.JPG.xmp is of IMG_1.JPG alone
        owners = [whole] if whole else by_stem.get(stem, []) if role else []
        if len(owners) == 1 and role:
            companions[owners[0]][name] = role
        elif owners:
            for owner in owners:
                ambiguous[owner] = f"{name} could belong to {' or '.join(owners)}"
        else:
            unsupported[posixpath.splitext(name)[1].lower() or "no suffix"] += 1
    return Pairing(companions, ambiguous, unsupported)


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0].casefold()
