"""How long a pause lasts, in an owner's words: `1h`, `90 min`, `tomorrow`, `18:30`, `2026-05-01`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from precious_daemon.errors import PreciousError
from precious_daemon.models import Pause

LONGEST = 366 * 86400.0
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)(?:ec(?:onds?)?|in(?:utes?)?|ours?|ays?|eeks?)?")


def end(now: float, span: str = "", until: str = "", zone: tzinfo | None = None) -> float | None:
    """When a pause that begins now is over, in seconds since 1970; None for one without an end.

    `span` is how long, `until` a day (its first moment), a time of day (the next one), or both, by this machine's clock.
    Raises PreciousError for what is neither, is over already, or is more than a year away.
    """
    if span and until:
        raise PreciousError("Say how long, or until when, not both.")
    if span:
        found = _SPAN.fullmatch(span.strip().lower())
        if not found or not float(found[1]):
            raise PreciousError(f'"{span}" is no length of time. Say it like 30m, 1h, 8h or 2d.')
        moment = now + float(found[1]) * _UNITS[found[2]]
    elif until:
        moment = _moment(until, datetime.fromtimestamp(now, zone)).timestamp()
    else:
        return None
    if not now < moment <= now + LONGEST:
        raise PreciousError(f'"{span or until}" is {"over already" if moment <= now else "more than a year away"}.')
    return moment


def _moment(text: str, now: datetime) -> datetime:
    words = text.strip().lower()
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if words == "tomorrow":
        return day + timedelta(days=1)
    if time := re.fullmatch(r"(\d{1,2}):(\d\d)", words):
        if int(time[1]) < 24 and int(time[2]) < 60:
            moment = day.replace(hour=int(time[1]), minute=int(time[2]))
            return moment if moment > now else moment + timedelta(days=1)
    else:
        try:
            return datetime.fromisoformat(words.upper()).replace(tzinfo=now.tzinfo)
        except ValueError:
            pass
    raise PreciousError(f'"{text}" is no time. Say it like tomorrow, 18:30, 2026-05-01 or "2026-05-01 18:30".')


def sentence(pause: Pause, moment: str = "") -> str:
    """What rests, and until when; `moment` is the time it ends, in words."""
    return f"Reading new photos and the scheduled jobs are paused {f'until {moment}' if moment else 'until you resume them'}."
