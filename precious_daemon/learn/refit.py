"""The child that weighs all votes of a voter at once, and guesses what the photos without votes are worth.

    python -m precious_daemon.learn.refit JOBDIR

Reads job.json, comparisons.csv, starts.bin and photos.csv, and from the cache the embeddings and the chances of being kept.
Leaves ratings.bin (`rating.fit`), guesses.bin and, last, fit.json: what was found, and how well it foretells the newest votes.

A guess is linear in what a photo looks like: mu = MU + w x, with x the leading principal components of the embedding and,
where there is a model, the log odds of keep. Each rated photo is one measurement of mu, as uncertain as its votes leave it. How
much of taste the look explains (`share`) is where the votes are likeliest (MacKay 1992, "Bayesian Interpolation", eq. 2.8).
"""

from __future__ import annotations

import math
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from precious_daemon.models import Lineup, Rating, Vote
from precious_daemon.pure import rating
from precious_daemon.work import jobfolder

Doubles = NDArray[np.float64]

AXES = 64  # principal components of the embedding
SAMPLE = 10_000  # photos that they are found on
BLOCK = 4096
LIKES_KEPT = 0.4  # how well the log odds of keep foretell the rating before any vote: a correlation
SHARES = [step / 20 for step in range(20)]
HELD_OUT = 0.2  # of the votes, the newest: what both ways of rating are tried on
LEAST = 50  # votes held out, below which there is no trial
WORSE = 0.01  # nats an answer by which the fit may foretell them worse; chance alone makes some difference


def main(folder: Path) -> None:
    jobfolder.step_back()
    job = jobfolder.read_json(folder, "job.json")
    votes = jobfolder.read_comparisons(folder)
    starts = dict(jobfolder.read_ratings(folder, "starts.bin"))
    jobfolder.say("weighing all votes", 0, len(votes))
    trial = try_out(votes, starts)
    found = rating.fit(votes, starts)
    jobfolder.write_ratings(folder, "ratings.bin", found.items())
    jobfolder.say("guessing the photos without votes", 0, 0)
    ids, look, kept = read_looks(folder, job)
    share = 0.0
    if len(ids):
        guesses = guess(ids, look, kept, found, starts)
        share = guesses.share
        rows = zip(ids.tolist(), guesses.mu.tolist(), guesses.sigma.tolist(), strict=True)
        jobfolder.write_ratings(folder, "guesses.bin", ((i, Rating(mu, sigma)) for i, mu, sigma in rows))
    jobfolder.write_json(folder, "fit.json", {"votes": len(votes), "photos": len(found), "share": share} | trial)


# --- is it any good ----------------------------------------------------------------------------------------------------


def try_out(votes: Sequence[Vote | Lineup], starts: Mapping[int, Rating]) -> dict[str, Any]:
    """Rate by the older votes, foretell the newest: {used, held_out, fit, one_by_one}, the latter in nats an answer."""
    cut = len(votes) - int(len(votes) * HELD_OUT)
    newest = [vote for found in votes[cut:] for vote in (found.votes() if isinstance(found, Lineup) else [found])]
    newest = [vote for vote in newest if not vote.draw]
    if len(newest) < LEAST:
        return {"used": True, "held_out": len(newest), "fit": None, "one_by_one": None}
    at_once, in_turn = (surprise(newest, way(votes[:cut], starts)) for way in (rating.fit, rating.replay))
    return {"used": at_once <= in_turn + WORSE, "held_out": len(newest), "fit": at_once, "one_by_one": in_turn}


def surprise(votes: Sequence[Vote], found: Mapping[int, Rating]) -> float:
    """Mean of -log P(vote), in nats."""
    total = 0.0
    for vote in votes:
        a, b = found.get(vote.winner, rating.START), found.get(vote.loser, rating.START)
        spread = math.sqrt(2 * rating.BETA**2 + a.sigma**2 + b.sigma**2)
        total -= math.log(max(0.5 * math.erfc((b.mu - a.mu) / spread / math.sqrt(2)), 1e-12))
    return total / len(votes)


# --- what a photo looks like -------------------------------------------------------------------------------------------


def read_looks(folder: Path, job: Mapping[str, Any]) -> tuple[NDArray[np.int64], Doubles, Doubles]:
    """(ids (n,), coordinates (n, at most AXES) of mean square length one, log odds of keep (n,) in standard units or zeros)."""
    by_hash: dict[bytes, list[int]] = {}
    for row in jobfolder.read_photos(folder):
        by_hash.setdefault(bytes.fromhex(row.content_hash), []).append(row.id)
    with closing(sqlite3.connect(f"file:{quote(str(job['cache_db']))}?mode=ro", uri=True, timeout=10)) as cache:
        wanted = "SELECT content_hash, vector FROM embeddings WHERE backbone = ?"
        blocks = _blocks(cache.execute(wanted + " ORDER BY content_hash LIMIT ?", [job["backbone"], SAMPLE]), by_hash)
        sample = [block for _, block in blocks]
        if not sample:
            return np.zeros(0, np.int64), np.zeros((0, 0)), np.zeros(0)
        centre, axes, scale = _axes(np.concatenate(sample))
        ids: list[int] = []
        placed: list[Doubles] = []
        for keys, block in _blocks(cache.execute(wanted, [job["backbone"]]), by_hash):
            look = (block - centre) @ axes / scale
            for key, place in zip(keys, look, strict=True):
                ids += by_hash[key]
                placed += [place] * len(by_hash[key])
        odds = dict(cache.execute("SELECT photo_id, keep FROM scores WHERE voter_id = ?", [job["voter"]]).fetchall())
    return np.array(ids, np.int64), np.array(placed), _standard(np.array([odds.get(i, np.nan) for i in ids], float))


def _blocks(rows: Any, by_hash: Mapping[bytes, list[int]]) -> Iterator[tuple[list[bytes], NDArray[np.float32]]]:
    """(content hashes, their embeddings of length one (b, d)) of the photos that are there."""
    while part := rows.fetchmany(BLOCK):
        part = [(key, vector) for key, vector in part if key in by_hash]
        if part:
            block = np.stack([np.frombuffer(vector, "<f2").astype(np.float32) for _, vector in part])
            yield [key for key, _ in part], block / np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-9)


def _axes(sample: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """(centre (d,), axes (d, k), length that makes coordinates one long on the average)."""
    centre = sample.mean(0)
    _, vectors = np.linalg.eigh((sample - centre).T @ (sample - centre))
    axes = np.ascontiguousarray(vectors[:, ::-1][:, :AXES])
    scale = math.sqrt(float(np.square((sample - centre) @ axes).sum(1).mean())) or 1.0
    return centre, axes, scale


def _standard(keep: Doubles) -> Doubles:
    """Log odds of these chances in standard units; zero where there is none."""
    clipped = np.clip(keep, 1e-4, 1 - 1e-4)
    odds = np.log(clipped / (1 - clipped))
    known = ~np.isnan(odds)
    if known.sum() < 2 or odds[known].std() == 0:
        return np.zeros(len(keep))
    return np.where(known, (odds - odds[known].mean()) / odds[known].std(), 0.0)


# --- guesses -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Guesses:
    mu: Doubles  # (n,)
    sigma: Doubles  # (n,)
    share: float  # of the variance of taste that the look explains


def guess(
    ids: NDArray[np.int64], look: Doubles, kept: Doubles, found: Mapping[int, Rating], starts: Mapping[int, Rating]
) -> Guesses:
    """What each photo is worth by its look, from the ratings of some: see the top of this file. look (n, d), kept (n,)."""
    rows, value, noise = measured(ids.tolist(), found, starts)
    lean = LIKES_KEPT * rating.SIGMA
    x = np.column_stack([look, kept])
    value = value - lean * kept[rows]
    best: tuple[float, float, NDArray[Any], NDArray[Any]] | None = None
    for share in SHARES if len(rows) else SHARES[:1]:
        prior = np.full(x.shape[1], max(share, 1e-9) * rating.SIGMA**2)
        prior[-1] = lean**2 if len(rows) else 1e-9
        weight = 1 / (noise + (1 - share) * rating.SIGMA**2)
        hessian = np.diag(1 / prior) + (x[rows] * weight[:, None]).T @ x[rows]
        pull = x[rows].T @ (weight * value)
        w = np.linalg.solve(hessian, pull)
        likely = 0.5 * (pull @ w - np.linalg.slogdet(hessian)[1] - np.log(prior).sum() + np.log(weight).sum())
        likely -= 0.5 * float(weight @ value**2)
        if best is None or likely > best[0]:
            best = (float(likely), share, w, np.linalg.inv(hessian))
    assert best
    _, share, w, cov = best
    left = max(1 - share - (0 if len(rows) else LIKES_KEPT**2 * float(kept.any())), 0.05)
    sigma = np.sqrt(np.einsum("nd,de,ne->n", x, cov, x) + left * rating.SIGMA**2)
    return Guesses(rating.MU + lean * kept + x @ w, np.minimum(sigma, rating.SIGMA), share)


def measured(
    ids: Sequence[int], found: Mapping[int, Rating], starts: Mapping[int, Rating]
) -> tuple[NDArray[np.int64], Doubles, Doubles]:
    """(positions, mu less MU, variance) of the photos with votes: what the votes alone say, without what they began from."""
    rows, value, noise = [], [], []
    for place, photo_id in enumerate(ids):
        if (now := found.get(photo_id)) is None:
            continue
        begun = starts.get(photo_id, rating.START)
        precision = now.sigma**-2 - begun.sigma**-2
        if precision > 1e-6:
            rows.append(place)
            value.append((now.mu * now.sigma**-2 - begun.mu * begun.sigma**-2) / precision - rating.MU)
            noise.append(1 / precision)
    return np.array(rows, np.int64), np.array(value), np.array(noise)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
