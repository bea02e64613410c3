"""Certificates, one for each kind of suggestion, from the audits in the store: kept up to date with each blind answer.

A suggestion rests on taste, which a model guesses, or on a group, of which another photo stays. Whoever trusts the one need
not trust the other, so each kind has audits, a certificate and a risk of its own: see docs/certificate.md.
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterable, Iterator
from dataclasses import astuple
from typing import Any

from precious_daemon.config import AskSettings, CertifySettings
from precious_daemon.models import TRAINING, Certificate, SuggestionState
from precious_daemon.pure import certify
from precious_daemon.service import Service
from precious_daemon.store import Database, answers, audits, groups, scores
from precious_daemon.work import handover

AHEAD = 20  # audits that are known beforehand: some may be on a disk that is away, or be shown already
COVER = 0.7  # a pool that holds less of the candidates than this gives way to a new one
TITLES = {"copy": "Exact copies", "same": "Pictures saved again", "burst": "Weaker frames of bursts"}
GROUPS = [kind for kind in certify.SUBJECTS if kind != certify.TASTE]


async def refresh(service: Service, voter_id: int) -> None:
    """Certify anew from the answers so far, and mark the open suggestions accordingly."""
    await service.store.awrite(bring_up_to_date, voter_id, service.settings.certify, service.clock())


def bring_up_to_date(db: Database, voter_id: int, settings: CertifySettings, now: float, anew: bool = False) -> None:
    """The verdict on each kind of suggestion, and which of the open ones are certified by it. `anew`: the list is a new one."""
    before = _in_force(db, voter_id)
    if anew:
        for kind in GROUPS:
            if not audits.suggested(db, voter_id, kind):
                audits.close_pool(db, voter_id, kind)
    _judge_taste(db, voter_id, settings, now)
    for kind in GROUPS:
        if (pool := _of_groups(db, voter_id, kind)) is not None:
            found = certify.certify(certify.counted(pool), settings.alpha, settings.confidence, certify.SUBJECTS[kind])
            scores.put_certificate(db, voter_id, found.certificate, found.sentence, found.needed, now, kind)
    if anew or before != _in_force(db, voter_id):
        audits.mark_certified(db, voter_id, set(_covered(db, voter_id)), set(_covered_pairs(db, voter_id)))


def _in_force(db: Database, voter_id: int) -> dict[str, float]:
    """The thresholds of the certificates that there are."""
    found = {kind: scores.certificate(db, voter_id, kind)[0] for kind in certify.SUBJECTS}
    return {kind: certificate.threshold for kind, certificate in found.items() if certificate}


# --- taste -------------------------------------------------------------------------------------------------------------


def _judge_taste(db: Database, voter_id: int, settings: CertifySettings, now: float) -> None:
    """The verdict on the pool that the model's candidates are audited from; none before there is one."""
    pool, model = scores.newest_pool(db, voter_id), scores.newest_model(db, voter_id)
    if pool is None or model is None:
        return
    labels = [label for label in answers.labels(db, voter_id) if label.purpose != "audit"]
    taught = scores.draws(
        db, voter_id, pool[0], [one.photo_id for one in labels if one.purpose in TRAINING and one.at <= model["at"]]
    )
    parts = _plan(db, voter_id, pool[0], model["run"], taught, settings.alpha)
    kept = {one.photo_id: True for one in labels if one.keep} | scores.audits(db, voter_id, pool[1])
    let_go = {one.photo_id for one in labels if not one.keep}
    gone = {
        asked: certify.Draw(keep, None, photos, gone=True)
        for asked, (keep, photos) in scores.draws(db, voter_id, pool[0], let_go).items()
        if asked in let_go and asked not in taught
    }
    found = certify.judge(parts, kept, gone, settings.alpha, settings.confidence)
    ahead = certify.ahead(parts, kept, gone, found.asking, AHEAD)
    scores.put_certificate(db, voter_id, found.certificate, found.sentence, found.needed, now, ahead=ahead)


def _plan(db: Database, voter_id: int, pool_id: int, run: str, taught: Container[int], alpha: float) -> list[certify.Part]:
    """The parts of a pool, which answers about it do not change: with hundreds of thousands of draws, looked at only once."""
    made_of = {"pool": pool_id, "model": run, "alpha": alpha}
    known = scores.plan(db, voter_id)
    if known and {name: known[name] for name in made_of} == made_of:
        return [certify.Part(*part) for part in known["parts"]]

    def draws() -> Iterator[tuple[int, float, int]]:
        rows = scores.pool_keeps(db, voter_id, pool_id)
        return ((asked, keep, photos) for asked, keep, photos in rows if keep <= certify.FLOOR and asked not in taught)

    found = certify.parts(draws(), certify.thresholds((keep for _, keep, _ in draws()), alpha))
    scores.put_plan(db, voter_id, made_of | {"parts": [astuple(part) for part in found]})
    return found


def renew_pool(db: Database, voter_id: int, rng: random.Random, now: float, anew: bool = False) -> bool:
    """After a training: put the candidates in random order for audits, unless the present pool still covers them. `anew`: its
    answers are not what the owner would say now.

    A burst is one draw: the owner is asked about one of its frames, chosen at random, and the threshold applies to all of them.
    """
    labelled = {label.photo_id for label in answers.labels(db, voter_id) if label.purpose != "audit"}
    candidates = [score for score in scores.below(db, voter_id, certify.FLOOR) if score.photo_id not in labelled]
    units = certify.pool(candidates, groups.all_groups(db))
    pool = scores.newest_pool(db, voter_id)
    if pool is not None:
        members = {photo for draw in scores.pool_draws(db, pool[0]) for photo in draw}
        covered = sum(not members.isdisjoint(unit) for unit in units)
        if covered >= COVER * len(units) and not anew:
            return False
    draws = [(rng.choice(unit), unit) for unit in units]
    rng.shuffle(draws)
    scores.open_pool(db, voter_id, certify.FLOOR, draws, now)
    return True


def _covered(db: Database, voter_id: int) -> Iterator[int]:
    """Photos that the certificate of taste covers: of the pool's draws, those that are below its threshold as a whole."""
    certificate, _, _ = scores.certificate(db, voter_id)
    pool = scores.newest_pool(db, voter_id)
    if certificate is None or pool is None:
        return
    draws = {draw[0]: draw for draw in scores.pool_draws(db, pool[0])}
    for asked, keep, _ in scores.pool_keeps(db, voter_id, pool[0]):
        if keep <= certificate.threshold:
            yield from draws[asked]


# --- groups ------------------------------------------------------------------------------------------------------------


def _of_groups(db: Database, voter_id: int, kind: str) -> list[certify.Audit] | None:
    """What is known of the pool of a kind of group; None where there is none.

    No model is asked, so a pool is judged as a whole. A draw leaves with a suggestion that is not made any more: not for an
    answer, for what is answered stays. One that was kept on review, or brought back from the trash, is a mistake.
    """
    pool = scores.newest_pool(db, voter_id, kind)
    draws = list(audits.standing(db, voter_id, pool[0])) if pool else []
    return list(_audits(draws, audits.said(db, voter_id, pool[1]))) if pool and draws else None


def _audits(draws: Iterable[audits.Standing], known: dict[frozenset[int], frozenset[int]]) -> Iterator[certify.Audit]:
    for one in draws:
        kept = known.get(frozenset((one.asked, one.keeper)))
        gone = one.state in (SuggestionState.APPROVED, SuggestionState.TRASHED) or one.label is False
        back = one.state in (SuggestionState.DISMISSED, SuggestionState.RESTORED)
        if kept is None and not (gone or back) and (one.state is not SuggestionState.OPEN or one.label):
            continue
        yield certify.Audit(
            0.0, None if kept is None else one.asked in kept, True if back else False if gone else None, photos=one.photos
        )


def renew_group_pools(db: Database, voter_id: int, rng: random.Random, now: float) -> None:
    """After suggestions were made: put what groups suggest in random order, for each kind whose pool does not cover it.

    What goes in favour of one photo is one draw, and the owner is asked about one of it, chosen at random.
    """
    for kind in GROUPS:
        units = audits.suggested(db, voter_id, kind)
        pool = scores.newest_pool(db, voter_id, kind)
        if not units:
            continue
        if pool is not None:
            members = audits.members(db, pool[0])
            covered = sum(any((photo, keeper) in members for photo in going) for keeper, going in units.items())
            if covered >= COVER * len(units):
                continue
        draws = [(rng.choice(going), keeper, going) for keeper, going in units.items()]
        rng.shuffle(draws)
        audits.open_pool(db, voter_id, kind, draws, now)


def _covered_pairs(db: Database, voter_id: int) -> Iterator[tuple[int, int]]:
    """(what would go, what stays) of the pools of groups that are certified."""
    for kind in GROUPS:
        certificate, _, _ = scores.certificate(db, voter_id, kind)
        pool = scores.newest_pool(db, voter_id, kind)
        if certificate is not None and pool is not None:
            yield from audits.members(db, pool[0])


# --- in words ----------------------------------------------------------------------------------------------------------


def of_taste(db: Database, voter_id: int, settings: AskSettings) -> tuple[Certificate | None, str, int | None]:
    """`scores.certificate`, or in words what keeps the first model from being made."""
    if scores.newest_model(db, voter_id) is None and (lacks := handover.lacking(db, voter_id, settings)):
        return None, f"There is no model yet. {lacks}", None
    return scores.certificate(db, voter_id)


def of_groups(db: Database, voter_id: int) -> list[dict[str, Any]]:
    """{kind, certified, sentence, needed} of each kind of group that the last list held, for the page and for scripts."""
    known = audits.verdicts(db, voter_id)
    found = {kind: scores.certificate(db, voter_id, kind) for kind in GROUPS if kind in known}
    return [
        {
            "kind": kind,
            "certified": certificate is not None,
            "needed": needed,
            "sentence": sentence if certificate else f"{TITLES[kind]}: {sentence}",
        }
        for kind, (certificate, sentence, needed) in found.items()
    ]


def sentences(db: Database, voter_id: int) -> list[str]:
    """What is promised, or missing for it: of taste first, then of each kind of group."""
    return [scores.certificate(db, voter_id)[1], *(one["sentence"] for one in of_groups(db, voter_id))]
