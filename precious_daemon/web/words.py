"""Numbers, times and names as an owner reads them, in the current language."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo

from precious_daemon.models import Rating
from precious_daemon.web.language import N_, _, _n

MONTHS = N_((
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
))  # fmt: skip
MILESTONES = (10, 25, 50, 100, 150, 250, 400, 600, 1000, 1500, 2500, 5000, 10000)
# signs that turn the reading direction: a name must not be able to rearrange the sentence around it
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def name(path: str) -> str:
    """The last part of a path, fit to be shown: bytes that are no UTF-8 and signs that do not print become `�`."""
    return shown(posixpath.basename(path))


def shown(text: str) -> str:
    """A path or a foreign text in one line that cannot upset the page."""
    if text.isprintable():
        return text
    return "".join("�" if _odd(sign) else sign for sign in text)


def _odd(sign: str) -> bool:
    if sign.isprintable():
        return False
    if sign in _TURNS:
        return True
    import unicodedata  # here: few libraries have such a name, and the table takes its room in memory

    return unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")


def count(number: int) -> str:
    """`12,400`."""
    return f"{number:,}"


def opening(text: str) -> str:
    """The first sentence of several: what a page says at once. The others wait behind it."""
    end = re.search(r"\.(?=\s)|。", text)
    return text[: end.end()] if end else text


def photos(number: int) -> str:
    return _n("{n} photo", "{n} photos", number)


def size(number: float) -> str:
    """Bytes in powers of 1000, as file managers and disks have them."""
    if number < 999.5:
        return _("{n} bytes", n=round(number))
    for unit in ("KB", "MB", "GB"):
        number /= 1000
        if number < 999.5:
            return f"{number:.0f} {unit}" if number >= 99.5 else f"{number:.1f} {unit}"
    return f"{number / 1000:.1f} TB"


def percent(share: float) -> str:
    """Whole percents, and never 0 or 100 where it is not quite."""
    if 0 < share < 0.01:
        return _("under 1 %")
    if 0.99 < share < 1:
        return _("over 99 %")
    return _("{number} %", number=f"{share * 100:.0f}")


def duration(seconds: float) -> str:
    """In the two words that matter: `a few seconds`, `12 minutes`, `3 hours`."""
    if seconds < 10:
        return _("a few seconds")
    if seconds < 90:
        return _("{n} seconds", n=round(seconds / 5) * 5)
    if seconds < 90 * 60:
        return _("{n} minutes", n=max(2, round(seconds / 60)))
    if seconds < 36 * 3600:
        return _("{n} hours", n=max(2, round(seconds / 3600)))
    return _("{n} days", n=max(2, round(seconds / 86400)))


def ago(at: float, now: float) -> str:
    """How long since, or until: `12 minutes ago`, `in 3 hours`."""
    if abs(now - at) < 10:
        return _("just now")
    if at <= now:
        return _("{duration} ago", duration=duration(now - at))
    return _("in {duration}", duration=duration(at - now))


def moment(at: float, now: float, zone: tzinfo | None = None) -> str:
    """A time of this machine's clock: `today 02:00`, `yesterday 23:15`, `3 March 2024, 14:05`."""
    then, today = datetime.fromtimestamp(at, zone or _here()), datetime.fromtimestamp(now, zone or _here())
    days = (then.date() - today.date()).days
    time = f"{then:%H:%M}"
    if days == 0:
        return _("today {time}", time=time)
    if abs(days) == 1:
        return _("yesterday {time}", time=time) if days < 0 else _("tomorrow {time}", time=time)
    return _date(then)


def taken(at: float | None) -> str:
    """The camera's own clock (models.py): no time zone is applied."""
    return _("no date") if at is None else _date(datetime.fromtimestamp(at, UTC))


def _date(then: datetime) -> str:
    date = _("{day} {month} {year}", day=then.day, month=_(MONTHS[then.month - 1]), year=str(then.year))
    return _("{date}, {time}", date=date, time=f"{then:%H:%M}")


def month(at: float | None) -> str:
    if at is None:
        return _("No date")
    then = datetime.fromtimestamp(at, UTC)
    return _("{month} {year}", month=_(MONTHS[then.month - 1]), year=str(then.year))


def _here() -> tzinfo | None:
    return datetime.now(UTC).astimezone().tzinfo


def pace(done: int, total: int, seconds: float) -> str:
    """`1,204 of 12,400 · 58 a second · 3 minutes left`. The rate is left out until it means something."""
    said = [_("{done} of {total}", done=done, total=total)] if total else [count(done)] if done else []
    if done and seconds >= 1:
        rate = done / seconds
        if rate >= 2:
            said.append(_("{n} a second", n=round(rate)))
        elif rate * 60 >= 2:
            said.append(_("{n} a minute", n=round(rate * 60)))
        if total > done and seconds >= 2:
            said.append(_("{duration} left", duration=duration((total - done) / rate)))
    return " · ".join(said)


def sureness(rating: Rating) -> str:
    """What sigma means: TrueSkill starts at 8.33, and each comparison narrows it."""
    if rating.sigma < 2:
        return _("settled")
    if rating.sigma < 3.5:
        return _("fairly sure")
    return _("a rough guess") if rating.sigma < 6 else _("hardly compared yet")


def standing(rating: Rating) -> str:
    """What mu means: 25 is the middle, and most photos lie within 8.33 of it."""
    if rating.mu >= 33:
        return _("a treasure")
    if rating.mu >= 28:
        return _("above most")
    if rating.mu > 22:
        return _("in the middle")
    return _("below most") if rating.mu > 17 else _("near the bottom")


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
    if len(said) < 2:
        return "".join(said)
    return _("{some} and {last}", some=_(", ").join(said[:-1]), last=said[-1])
