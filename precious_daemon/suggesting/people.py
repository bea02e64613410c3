"""Profiles, and what one of them says against the suggestions of another: nothing goes that somebody wants to keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from precious_daemon.errors import NotFound, PreciousError
from precious_daemon.models import Voter
from precious_daemon.pure import certify
from precious_daemon.store import Database, answers, passwords, ratings, scores, sessions, suggestions, voters

OWNER = 1  # the profile that every library has, and that what is said with other programs counts for
LONGEST = 40  # characters of a name
TOP = 4  # one in so many of a voter's ranked photos is at its top


# --- profiles ----------------------------------------------------------------------------------------------------------


def add(db: Database, name: str, now: float) -> Voter:
    """A new profile, or one that was retired, as it was. Raises PreciousError where the name is taken."""
    known = voters.by_name(db, _clean(name))
    if known is None:
        return voters.add(db, _clean(name), now)
    if known.retired_at is None:
        raise PreciousError(f"There is a profile {known.name} already. Take another name.")
    voters.set_retired(db, known.id, None)
    return voters.get(db, known.id)


def rename(db: Database, voter_id: int, name: str) -> Voter:
    """Raises PreciousError where the name is taken."""
    voter, name = voters.get(db, voter_id), _clean(name)
    taken = voters.by_name(db, name)
    if taken is not None and taken.id != voter.id:
        raise PreciousError(f"There is a profile {taken.name} already. Take another name.")
    voters.rename(db, voter.id, name)
    return voters.get(db, voter.id)


def retire(db: Database, voter_id: int, now: float) -> Voter:
    """This profile answers no more, and keeps nothing from going. Its answers stay, and `add` by its name brings it back."""
    voter = voters.get(db, voter_id)
    if voter.id == OWNER:
        raise PreciousError(f"{voter.name} is the library's first profile, and stays: rename it instead.")
    voters.set_retired(db, voter.id, now)
    if passwords.get(db, OWNER):
        sessions.remove_of(db, voter.id)
    else:
        sessions.hand_over(db, voter.id, OWNER)
    passwords.remove(db, voter.id)
    suggestions.replace_open(db, voter.id, "", [], now)
    return voters.get(db, voter.id)


def named(db: Database, name: str) -> Voter:
    """The profile of this name that is in use. Raises NotFound, with the names there are."""
    voter = voters.by_name(db, name.strip())
    if voter is None or voter.retired_at is not None:
        names = ", ".join(voter.name for voter in voters.active(db))
        raise NotFound(f'There is no profile "{name}". There is {names}; `precious-daemon people add NAME` makes another.')
    return voter


def _clean(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST or not name.isprintable():
        raise PreciousError(f"A name has 1 to {LONGEST} letters that can be seen. Nothing was changed.")
    return name


# --- who wants to keep what --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wishes:
    """Why photos are to stay, by photo: what other voters said themselves, and what their models expect of them.

    What was said counts against everything; what is expected, only where taste speaks for going: of two copies one stays.
    """

    said: dict[int, str] = field(default_factory=dict)
    expected: dict[int, str] = field(default_factory=dict)

    def against(self, photo_id: int, kind: str) -> str | None:
        """Why a suggestion of this kind is not to be followed."""
        return self.said.get(photo_id) or (self.expected.get(photo_id) if kind in ("taste", "rule") else None)


def wishes(db: Database, voter_id: int, photo_ids: Iterable[int]) -> Wishes:
    """What everybody but this voter has against these photos' going. The first who has something is named."""
    ids, found = list(photo_ids), Wishes()
    for other in voters.active(db):
        if other.id != voter_id:
            _add_wishes(db, other, ids, found)
    return found


def _add_wishes(db: Database, other: Voter, ids: list[int], found: Wishes) -> None:
    said = {label.photo_id: label.keep for label in answers.labels(db, other.id)}
    chances, ranked = scores.of(db, other.id, ids), ratings.many(db, other.id, ids)
    top = ratings.count(db, other.id) // TOP
    best = ratings.mu_at(db, other.id, top) if top else None
    for i in ids:
        if said.get(i):
            found.said.setdefault(i, f"{other.name} wants to keep it")
        elif i in said:
            continue  # who said that it can go has nothing against it
        elif i in ranked and best is not None and ranked[i].mu >= best and ranked[i].wins > ranked[i].losses:
            found.said.setdefault(i, f"{other.name} ranks it among the best")
        elif i in chances and chances[i].keep > certify.FLOOR:
            found.expected.setdefault(i, f"{other.name} would likely keep it ({chances[i].keep:.0%})")
