"""Album: a folder of links to the night's suggestions, or to your best photos, for any picture viewer; or of copies.

The links are named `0001 IMG_0042.JPG` and so on, surest or best first. The originals stay where they are, and deleting a
link or a copy deletes nothing else. What the last run put there is replaced; whatever else lies in the folder, and a copy that
was edited, is left alone. Links to photos that went to the trash are removed. Relative links stay good when album and photos
move together, as on a disk that is mounted elsewhere; absolute ones when only the album moves.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from precious_daemon.errors import ConfigError
from precious_daemon.hookspecs import Context, Output, PluginPhoto, SuggestedPhoto, hookimpl
from precious_daemon.machine import whole
from precious_daemon.plugins.options import setting

LEDGER = "links.json"  # album folder -> {name: mark} of what we made, in the plugin's own folder; a link's mark is its target
COPY = "copy "  # begins the mark of a copy: its inode, size and time follow
NAME_BYTES = 255
PATIENCE = 1800.0  # copies take as long as the disk does


@dataclass(frozen=True, slots=True)
class Settings:
    folder: str = setting("", "where the album is, outside of the watched folders; empty is a folder of the plugin's own")
    of: str = setting("suggestions", "what is in it; best is the top of your ranking", choices=("suggestions", "best"))
    most: int = setting(0, "how many photos at most; 0 is all of them", 0)
    copy: bool = setting(False, "copies instead of links, such as for a memory stick or a picture frame")
    relative: bool = setting(False, "links relative to the album")


@hookimpl
def startup(context: Context) -> None:
    _album(context)


@hookimpl
def deliver(suggestions: Sequence[SuggestedPhoto], best: Sequence[PluginPhoto], output: Output) -> None:
    album, chosen = _album(output), output.settings
    photos: Sequence[PluginPhoto] = suggestions if chosen.of == "suggestions" else best
    photos = photos[: chosen.most or len(photos)]
    for photo in photos:
        if album.is_relative_to(photo.root.resolve()):
            raise ConfigError(
                f"The album {album} is inside the watched folder {photo.root}, where what is in it would be taken for photos. "
                "Set plugin.links.folder to a folder outside of it."
            )
    if photos or _read(output.folder):
        output.record("wrote", album, photos=[str(photo.path) for photo in photos])
    album.mkdir(parents=True, exist_ok=True)
    _remove(_read(output.folder))

    start = os.path.realpath(album)
    ours: dict[str, str] = {}
    for name, photo in _names(photos):
        if chosen.copy:
            ours |= _copy(photo.path, album, _free(album, name))
        else:
            target = os.path.relpath(photo.path, start) if chosen.relative else str(photo.path)
            ours[_free(album, name)] = target
    _write(output.folder, {str(album): ours} if ours else {})  # links before they are made: none is ever forgotten
    for name, target in ours.items():
        if not target.startswith(COPY):
            os.symlink(target, album / name)


@hookimpl
def trashed(photos: Sequence[PluginPhoto], context: Context) -> None:
    """Links to what was moved would lead nowhere."""
    gone = {os.fspath(photo.path) for photo in photos}
    ours = _read(context.folder)
    stale = {
        album: {name: mark for name, mark in made.items() if os.path.normpath(os.path.join(album, mark)) in gone}
        for album, made in ours.items()
    }
    for album, links in stale.items():
        if links:
            context.record("removed", album, photos=[os.path.join(album, name) for name in links])
    _remove(stale)
    _write(context.folder, {album: {n: m for n, m in made.items() if n not in stale[album]} for album, made in ours.items()})


def _album(context: Context) -> Path:
    chosen = context.settings
    folder = Path(chosen.folder).expanduser() if chosen.folder else context.folder / "album"
    if not folder.is_absolute():
        raise ConfigError(f'plugin.links.folder is "{chosen.folder}", and has to start with / or ~.')
    return folder.resolve()


def _copy(source: Path, album: Path, name: str) -> dict[str, str]:
    """Copy one photo; nothing where it is gone meanwhile. A copy has no other name in between: the next run cleans up."""
    try:
        with open(source, "rb") as old, open(album / name, "xb") as new:
            shutil.copyfileobj(old, new, 1 << 20)
    except FileNotFoundError:
        return {}
    shutil.copystat(source, album / name)
    return {name: _mark(album / name)}


def _mark(copy: Path) -> str:
    status = os.lstat(copy)
    return f"{COPY}{status.st_ino} {status.st_size} {status.st_mtime_ns}"


def _names(photos: Sequence[PluginPhoto]) -> Iterator[tuple[str, PluginPhoto]]:
    """Numbered, so that they sort by sureness and no two are the same; cut where a file system would refuse them."""
    digits = max(4, len(str(len(photos))))
    for number, photo in enumerate(photos, 1):
        stem, suffix = (os.fsencode(part) for part in os.path.splitext(photo.name))
        head = f"{number:0{digits}} ".encode()
        room = NAME_BYTES - len(head) - len(suffix)
        yield os.fsdecode(head + (stem[:room] + suffix if room > 0 else os.fsencode(photo.name)[: NAME_BYTES - len(head)])), photo


def _free(album: Path, name: str) -> str:
    """The name, or with a number to it where something that is not ours has it."""
    stem, suffix = os.path.splitext(name)
    number, free = 1, name
    while os.path.lexists(album / free):
        number += 1
        ending = f" ({number}){suffix}"
        free = os.fsdecode(os.fsencode(stem)[: NAME_BYTES - len(os.fsencode(ending))]) + ending
    return free


def _remove(ours: dict[str, dict[str, str]]) -> None:
    """Unlink what is still the link or the copy that we made; what took its name since is somebody's, and stays."""
    for album, made in ours.items():
        for name, mark in made.items():
            path = Path(album, name)
            try:
                if (_mark(path) if mark.startswith(COPY) else os.readlink(path)) == mark:
                    os.unlink(path)
            except OSError:
                continue  # gone, or no link any more


def _read(folder: Path) -> dict[str, dict[str, str]]:
    try:
        ledger = json.loads((folder / LEDGER).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {album: dict(_sane(links.items())) for album, links in ledger.items()}


def _sane(links: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """A name is one name: a ledger that was tampered with cannot lead out of the album."""
    return ((name, target) for name, target in links if "/" not in name and name not in ("", ".", ".."))


def _write(folder: Path, ours: dict[str, dict[str, str]]) -> None:
    whole.write(folder / LEDGER, json.dumps(ours))
