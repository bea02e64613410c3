"""A part of the library, as an address names it: `?folder=2024/Italy&from=2024-05&to=2024-06-15`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote

from precious_daemon.models import Scope
from precious_daemon.store import Database, scopes
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.words import shown

_DATE = re.compile(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?))?)?")


@dataclass(frozen=True, slots=True)
class Within:
    """What was asked for. `scope` is None for the whole library."""

    scope: Scope | None = None
    folder: str = ""
    since: str = ""
    until: str = ""

    @property
    def query(self) -> str:
        """For the end of an address; empty for the whole library. Folder names need not be UTF-8."""
        said = (("folder", self.folder), ("from", self.since), ("to", self.until))
        return "&".join(f"{name}={quote(os.fsencode(value))}" for name, value in said if value)

    @property
    def words(self) -> str:
        """`in 2024/Italy, from 2024-05, to 2024-06-15`; empty for the whole library."""
        said = (("in", self.folder), ("from", self.since), ("to", self.until))
        return ", ".join(f"{name} {shown(value)}" for name, value in said if value)

    def after(self, address: str) -> str:
        """The address, with this at its end."""
        return address + (("&" if "?" in address else "?") + self.query if self.query else "")


def read(db: Database, query: str) -> Within:
    """From the raw query of an address. Raises NotFound for a folder that is not watched, BadRequest for what is no date."""
    fields = {name: values[0].strip() for name, values in parse_qs(query, errors="surrogateescape").items()}
    folder, since, until = (fields.get(name, "") for name in ("folder", "from", "to"))
    if not (folder or since or until):
        return Within()
    root_id, inside = scopes.folder(db, folder) if folder else (None, "")
    scope = Scope(root_id, inside, _day(since)[0] if since else None, _day(until)[1] if until else None)
    return Within(scope, folder, since, until)


def _day(text: str) -> tuple[float, float]:
    """First second, and the one after the last, of a day, a month or a year, by the camera's clock."""
    found = _DATE.fullmatch(text)
    try:
        if not found:
            raise ValueError
        year, month, day = (int(part) if part else None for part in found.groups())
        first = datetime(year or 0, month or 1, day or 1, tzinfo=UTC)
        after = first + timedelta(days=1 if day else 32 if month else 366)
        if not day:
            after = after.replace(day=1) if month else datetime(first.year + 1, 1, 1, tzinfo=UTC)
        return first.timestamp(), after.timestamp()
    except (ValueError, OverflowError) as exc:
        raise BadRequest('A date has to be like 2024-05-31, 2024-05 or 2024; "from" and "to" each take one.') from exc
