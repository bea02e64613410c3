"""The certificate of the newest model, from the audits in the store: kept up to date with each blind answer."""

from __future__ import annotations

import random

from precious_daemon import certify
from precious_daemon.config import CertifySettings
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, groups, scores

COVER = 0.7  # a pool that holds less of the candidates than this gives way to a new one


async def refresh(service: Service, voter_id: int) -> None:
    """Certify anew from the answers so far."""
    await service.store.awrite(_refresh, voter_id, service.settings.certify, service.clock())


def _refresh(db: Database, voter_id: int, settings: CertifySettings, now: float) -> None:
    pool = scores.newest_pool(db, voter_id)
    if pool is None or scores.newest_model(db, voter_id) is None:
        return
    members = [draw[0] for draw in scores.pool_draws(db, pool[0])]
    kept = scores.audits(db, voter_id, pool[1])
    keep = {photo_id: score.keep for photo_id, score in scores.of(db, voter_id, members).items()}
    # A photo without a score has left the library since: that has nothing to do with what the owner would have said of it.
    draws = [certify.Draw(keep[photo_id], kept.get(photo_id)) for photo_id in members if photo_id in keep]
    verdict = certify.certify(draws, settings.alpha, settings.confidence, [draw.keep for draw in draws])
    scores.put_certificate(db, voter_id, verdict.certificate, verdict.sentence, verdict.needed, now)


def renew_pool(db: Database, voter_id: int, rng: random.Random, now: float) -> bool:
    """After a training: put the candidates in random order for audits, unless the present pool still covers them.

    Audits never train a model, so a new model's scores do not depend on them, and a pool drawn for an older model is as
    good a sample of its photos for the new one. A burst is one draw: one of its frames, chosen at random.
    """
    labelled = {label.photo_id for label in answers.labels(db, voter_id) if label.purpose != "audit"}
    candidates = [score for score in scores.below(db, voter_id, certify.FLOOR) if score.photo_id not in labelled]
    units = certify.pool(candidates, groups.all_groups(db))
    pool = scores.newest_pool(db, voter_id)
    if pool is not None:
        members = {photo for draw in scores.pool_draws(db, pool[0]) for photo in draw}
        covered = sum(not members.isdisjoint(unit) for unit in units)
        if covered >= COVER * len(units):
            return False
    draws = [[rng.choice(unit)] for unit in units]
    rng.shuffle(draws)
    scores.open_pool(db, voter_id, certify.FLOOR, draws, now)
    return True


def audited_units(db: Database, voter_id: int) -> set[int]:
    """Photos that the certificate speaks of: the pool's, and the other frames of their bursts."""
    pool = scores.newest_pool(db, voter_id)
    if pool is None:
        return set()
    members = {photo for draw in scores.pool_draws(db, pool[0]) for photo in draw}
    for group in groups.all_groups(db):
        ids = {member.photo_id for member in group.members}
        if not ids.isdisjoint(members):
            members |= ids
    return members
