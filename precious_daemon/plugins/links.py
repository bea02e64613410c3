"""Album of the night's suggestions: a folder of links, to leaf through in any photo viewer.

The links are named `0001 IMG_0042.JPG` and so on, surest first. The originals stay where they are, and deleting a link
deletes nothing else. Links of the last run are replaced; whatever else lies in the folder is left alone. Settings:
`folder`, where the album is, outside of the watched folders; `relative`, for links that stay good when album and photos
move together, as on a disk that is mounted elsewhere. Absolute ones, the default, stay good when only the album moves.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from precious_daemon.errors import ConfigError
from precious_daemon.hookspecs import Context, Output, PluginPhoto, SuggestedPhoto, hookimpl
from precious_daemon.plugins.options import options

LEDGER = "links.json"  # album folder -> {name: target} of the links we made; in the plugin's own folder
NAME_BYTES = 255


@hookimpl
def startup(context: Context) -> None:
    _album(context)


@hookimpl
def deliver(suggestions: Sequence[SuggestedPhoto], output: Output) -> None:
    album, relative = _album(output)
    for photo in suggestions:
        if album.is_relative_to(photo.root.resolve()):
            raise ConfigError(
                f"The album {album} is inside the watched folder {photo.root}, where its links would be taken for photos. "
                "Set plugin.links.folder to a folder outside of it."
            )
    album.mkdir(parents=True, exist_ok=True)
    ours = _read(output.folder)
    _remove(ours)

    start = os.path.realpath(album)
    links: dict[str, str] = {}
    for name, photo in _names(suggestions):
        target = os.path.relpath(photo.path, start) if relative else str(photo.path)
        links[_free(album, name)] = target
    _write(output.folder, {str(album): links} if links else {})  # before they are made: none is ever forgotten
    for name, target in links.items():
        os.symlink(target, album / name)


@hookimpl
def trashed(photos: Sequence[PluginPhoto], context: Context) -> None:
    """Links to what was moved would lead nowhere."""
    gone = {os.fspath(photo.path) for photo in photos}
    ours = _read(context.folder)
    stale = {
        album: {name: target for name, target in links.items() if os.path.normpath(os.path.join(album, target)) in gone}
        for album, links in ours.items()
    }
    _remove(stale)
    _write(context.folder, {album: {n: t for n, t in links.items() if n not in stale[album]} for album, links in ours.items()})


def _album(context: Context) -> tuple[Path, bool]:
    """(the album's folder, whether its links are relative)"""
    chosen = options("links", context.settings, folder="", relative=False)
    folder = Path(chosen["folder"]).expanduser() if chosen["folder"] else context.folder / "album"
    if not folder.is_absolute():
        raise ConfigError(f'plugin.links.folder is "{chosen["folder"]}", and has to start with / or ~.')
    return folder.resolve(), chosen["relative"]


def _names(suggestions: Sequence[SuggestedPhoto]) -> Iterator[tuple[str, SuggestedPhoto]]:
    """Numbered, so that they sort by sureness and no two are the same; cut where a file system would refuse them."""
    digits = max(4, len(str(len(suggestions))))
    for number, photo in enumerate(suggestions, 1):
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
    """Unlink what is still the link that we made; anything that took its name since is somebody's, and stays."""
    for album, links in ours.items():
        for name, target in links.items():
            path = os.path.join(album, name)
            try:
                if os.readlink(path) == target:
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
    part = folder / f"{LEDGER}.part"
    part.write_text(json.dumps(ours))
    os.replace(part, folder / LEDGER)
