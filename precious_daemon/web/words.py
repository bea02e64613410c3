"""Numbers, times and names as an owner reads them: values in, English out."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo

from precious_daemon.models import Rating

MILESTONES = (10, 25, 50, 100, 150, 250, 400, 600, 1000, 1500, 2500, 5000, 10000)
# signs that turn the reading direction: a name must not be able to rearrange the sentence around it
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def name(path: str) -> str:
    """The last part of a path, fit to be shown: bytes that are no UTF-8 and signs that do not print become `�`."""
    return shown(posixpath.basename(path))


def shown(text: str) -> str:
    """A path or a foreign text in one line that cannot upset the page."""
    return "".join("�" if _odd(sign) else sign for sign in text)


def _odd(sign: str) -> bool:
    if sign.isprintable():
        return False
    if sign in _TURNS:
        return True
    import unicodedata  # here: few libraries have such a name, and the table takes its room in memory

    return unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")


def count(number: int, one: str = "", more: str = "") -> str:
    """`12,400`, or with its noun: `1 photo`, `12,400 photos`."""
    noun = one if number == 1 else (more or (one and one + "s"))
    return f"{number:,} {noun}".rstrip()


def size(number: float) -> str:
    """Bytes in powers of 1000, as file managers and disks have them."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if unit == "bytes" or number >= 99.5 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def percent(share: float) -> str:
    """Whole percents, and never 0 or 100 where it is not quite."""
    if 0 < share < 0.01:
        return "under 1 %"
    if 0.99 < share < 1:
        return "over 99 %"
    return f"{share * 100:.0f} %"


def duration(seconds: float) -> str:
    """In the two words that matter: `a few seconds`, `12 minutes`, `3 hours`."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 90:
        return f"{round(seconds / 5) * 5} seconds"
    if seconds < 90 * 60:
        return count(max(2, round(seconds / 60)), "minute")
    if seconds < 36 * 3600:
        return count(max(2, round(seconds / 3600)), "hour")
    return count(max(2, round(seconds / 86400)), "day")


def ago(at: float, now: float) -> str:
    """How long since, or until: `12 minutes ago`, `in 3 hours`."""
    if abs(now - at) < 10:
        return "just now"
    return f"{duration(now - at)} ago" if at <= now else f"in {duration(at - now)}"


def moment(at: float, now: float, zone: tzinfo | None = None) -> str:
    """A time of this machine's clock: `today 02:00`, `yesterday 23:15`, `3 March 2024, 14:05`."""
    then, today = datetime.fromtimestamp(at, zone or _here()), datetime.fromtimestamp(now, zone or _here())
    days = (then.date() - today.date()).days
    near = {-1: "yesterday", 0: "today", 1: "tomorrow"}
    if days in near:
        return f"{near[days]} {then:%H:%M}"
    return f"{then.day} {then:%B %Y, %H:%M}"


def taken(at: float | None) -> str:
    """The camera's own clock (models.py): no time zone is applied."""
    if at is None:
        return "no date"
    then = datetime.fromtimestamp(at, UTC)
    return f"{then.day} {then:%B %Y, %H:%M}"


def month(at: float | None) -> str:
    return "No date" if at is None else f"{datetime.fromtimestamp(at, UTC):%B %Y}"


def _here() -> tzinfo | None:
    return datetime.now(UTC).astimezone().tzinfo


def pace(done: int, total: int, seconds: float) -> str:
    """`1,204 of 12,400 · 58 a second · 3 minutes left`. A rate is said once it means something."""
    said = [f"{done:,} of {total:,}" if total else count(done)]
    if done and seconds >= 1:
        rate = done / seconds
        said.append(f"{rate:,.0f} a second" if rate >= 2 else f"{rate * 60:,.0f} a minute" if rate * 60 >= 2 else "")
        if total > done and seconds >= 2:
            said.append(f"{duration((total - done) / rate)} left")
    return " · ".join(part for part in said if part)


def sureness(rating: Rating) -> str:
    """What sigma means: TrueSkill starts at 8.33, and each comparison narrows it."""
    if rating.sigma < 2:
        return "settled"
    if rating.sigma < 3.5:
        return "fairly sure"
    return "a rough guess" if rating.sigma < 6 else "hardly compared yet"


def standing(rating: Rating) -> str:
    """What mu means: 25 is the middle, and most photos lie within 8.33 of it."""
    if rating.mu >= 33:
        return "a treasure"
    if rating.mu >= 28:
        return "above most"
    if rating.mu > 22:
        return "in the middle"
    return "below most" if rating.mu > 17 else "near the bottom"


def milestone(votes: int) -> tuple[int, int]:
    """(last mark reached, next mark) on the way of a voter."""
    reached = max((mark for mark in MILESTONES if mark <= votes), default=0)
    ahead = next((mark for mark in MILESTONES if mark > votes), None)
    if ahead is None:
        reached = votes // 5000 * 5000
        ahead = reached + 5000
    return reached, ahead


def listed(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    said = list(parts)
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)
