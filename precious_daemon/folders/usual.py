"""The usual places of photos on this machine, and the usual wishes: what a first start proposes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from precious_daemon.pure.captures import RAWS, STILLS

PICTURES = STILLS | RAWS
MOST = 20_000  # entries looked at in one folder: enough to say that there are many
PATIENCE = 0.5  # seconds for one folder: one on a slow disk is proposed all the same
CARE = {"very": 0.02, "usual": 0.05, "little": 0.13}
"""How careful, as `certify.alpha`: so many of the suggestions may be photos you would keep. Two in a hundred takes some 100 blind
checks to show, five take 50, thirteen 20."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with photos in it. `photos` is at least so many."""

    path: str
    photos: int
    more: bool  # whether not all were counted


def propose(home: Path | None = None, environ: Mapping[str, str] | None = None) -> list[Place]:
    """Folders that exist and hold photos, the fullest first; none inside another."""
    home = home or Path.home()
    found: dict[str, Place] = {}
    for folder in _candidates(home, os.environ if environ is None else environ):
        path = os.path.realpath(folder)
        if path != os.path.realpath(home) and not any(path == known or path.startswith(known + "/") for known in found):
            place = count(path)
            if place.photos:
                found[path] = place
    return sorted(found.values(), key=lambda place: -place.photos)


def _candidates(home: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """The desktop's own folder first, then the names that there are, then cards and phones that are plugged in."""
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "user-dirs.dirs"
    try:
        named = re.search(r'^XDG_PICTURES_DIR="(.*)"$', config.read_text("utf-8", "replace"), re.MULTILINE)
    except OSError:
        named = None
    if named:
        yield Path(named[1].replace("$HOME", str(home)))
    yield from (home / name for name in ("Pictures", "Photos", "Bilder", "Images", "图片", "DCIM", "Camera"))
    for mounts in (f"/run/media/{home.name}", f"/media/{home.name}", "/Volumes"):
        try:
            yield from (Path(disk.path) / "DCIM" for disk in os.scandir(mounts))
        except OSError:
            continue


def count(path: str) -> Place:
    """How many pictures there are below a folder, looked at for a moment only."""
    photos, seen, end = 0, 0, time.monotonic() + PATIENCE
    for _, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        seen += len(files) + 1
        photos += sum(os.path.splitext(name)[1].lower() in PICTURES for name in files)
        if seen > MOST or time.monotonic() > end:
            return Place(path, photos, True)
    return Place(path, photos, False)
