"""Photos as plugins see them: rows of the store in, frozen values out."""

from __future__ import annotations

import itertools
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType

from precious_daemon.hookspecs import PluginPhoto, SuggestedPhoto
from precious_daemon.models import Photo, Quality
from precious_daemon.plugins import across
from precious_daemon.pure import decide
from precious_daemon.store import Database, Store, groups, numbers, photos, pictures, roots
from precious_daemon.store.suggestions import SuggestionRow

A_PART = 2000  # photos in memory at once while the rules are asked about all there are


def of(db: Database, found: Mapping[int, Photo], measured_by: Sequence[str] = ()) -> dict[int, PluginPhoto]:
    """These photos, by the same keys, with what these plugins measured. The keys are their ids."""
    places = {root.id: Path(root.path) for root in roots.all_roots(db)}
    companions, larger = photos.companions(db, found), groups.larger(db, found)
    hashes = {photo.content_hash for photo in found.values() if photo.content_hash}
    measures, made = pictures.qualities(db, hashes), numbers.of(db, hashes, measured_by)
    shown = {}
    for key, photo in found.items():
        known = known_of(photo, measures)
        shown[key] = PluginPhoto(
            photo.uid, places[photo.root_id], known.folder, known.name, photo.size, photo.width, photo.height, photo.taken_at,
            photo.camera, companions.get(photo.id, ()), frozenset(decide.looks(known)), larger.get(photo.id),
            MappingProxyType(made.get(photo.content_hash or b"", {})),
        )  # fmt: skip
    return shown


def known_of(photo: Photo, measures: Mapping[bytes, Quality]) -> decide.Known:
    """What the reasons tell of a photo."""
    folder, name = posixpath.split(photo.path)
    quality = measures.get(photo.content_hash) if photo.content_hash else None
    return decide.Known(name, folder, photo.size, photo.width or 0, photo.height or 0, photo.taken_at, quality)


def in_parts(store: Store, measured_by: Sequence[str] = ()) -> Iterator[dict[int, PluginPhoto]]:
    """All photos that are there and were read, some at a time. Waits for the store: not for the event loop."""

    def look(db: Database, after: int) -> dict[int, PluginPhoto]:
        return of(db, {photo.id: photo for photo in photos.parts(db, after, A_PART)}, measured_by)

    after = -1
    while part := store.read(look, after):
        yield part
        after = max(part)


def write_unmeasured(db: Database, folder: Path, marks: Mapping[str, str]) -> int:
    """Into a job folder, by plugin: the photos that it has not measured since it is what its mark says. How many there are."""
    count = 0
    with open(folder / "wanted.jsonl", "w", encoding="ascii") as file:
        for plugin, mark in marks.items():
            waiting = numbers.wanted(db, plugin, mark)
            while part := {photo.id: photo for photo in itertools.islice(waiting, A_PART)}:
                for photo_id, shown in of(db, part).items():
                    content = (part[photo_id].content_hash or b"").hex()
                    file.write(json.dumps({"plugin": plugin, "content_hash": content, "photo": across.pack(shown)}) + "\n")
                count += len(part)
    return count


def suggested(db: Database, rows: Sequence[SuggestionRow]) -> list[SuggestedPhoto]:
    """Suggestions, in their order."""
    found = of(db, {row.photo.id: row.photo for row in rows})
    places = {root.id: Path(root.path) for root in roots.all_roots(db)}
    keepers = photos.many(db, _keepers(rows))
    shown = []
    for row in rows:
        s = row.suggestion
        keeper = keepers.get(s.keeper_id or 0)
        photo = {f.name: getattr(found[row.photo.id], f.name) for f in fields(PluginPhoto)}
        stays = places[keeper.root_id] / keeper.path if keeper else None
        shown.append(SuggestedPhoto(**photo, kind=s.kind, reasons=s.reasons, keep=s.keep, certified=s.certified, keeper=stays))
    return shown


def _keepers(rows: Iterable[SuggestionRow]) -> set[int]:
    return {row.suggestion.keeper_id for row in rows if row.suggestion.keeper_id is not None}
