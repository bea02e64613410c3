"""The certificate of the newest model, from the audits in the store: kept up to date with each blind answer."""

from __future__ import annotations

import random

from precious_daemon import certify
from precious_daemon.config import CertifySettings
from precious_daemon.models import Certificate
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
    kept = scores.audits(db, voter_id, pool[1])
    said = {label.photo_id: label.keep for label in answers.labels(db, voter_id) if label.purpose != "audit"}

    # What is known of a draw is its blind answer, or that the owner kept the photo when it was suggested. A photo that left the
    # library, or that the owner let go with the suggestion before their eyes, leaves the pool: the chance that put the others
    # in their order is untouched by that.
    approved = sum(photo_id not in kept and said.get(photo_id) is False for photo_id in scores.pool_asked(db, pool[0], said))
    draws = [
        certify.Draw(keep, kept.get(asked, True if said.get(asked) else None))
        for asked, keep in scores.pool_keeps(db, voter_id, pool[0])
        if asked in kept or said.get(asked) is not False
    ]
    verdict = certify.certify(draws, settings.alpha, settings.confidence, [draw.keep for draw in draws])
    size = scores.pool_size(db, pool[0])
    left = settings.alpha * (size - approved) / max(size, 1)
    scores.put_certificate(db, voter_id, *_narrowed(verdict, left, settings.confidence, approved), now)


def _narrowed(
    verdict: certify.Verdict, alpha: float, confidence: float, approved: int
) -> tuple[Certificate | None, str, int | None]:
    """Withhold a certificate that need not hold for what is left of its list.

    Who lets the obvious go by hand leaves the doubtful: all mistakes may be among the rest, which is a larger share of it.
    So the answers have to bear out the smaller share `alpha` of the list as it was drawn. Withholding only lowers the risk.
    """
    certificate = verdict.certificate
    if certificate is None or certify.tail(certificate.errors, certificate.audits, alpha) <= (1 - confidence) * (1 + 1e-9):
        return certificate, verdict.sentence, verdict.needed
    needed = max(1, certify.clean_pass(alpha, confidence) - certificate.audits)
    sentence = (
        f"Not certified any more: you let {approved} go by hand, and the rest may hold more that you would keep. "
        f"{needed} more answers are needed if none is a mistake."
    )
    return None, sentence, needed


def renew_pool(db: Database, voter_id: int, rng: random.Random, now: float) -> bool:
    """After a training: put the candidates in random order for audits, unless the present pool still covers them.

    Audits never train a model, so a new model's scores do not depend on them, and a pool drawn for an older model is as
    good a sample of its photos for the new one. A burst is one draw: the owner is asked about one of its frames, chosen at
    random, and the threshold applies to all of them.
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
    draws = [(rng.choice(unit), unit) for unit in units]
    rng.shuffle(draws)
    scores.open_pool(db, voter_id, certify.FLOOR, draws, now)
    return True


def audited(db: Database, voter_id: int) -> set[int]:
    """Photos that the certificate speaks of: those of the pool."""
    pool = scores.newest_pool(db, voter_id)
    return {photo for draw in scores.pool_draws(db, pool[0]) for photo in draw} if pool else set()
