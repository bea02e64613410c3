"""All votes at once, and guesses by what photos look like: the child, from job folder to job folder."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from precious_daemon.asking import ledger
from precious_daemon.config import Places, Settings
from precious_daemon.jobs import open_service
from precious_daemon.learn import refit
from precious_daemon.models import Lineup, Rating, Vote
from precious_daemon.pure import rating
from precious_daemon.store import Database, Store, pictures, ratings
from precious_daemon.work import jobfolder
from precious_daemon.work.jobfolder import PhotoRow


def owner_votes(taste: list[float], count: int, rng: random.Random) -> list[Vote | Lineup]:
    found: list[Vote | Lineup] = []
    for _ in range(count):
        a, b = rng.sample(range(len(taste)), 2)
        if rng.random() > 1 / (1 + math.exp(-3.4 * (taste[a] - taste[b]))):
            a, b = b, a
        found.append(Vote(a, b, False))
    return found


def right(score: dict[int, float], taste: list[float]) -> float:
    """Share of pairs that are in the right order."""
    pairs = [(a, b) for a in range(len(taste)) for b in range(a) if taste[a] > taste[b]]
    return sum(score[a] > score[b] for a, b in pairs) / len(pairs)


@pytest.mark.parametrize("seed", range(5))
def test_order_of_the_votes_does_not_matter_to_the_fit(seed: int) -> None:
    rng = random.Random(seed)
    votes = owner_votes([rng.gauss(0, 1) for _ in range(8)], 30, rng)
    votes += [Lineup((0, 1, 2, 3), True), Lineup((4, 5, 6), False)]
    found = rating.fit(votes)
    rng.shuffle(votes)
    for photo_id, again in rating.fit(votes).items():
        assert again.mu == pytest.approx(found[photo_id].mu, abs=rating.SIGMA / 20)
        assert again.sigma == pytest.approx(found[photo_id].sigma, rel=0.02)
        assert (again.wins, again.losses) == (found[photo_id].wins, found[photo_id].losses)


def test_fit_of_votes_on_photos_that_meet_once_is_what_one_vote_says() -> None:
    found = rating.fit([Vote(1, 2, False), Vote(3, 4, True)], {9: Rating(30, 2)})
    winner, loser = rating.update(rating.START, rating.START)
    assert found[1].mu == pytest.approx(winner.mu, rel=1e-3)
    assert found[2].sigma == pytest.approx(loser.sigma, rel=1e-3)
    assert found[9] == Rating(30, 2)


def test_a_vote_informs_ratings_given_before_it() -> None:
    early = [Vote(1, 2, False)]
    assert rating.fit([*early, Vote(3, 1, False)])[2].mu < rating.fit(early)[2].mu - 0.2
    assert rating.replay([*early, Vote(3, 1, False)])[2] == rating.replay(early)[2]


def test_fit_ranks_no_worse_than_one_after_another() -> None:
    better = 0.0
    for seed in range(6):
        rng = random.Random(seed)
        taste = [rng.gauss(0, 1) for _ in range(40)]
        votes = owner_votes(taste, 160, rng)
        at_once, in_turn = rating.fit(votes), rating.replay(votes)
        better += right({i: at_once.get(i, rating.START).mu for i in range(40)}, taste)
        better -= right({i: in_turn.get(i, rating.START).mu for i in range(40)}, taste)
    assert better >= 0


def looks(rng: np.random.Generator, count: int) -> np.ndarray:
    x = rng.normal(size=(count, 5))
    return x / np.sqrt((x**2).sum(1).mean())


def test_guess_finds_the_photos_nobody_voted_on_by_their_looks() -> None:
    rng, dice = np.random.default_rng(0), random.Random(0)
    look = looks(rng, 400)
    taste = (look @ np.array([2.0, -1.0, 1.0, 0.0, 0.0])).tolist()
    votes = owner_votes(taste[:100], 300, dice)
    found = rating.fit(votes)
    guesses = refit.guess(np.arange(400), look, np.zeros(400), found, {})
    assert guesses.share > 0.5
    assert np.corrcoef(guesses.mu[100:], taste[100:])[0, 1] > 0.85
    assert guesses.sigma[100:].mean() < 0.8 * rating.SIGMA
    rounds = np.abs((guesses.mu[100:] - rating.MU) / rating.SIGMA * np.std(taste) - taste[100:])
    assert np.mean(rounds < 2 * guesses.sigma[100:] / rating.SIGMA) > 0.8, "and says how unsure it is"


def test_looks_that_say_nothing_are_not_believed() -> None:
    rng, dice = np.random.default_rng(1), random.Random(1)
    votes = owner_votes(rng.normal(size=100).tolist(), 300, dice)
    guesses = refit.guess(np.arange(200), looks(rng, 200), np.zeros(200), rating.fit(votes), {})
    assert guesses.share <= 0.2
    assert np.abs(guesses.mu[100:] - rating.MU).max() < rating.SIGMA / 2


def test_without_votes_the_chance_of_being_kept_is_all_that_is_known() -> None:
    kept = np.array([-1.0, 0.0, 1.0])
    guesses = refit.guess(np.arange(3), np.ones((3, 2)), kept, {}, {})
    assert list(guesses.mu) == sorted(guesses.mu)
    assert guesses.mu[2] - rating.MU == pytest.approx(refit.LIKES_KEPT * rating.SIGMA, rel=0.01)


def test_way_that_foretells_worse_is_not_used() -> None:
    rng = random.Random(2)
    taste = [rng.gauss(0, 1) for _ in range(30)]
    good = refit.try_out(owner_votes(taste, 400, rng), {})
    assert good["used"]
    assert good["held_out"] == 80
    assert good["fit"] < 0.69
    turned = owner_votes(taste, 400, rng) + owner_votes([-t for t in taste], 400, rng)  # taste that has changed
    assert not refit.try_out(turned, {})["used"]


def test_child_leaves_ratings_and_guesses(store: Store, here: Places, tmp_path: Path) -> None:
    rng, dice = np.random.default_rng(3), random.Random(3)
    look = rng.normal(size=(30, 16)).astype(np.float16)
    hashes = [bytes([i]) * 32 for i in range(30)]
    store.write(pictures.put_embeddings, "net", [(key, row.tobytes()) for key, row in zip(hashes, look, strict=True)])
    votes = owner_votes(look[:20, 0].astype(float).tolist(), 150, dice)
    jobfolder.write_json(tmp_path, "job.json", {"cache_db": str(here.cache_db), "backbone": "net", "voter": 1})
    jobfolder.write_comparisons(tmp_path, [*votes, Lineup((0, 1, 2, 3), False), Lineup((3, 2, 1), False, True)])
    jobfolder.write_ratings(tmp_path, "starts.bin", [(5, Rating(30.0, 5.0))])
    rows = [PhotoRow(i, key.hex(), 0, None, None, 1, 1, 1, "JPEG", f"{i}.jpg", i) for i, key in enumerate(hashes)]
    jobfolder.write_photos(tmp_path, rows)
    subprocess.run([sys.executable, "-m", "precious_daemon.learn.refit", str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    found = dict(jobfolder.read_ratings(tmp_path, "ratings.bin"))
    assert found.keys() == set(range(20))
    assert sum(r.wins for r in found.values()) == 153
    guesses = dict(jobfolder.read_ratings(tmp_path, "guesses.bin"))
    assert guesses.keys() == set(range(30))
    assert jobfolder.read_json(tmp_path, "fit.json")["votes"] == 152


async def test_rate_job_lets_the_fit_take_the_place_of_the_ratings(here: Places) -> None:
    service = open_service(here, Settings())
    assert (await service.jobs.run("rate")).detail == "there are no comparisons yet"

    def vote(db: Database) -> None:
        db.execute("INSERT INTO roots (id, path, state, added_at) VALUES (1, x'2f', 'watched', 0)")
        for i in range(1, 4):
            db.execute(
                "INSERT INTO photos (id, uid, root_id, path, added_at, changed_at) VALUES (?, ?, 1, ?, 0, 0)", [i, str(i), str(i)]
            )
        sql = (
            "INSERT INTO answers (voter_id, at, question, choice, photo_id, other_id, purpose) VALUES (1,0,'pair','first',?,?,'')"
        )
        for pair in ((1, 2), (3, 1)):
            db.execute(sql, pair)
        ledger.catch_up(db, 1)

    service.store.write(vote)
    in_turn = service.store.read(ratings.everything, 1)
    assert "2 comparisons weighed together for 3 photos" in (await service.jobs.run("rate")).detail
    at_once = service.store.read(ratings.everything, 1)
    assert at_once[2].mu < in_turn[2].mu
    report = service.store.read(ratings.report, 1)
    assert report
    assert report["used"]
    await service.jobs.stop()
    service.store.close()
