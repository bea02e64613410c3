"""Votes and rankings as the CSV of image-ranker: text in, rows out, and back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from precious_daemon.errors import VoteFileError
from precious_daemon.models import Rating

VOTES = ["Winner", "Loser"]
RANKING = ["Image", "ELO", "Uncertainty", "Upvotes", "Downvotes"]
MU_THERE = 0.0  # image-ranker's ratings start at mu 0; its sigma is on the scale that ours is
MOST = 10**9  # votes on one photo
NOBODY = "None"  # what image-ranker writes as the winner over an image that was taken out


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came of a CSV file. `unknown` are names that no photo has, or more than one."""

    kind: str  # votes or ranking
    imported: int
    unknown: tuple[str, ...]
    taken_out: int = 0  # photos that were taken out there, and are now here
    known: int = 0  # votes that were here already


def votes_text(pairs: Iterable[tuple[str, str]]) -> str:
    return _text(VOTES, pairs)


def ranking_text(rows: Iterable[tuple[str, Rating]], mu_here: float) -> str:
    return _text(
        RANKING,
        ((name, f"{r.mu - mu_here + MU_THERE:.2f}", f"{r.sigma:.2f}", r.wins, r.losses) for name, r in rows),
    )


def _text(header: list[str], rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def parse(text: str, mu_here: float) -> tuple[str, list[tuple[str, str]], list[tuple[str, Rating]]]:
    """(kind, votes as (winner, loser), ranking as (name, rating)). Raises VoteFileError with the line."""
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    try:
        header = [cell.strip() for cell in next(rows, [])]
        if header == VOTES:
            return "votes", [_vote(row, rows.line_num) for row in rows if row], []
        if header == RANKING:
            return "ranking", [], [_rating(row, rows.line_num, mu_here) for row in rows if row]
    except csv.Error as exc:
        raise VoteFileError(f"Line {rows.line_num} is not CSV: {exc}. Nothing was imported.") from exc
    raise VoteFileError(
        f'The first line has to be "{",".join(VOTES)}" or "{",".join(RANKING)}", and is "{_printable(",".join(header))}". '
        "Nothing was imported."
    )


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:80])


def _vote(row: list[str], line: int) -> tuple[str, str]:
    if len(row) != len(VOTES) or not all(row):
        raise VoteFileError(f"Line {line} has to be a winner and a loser. Nothing was imported.")
    return row[0], row[1]


def _rating(row: list[str], line: int, mu_here: float) -> tuple[str, Rating]:
    try:
        name, mu, sigma, wins, losses = row
        rating = Rating(float(mu) - MU_THERE + mu_here, float(sigma), int(wins), int(losses))
    except ValueError as exc:
        raise VoteFileError(f"Line {line} has to be a name and four numbers. Nothing was imported.") from exc
    if not (0 < rating.sigma < 1000 and abs(rating.mu) < 1e6 and 0 <= rating.wins < MOST and 0 <= rating.losses < MOST):
        raise VoteFileError(f"Line {line} has a number out of bounds. Nothing was imported.")
    return name, rating


def resolve(names: Iterable[str], paths: Mapping[int, str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """(photo id by name, names that fit none or several): by the whole path first, then by its end, then by file name."""
    ends: dict[str, set[int]] = {}
    for photo_id, path in paths.items():
        parts = path.replace("\\", "/").split("/")
        for start in range(len(parts)):
            ends.setdefault("/".join(parts[start:]), set()).add(photo_id)
    found: dict[str, int] = {}
    unknown: list[str] = []
    for name in dict.fromkeys(names):
        parts = name.replace("\\", "/").split("/")
        for start in range(len(parts)):
            fits = ends.get("/".join(parts[start:]), set())
            if len(fits) == 1:
                found[name] = next(iter(fits))
                break
        else:
            unknown.append(name)
    return found, tuple(unknown)
