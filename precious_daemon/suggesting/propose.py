"""The night's suggestions: gathered from the store, put to the rules and vetoes, decided by pure code, and stored.

Chosen by a child (`suggesting.__main__`), stored by the service.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from precious_daemon import places
from precious_daemon.config import CertifySettings
from precious_daemon.models import Group, GroupDecision, GroupKind, Label, Photo, Root, RootState, Score, Suggestion
from precious_daemon.pure import certify, decide
from precious_daemon.service import Service
from precious_daemon.store import (
    Database,
    answers,
    audits,
    decisions,
    groups,
    held,
    named,
    occasions,
    photos,
    pictures,
    roots,
    scores,
    suggestions,
)
from precious_daemon.store.suggestions import Dismissal
from precious_daemon.suggesting import people, plugin_photos, verdict
from precious_daemon.work import jobfolder


@dataclass(frozen=True, slots=True)
class Chosen:
    """What could go and what was held back, surest first, and of which photos something changed since they were kept."""

    suggestions: Iterable[Suggestion]
    held: Iterable[decide.Held]
    changed: Collection[int]


@dataclass(frozen=True, slots=True)
class _Gathered:
    """All that a decision needs, and the photos that it may concern."""

    scores: list[Score]
    groups: list[Group]
    photos: dict[int, Photo]
    known: dict[int, decide.Known]
    labels: dict[int, bool]
    evidence: dict[int, dict[str, Any]]
    decisions: list[GroupDecision]
    changed: dict[int, str]
    occasions: list[decide.Occasion]
    wishes: people.Wishes


async def choose(service: Service, voter_id: int) -> Chosen:
    """What could go, for a voter. Holds everything that could be suggested: of a large library that is a gigabyte and more."""
    now, chosen_by = service.clock(), service.settings.suggest
    measured_by = service.plugins.having("features")
    rules = await asyncio.to_thread(service.plugins.rules, plugin_photos.in_parts(service.store, measured_by), now)
    leave = chosen_by.leave_of_day, chosen_by.leave_of_event
    found = await service.store.astudy(_gather, voter_id, rules.keys(), *leave)
    vetoed = await vetoes(service, found.photos)
    in_photos = await everybody(service, found.photos)
    faces = list(occasions.of_people(found.photos.keys() - vetoed.keys(), in_photos, chosen_by.leave_of_person))
    proposal = decide.suggest(
        found.scores, found.groups, found.known, found.labels,
        found.wishes.said | vetoed, found.evidence, found.decisions,
        rules=rules, changed=found.changed, occasions=found.occasions + faces, expected=found.wishes.expected,
    )  # fmt: skip
    return Chosen(proposal.suggestions, proposal.held, found.changed)


def write(folder: Path, chosen: Chosen) -> None:
    """Leave it in a job folder."""
    jobfolder.write_lines(folder, "suggested.jsonl", map(astuple, chosen.suggestions))
    jobfolder.write_lines(folder, "held.jsonl", map(astuple, chosen.held))
    jobfolder.write_json(folder, "changed.json", list(chosen.changed))


def read(folder: Path) -> Chosen:
    """What a child left, to be gone through once."""
    made = (_suggestion(*row) for row in jobfolder.read_lines(folder, "suggested.jsonl"))
    back = (decide.Held(_suggestion(*row), why) for row, why in jobfolder.read_lines(folder, "held.jsonl"))
    return Chosen(made, back, set(jobfolder.read_json(folder, "changed.json")))


def _suggestion(photo_id: int, kind: str, sure: float | None, certified: bool, reasons: list[str], *more: Any) -> Suggestion:
    return Suggestion(photo_id, kind, sure, certified, tuple(reasons), *more)


def keep(db: Database, voter_id: int, run: str, chosen: Chosen, settings: CertifySettings, rng: random.Random, now: float) -> int:
    """Store it, and certify anew; return how many are open."""
    held.replace(db, voter_id, ((h.suggestion.photo_id, h.suggestion.kind, h.why, h.suggestion.reasons) for h in chosen.held))
    count = suggestions.replace_open(db, voter_id, run, chosen.suggestions, now, chosen.changed)
    verdict.renew_group_pools(db, voter_id, rng, now)
    verdict.bring_up_to_date(db, voter_id, settings, now, anew=True)
    return count


def _gather(db: Database, voter_id: int, ruled: Iterable[int], leave_of_day: int, leave_of_event: int) -> _Gathered:
    candidates = scores.below(db, voter_id, certify.FLOOR)
    found = groups.all_groups(db)
    members = {member.photo_id for group in found for member in group.members}
    scored = {score.photo_id for score in candidates}
    shown = photos.many(db, scored | members | set(ruled))
    more = scores.of(db, voter_id, shown.keys() - scored)
    measures = pictures.qualities(db, {photo.content_hash for photo in shown.values() if photo.content_hash})
    labels, changed = _since(answers.labels(db, voter_id), suggestions.dismissals(db, voter_id), found)
    labels |= {photo: True for photo in audits.wanted(db, voter_id) if photo not in labels}
    return _Gathered(
        scores=[*candidates, *more.values()],
        groups=found,
        photos=shown,
        known={photo.id: plugin_photos.known_of(photo, measures) for photo in shown.values()},
        labels=labels,
        evidence=scores.evidence(db, voter_id),
        decisions=decisions.all_decisions(db, voter_id),
        changed=changed,
        occasions=list(occasions.of(db, shown.keys(), leave_of_day, leave_of_event)),
        wishes=people.wishes(db, voter_id, shown),
    )


def _since(
    labels: Iterable[Label], dismissed: Iterable[Dismissal], found: Iterable[Group]
) -> tuple[dict[int, bool], dict[int, str]]:
    """(labels that still hold, what changed since the owner kept a photo that was suggested).

    An edited photo is another one than was kept, so that its "keep" of then no longer speaks. An exact copy speaks against a
    photo that had none, and its taste still counts.
    """
    said = {label.photo_id: label for label in labels}
    copies = {m.photo_id for group in found if group.kind is GroupKind.COPY for m in group.members}
    changed: dict[int, str] = {}
    for one in dismissed:
        if one.edited:
            changed[one.photo_id] = "you kept it once, and its file has changed since"
            if one.photo_id in said and said[one.photo_id].purpose == "review":
                del said[one.photo_id]
        elif one.photo_id in copies and not one.had_copy:
            changed[one.photo_id] = "you kept it once, and there is an exact copy of it since"
    return {photo: label.keep for photo, label in said.items()}, changed


# --- what speaks for a photo -------------------------------------------------------------------------------------------


async def everybody(service: Service, closely: Mapping[int, Photo]) -> dict[int, set[str]]:
    """Who is in which photo, of all there are; nobody where that plays no part. These photos are looked at `closely`."""
    if not service.settings.suggest.leave_of_person:
        return {}
    in_photos = await service.store.astudy(named.everybody)
    known, _ = await asyncio.to_thread(service.plugins.people, plugin_photos.in_parts(service.store), False)
    shown = await service.store.astudy(plugin_photos.of, closely)
    more, _ = await asyncio.to_thread(service.plugins.people, [shown], True)
    for part in (known, more):
        for photo, names in part.items():
            if names:
                in_photos.setdefault(photo, set()).update(names)
    return in_photos


async def vetoes(service: Service, found: Mapping[int, Photo]) -> dict[int, str]:
    """Why photos must not be suggested, by their key: the state of their folder, the settings, plugins."""
    shown = await service.store.astudy(plugin_photos.of, found, service.plugins.having("features"))
    watched = {root.id: root for root in await service.store.aread(roots.all_roots)}
    vetoed = await asyncio.to_thread(service.plugins.vetoes, shown)
    chosen = service.settings.suggest
    if chosen.protect_people:
        said, unknown = await asyncio.to_thread(service.plugins.people, [shown], True)
        in_photos = await service.store.astudy(named.everybody)
        vetoed |= unknown | _of_protected(
            {key: said.get(key, set()) | in_photos.get(key, set()) for key in found}, chosen.protect_people
        )
    if chosen.protect_places:
        circles = [places.read(text) for text in chosen.protect_places]
        for key, where in (await service.store.astudy(photos.whereabouts, found.keys())).items():
            if inside := next((circle.name for circle in circles if circle.holds(*where)), None):
                vetoed[key] = f"it was taken in a place that you protect ({inside})"
    for key, photo in found.items():
        root = watched[photo.root_id]
        if root.state is not RootState.WATCHED:
            vetoed[key] = root.reason or f"{root.path} is {root.state}"
        elif folder := _protected(root, photo, service.settings.suggest.never_from):
            vetoed[key] = f"nothing in {folder} is suggested (suggest.never_from in the settings)"
    return vetoed


def _of_protected(in_photos: Mapping[int, Iterable[str]], protected: Iterable[str]) -> dict[int, str]:
    wanted = {name.strip().casefold() for name in protected}
    found = {photo: sorted(name for name in names if name.casefold() in wanted) for photo, names in in_photos.items()}
    return {photo: f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} in it" for photo, names in found.items() if names}


def _protected(root: Root, photo: Photo, folders: Iterable[str]) -> str | None:
    """The first of the folders, given as full paths or below their root, that the photo is in."""
    below = f"/{photo.path}"
    for folder in folders:
        name = folder.rstrip("/")
        if f"{root.path}{below}".startswith(f"{name}/") or below.startswith(f"/{name.removeprefix('./')}/"):
            return folder
    return None
