"""The night's suggestions: gathered from the store, decided by pure code, stored, and handed to the plugins."""

from __future__ import annotations

import asyncio
import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from precious_daemon import certify, decide, verdict
from precious_daemon.hookspecs import PluginPhoto, SuggestedPhoto
from precious_daemon.models import Certificate, Group, GroupDecision, Photo, Root, RootState, Score
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, decisions, groups, photos, pictures, roots, scores, suggestions
from precious_daemon.store.suggestions import SuggestionRow

MOST = 100_000  # suggestions handed to plugins at once


@dataclass(frozen=True, slots=True)
class _Gathered:
    """All that a decision needs, and the photos that it may concern."""

    scores: list[Score]
    groups: list[Group]
    certificate: Certificate | None
    photos: dict[int, Photo]
    known: dict[int, decide.Known]
    labels: dict[int, bool]
    evidence: dict[int, dict[str, Any]]
    audited: set[int]
    decisions: list[GroupDecision]
    roots: dict[int, Root]


async def propose(service: Service, voter_id: int, run: str) -> int:
    """Choose and store the suggestions of a voter; return how many are open."""
    found = await service.store.aread(_gather, voter_id)
    shown = {photo.id: plugin_photo(photo, found.roots) for photo in found.photos.values()}
    vetoed = await asyncio.to_thread(service.plugins.vetoes, shown)
    for photo in found.photos.values():
        root = found.roots[photo.root_id]
        if root.state is not RootState.WATCHED:
            vetoed[photo.id] = root.reason or f"{root.path} is {root.state}"
    chosen = decide.suggest(
        found.scores, found.groups, found.certificate, found.known, found.labels, vetoed, found.evidence, found.decisions
    )
    # the certificate speaks of the photos that audits were drawn from, and of no other
    chosen = [replace(s, certified=s.certified and s.photo_id in found.audited) for s in chosen]
    return await service.store.awrite(suggestions.replace_open, voter_id, run, chosen, service.clock())


def _gather(db: Database, voter_id: int) -> _Gathered:
    candidates = scores.below(db, voter_id, certify.FLOOR)
    found = groups.all_groups(db)
    certificate, _, _ = scores.certificate(db, voter_id)
    members = {member.photo_id for group in found for member in group.members}
    shown = photos.many(db, {score.photo_id for score in candidates} | members)
    more = scores.of(db, voter_id, members - {score.photo_id for score in candidates})
    return _Gathered(
        scores=[*candidates, *more.values()],
        groups=found,
        certificate=certificate,
        photos=shown,
        known={photo.id: _known(db, photo) for photo in shown.values()},
        labels={label.photo_id: label.keep for label in answers.labels(db, voter_id)},
        evidence=scores.evidence(db, voter_id),
        audited=verdict.audited(db, voter_id),
        decisions=decisions.all_decisions(db, voter_id),
        roots={root.id: root for root in roots.all_roots(db)},
    )


def _known(db: Database, photo: Photo) -> decide.Known:
    folder, name = posixpath.split(photo.path)
    quality = pictures.quality(db, photo.content_hash) if photo.content_hash else None
    return decide.Known(name, folder, photo.size, photo.width or 0, photo.height or 0, photo.taken_at, quality)


# --- plugins -----------------------------------------------------------------------------------------------------------


async def deliver(service: Service, voter_id: int, run: str) -> dict[str, str | None]:
    """Hand the open suggestions to every plugin; record and return what each said: None, or its error."""

    def look(db: Database) -> tuple[list[SuggestionRow], dict[int, Photo], dict[int, Root]]:
        rows = suggestions.page(db, voter_id, limit=MOST)
        keepers = photos.many(db, {row.suggestion.keeper_id for row in rows if row.suggestion.keeper_id})
        return rows, keepers, {root.id: root for root in roots.all_roots(db)}

    rows, keepers, watched = await service.store.aread(look)
    shown = [_suggested(row, keepers, watched) for row in rows]

    def thumbnail(uid: str) -> bytes | None:
        return service.store.read(_thumbnail, uid)

    errors: dict[str, str | None] = await asyncio.to_thread(service.plugins.deliver, run, shown, thumbnail)
    for name, error in errors.items():
        await service.store.awrite(suggestions.record_delivery, run, name, error, service.clock())
    return errors


async def tell(service: Service, hook: str, photo_ids: Iterable[int]) -> None:
    """Call `trashed` or `restored` of every plugin that wants to know. What one of them raises is its own affair."""
    ids = list(photo_ids)
    if ids:
        found = await service.store.aread(photos.many, ids)
        watched = {root.id: root for root in await service.store.aread(roots.all_roots)}
        shown = tuple(plugin_photo(found[photo_id], watched) for photo_id in ids)
        await asyncio.to_thread(service.plugins.call, hook, photos=shown)


def _thumbnail(db: Database, uid: str) -> bytes | None:
    photo = photos.by_uid(db, uid)
    return pictures.thumbnail(db, photo.content_hash) if photo.content_hash else None


def plugin_photo(photo: Photo, watched: Mapping[int, Root]) -> PluginPhoto:
    """A photo as plugins see it."""
    folder, name = posixpath.split(photo.path)
    return PluginPhoto(
        photo.uid, Path(watched[photo.root_id].path), folder, name, photo.size, photo.width, photo.height, photo.taken_at,
        photo.camera,
    )  # fmt: skip


def _suggested(row: SuggestionRow, keepers: Mapping[int, Photo], watched: Mapping[int, Root]) -> SuggestedPhoto:
    photo, s = row.photo, row.suggestion
    folder, name = posixpath.split(photo.path)
    keeper = keepers.get(s.keeper_id or 0)
    return SuggestedPhoto(
        photo.uid, Path(watched[photo.root_id].path), folder, name, photo.size, photo.width, photo.height, photo.taken_at,
        photo.camera, s.kind, s.reasons, s.keep, s.certified, os.path.basename(keeper.path) if keeper else None,
    )  # fmt: skip
