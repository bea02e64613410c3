"""Keeps ratings in step with the answers: each vote as it comes, and any vote taken back by replay from a snapshot.

Ratings are those after the comparison `ratings.applied_through`. A vote moves them on at once. One that is taken back winds them
back to the newest snapshot that does not hold it, and what was answered since is replayed: in `compute`, which only reads, so
that a long replay keeps no answer waiting, and then `settle`. Snapshots stand `EVERY` votes back, and twice, four times... that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from precious_daemon.models import Answer, Lineup, Question, Rating, Vote
from precious_daemon.pure import rating
from precious_daemon.store import Database, answers, ratings
from precious_daemon.store.ratings import Snapshot

EVERY = 1000  # votes
COMPARING = (Question.PAIR, Question.FOUR)


def apply(db: Database, voter_id: int, answer: Answer, newest: int) -> None:
    """Let a new answer count. `newest` is the comparison before it: where ratings are behind that, `compute` is under way."""
    if answer.question not in COMPARING or ratings.applied_through(db, voter_id) != newest:
        return
    vote = answers.vote_of(answer)
    if vote is not None:
        _move(db, voter_id, vote)
    ratings.set_applied_through(db, voter_id, answer.id)
    if vote is not None:
        _keep_snapshot(db, voter_id, answer.id)


def _move(db: Database, voter_id: int, vote: Vote | Lineup) -> None:
    shown = vote.photos if isinstance(vote, Lineup) else (vote.winner, vote.loser)
    found = ratings.many(db, voter_id, shown)
    known = [found.get(i) or ratings.begin(db, voter_id, i) for i in shown]
    after: Iterable[Rating]
    if isinstance(vote, Lineup):
        after = rating.update_many(known, ordered=vote.ordered, draw=vote.draw)
    else:
        after = rating.update(*known, draw=vote.draw)
    for photo_id, moved in zip(shown, after, strict=True):
        ratings.put(db, voter_id, photo_id, moved)


def in_step(db: Database, voter_id: int) -> bool:
    """Whether the ratings hold every comparison."""
    return ratings.applied_through(db, voter_id) == answers.newest_comparison(db, voter_id)


def wind_back(db: Database, voter_id: int, undone: Answer, newest: int) -> bool:
    """After an answer was taken back: whether there is something to `compute`. `newest`: the last comparison before the undo."""
    if undone.question not in COMPARING:
        return False
    if answers.vote_of(undone) is None:
        if ratings.applied_through(db, voter_id) == newest:
            ratings.set_applied_through(db, voter_id, answers.newest_comparison(db, voter_id))
        return not in_step(db, voter_id)
    _forget_from(db, voter_id, undone.id)
    return True


def _forget_from(db: Database, voter_id: int, answer_id: int) -> None:
    """Ratings are good up to the newest snapshot without this answer; from there on they have to be made anew."""
    ratings.drop_snapshots(db, voter_id, answer_id)
    through = max((snapshot.answer_id for snapshot in ratings.snapshots(db, voter_id)), default=0)
    ratings.set_applied_through(db, voter_id, min(through, ratings.applied_through(db, voter_id)))


def rebuild(db: Database, voter_id: int) -> None:
    """Everything anew, from where the votes start: after a ranking was brought along, or with a new cache."""
    _forget_from(db, voter_id, 0)
    ratings.forget(db, voter_id, ratings.everything(db, voter_id))
    for photo_id, start in ratings.priors(db, voter_id, "import").items():
        ratings.put(db, voter_id, photo_id, start)
    settle(db, voter_id, compute(db, voter_id))


@dataclass(frozen=True, slots=True)
class Replayed:
    """Ratings of the `touched` photos as they are after the answer `through`; absent: no vote of such a photo is left."""

    through: int
    votes: int  # in all, up to `through`
    fit: int
    touched: set[int]
    ratings: dict[int, Rating]
    snapshots: list[Snapshot]


def compute(db: Database, voter_id: int) -> Replayed:
    """Replay what was answered since the newest snapshot that is still right. Reads only."""
    through, priors = answers.newest_comparison(db, voter_id), ratings.priors(db, voter_id)
    base, known = Snapshot(0, 0, 0, 0), ratings.priors(db, voter_id, "import")
    for snapshot in reversed(ratings.snapshots(db, voter_id)):
        if not answers.any_taken_back(db, voter_id, snapshot.answer_id, snapshot.known):
            base, known = snapshot, ratings.snapshot_ratings(db, voter_id, snapshot.answer_id)
            break
    touched = answers.compared(db, voter_id, base.answer_id)
    if base.fit != ratings.fit(db, voter_id):  # the ratings come from others than these: all are stored anew
        touched |= known.keys() | ratings.everything(db, voter_id).keys()
    state = {i: found for i in touched if (found := known.get(i) or priors.get(i))}
    guessed = state.keys() - known.keys()  # these count as rated once there is a vote
    votes = [(i, vote) for i, vote in answers.votes(db, voter_id, base.answer_id) if i <= through]
    snapshots: list[Snapshot] = []
    done = 0
    for part in _parts(len(votes)):
        state = rating.replay((vote for _, vote in votes[done : done + part]), state)
        done += part
        if done < len(votes):
            whole = known | {i: r for i, r in state.items() if i not in guessed or _looks(r)}
            snapshots.append(Snapshot(votes[done - 1][0], through, base.votes + done, base.fit, whole))
    rated = {i: r for i, r in state.items() if i not in guessed or _looks(r)}
    return Replayed(through, base.votes + len(votes), base.fit, touched, rated, snapshots)


def _looks(one: Rating) -> int:
    return one.wins + one.losses + one.draws


def _parts(votes: int) -> list[int]:
    """So many votes in parts that end where snapshots should stand: `EVERY` votes from the end, twice that, four times."""
    ends = [votes]
    back = EVERY
    while back < votes:
        ends.append(votes - back)
        back *= 2
    ends.sort()
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def settle(db: Database, voter_id: int, found: Replayed) -> None:
    """Store what was replayed, and then what was answered meanwhile."""
    if answers.any_taken_back(db, voter_id, answers.newest_comparison(db, voter_id), found.through):
        found = compute(db, voter_id)
    _store(db, voter_id, found.ratings, found.touched)
    ratings.set_fit(db, voter_id, found.fit)
    for snapshot in found.snapshots:
        ratings.put_snapshot(db, voter_id, snapshot)
    for _, vote in answers.votes(db, voter_id, found.through):
        _move(db, voter_id, vote)
    ratings.set_applied_through(db, voter_id, answers.newest_comparison(db, voter_id))
    _thin(db, voter_id, found.votes)


def _store(db: Database, voter_id: int, found: Mapping[int, Rating], touched: Iterable[int]) -> None:
    """Change the rows that differ, of the photos that may."""
    known = ratings.many(db, voter_id, touched)
    ratings.forget(db, voter_id, known.keys() - found.keys())
    for photo_id, moved in found.items():
        if known.get(photo_id) != moved:
            ratings.put(db, voter_id, photo_id, moved)


def fitted(db: Database, voter_id: int, through: int, votes: int, found: Mapping[int, Rating]) -> bool:
    """Let ratings by all votes up to an answer at once take the place of those vote by vote.

    False, and nothing changes, where one of those votes was taken back since.
    """
    if answers.any_taken_back(db, voter_id, through, through) or not in_step(db, voter_id):
        return False
    for old in ratings.snapshots(db, voter_id):
        if old.answer_id >= through or old.answer_id == old.fit:
            ratings.drop_snapshot(db, voter_id, old.answer_id)
    ratings.put_snapshot(db, voter_id, Snapshot(through, through, votes, through, dict(found)))
    _store(db, voter_id, found, found.keys() | ratings.everything(db, voter_id).keys())
    ratings.set_fit(db, voter_id, through)
    for _, vote in answers.votes(db, voter_id, through):
        _move(db, voter_id, vote)
    return True


def catch_up(db: Database, voter_id: int) -> bool:
    """After a start: ratings that do not hold the newest answer (a crash, a rebuilt cache) are made so."""
    if in_step(db, voter_id):
        return False
    if ratings.applied_through(db, voter_id) == 0 and not ratings.snapshots(db, voter_id):
        rebuild(db, voter_id)
    else:
        settle(db, voter_id, compute(db, voter_id))
    return True


# --- snapshots ---------------------------------------------------------------------------------------------------------


def _keep_snapshot(db: Database, voter_id: int, answer_id: int) -> None:
    """One every `EVERY` votes."""
    votes = answers.vote_count(db, voter_id)
    last = max((snapshot.votes for snapshot in ratings.snapshots(db, voter_id)), default=0)
    if votes - last >= EVERY:
        whole = ratings.everything(db, voter_id)
        ratings.put_snapshot(db, voter_id, Snapshot(answer_id, answer_id, votes, ratings.fit(db, voter_id), whole))
        _thin(db, voter_id, votes)


def _thin(db: Database, voter_id: int, votes: int) -> None:
    """Of the snapshots that are about as far back, the oldest stays; the one that others descend from does always."""
    kept: set[int] = set()
    fit = ratings.fit(db, voter_id)
    for snapshot in ratings.snapshots(db, voter_id):
        age = (max(0, votes - snapshot.votes) // EVERY).bit_length()
        if age in kept and snapshot.answer_id != fit:
            ratings.drop_snapshot(db, voter_id, snapshot.answer_id)
        kept.add(age)
