"""What is compared and how, as an address names it: `?folder=2024/Italy&from=2024-05&to=2024-06-15&of=4&aim=top&order=smart`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote

from precious_daemon.models import Aim, Order, Scope, Way
from precious_daemon.store import Database, scopes, tasks
from precious_daemon.web.language import _
from precious_daemon.web.problems import BadRequest
from precious_daemon.web.talk import whole
from precious_daemon.web.words import listed, shown

_DATE = re.compile(r"(\d{4})(?:-(\d\d?)(?:-(\d\d?))?)?")


@dataclass(frozen=True, slots=True)
class Within:
    """What was asked for. `scope` is None for the whole library."""

    scope: Scope | None = None
    folder: str = ""
    since: str = ""
    until: str = ""
    sorted_into: str = ""  # the class of a task, by its number
    class_name: str = ""
    way: Way = field(default_factory=Way)

    @property
    def query(self) -> str:
        """For the end of an address; empty for the whole library. Folder names need not be UTF-8."""
        said = [("folder", self.folder), ("from", self.since), ("to", self.until), ("class", self.sorted_into)]
        usual = Way()
        names = (("of", "of"), ("aim", "aim"), ("order", "order"), ("every", "every"), ("round", "since"))
        said += [(name, str(value)) for name, field in names if (value := getattr(self.way, field)) != getattr(usual, field)]
        return "&".join(f"{name}={quote(os.fsencode(value))}" for name, value in said if value)

    @property
    def part(self) -> Within:
        """The same part of the library, compared in the usual way."""
        return replace(self, way=Way())

    def with_way(self, **changes: Any) -> Within:
        """The same part of the library, compared in another way."""
        return replace(self, way=replace(self.way, **changes))

    @property
    def words(self) -> str:
        """`in 2024/Italy, from 2024-05, to 2024-06-15`; empty for the whole library."""
        folder, since, until = map(shown, (self.folder, self.since, self.until))
        said = [_("in {folder}", folder=folder)] if folder else []
        said += [_("in {folder}", folder=self.class_name)] if self.class_name else []
        said += [_("from {date}", date=since)] if since else []
        said += [_("to {date}", date=until)] if until else []
        return _(", ").join(said)

    def after(self, address: str) -> str:
        """The address, with this at its end."""
        return address + (("&" if "?" in address else "?") + self.query if self.query else "")


def read(db: Database, query: str, voter_id: int | None = None) -> Within:
    """From the raw query of an address; classes are those of this voter's answers, and without one, none can be asked for.

    Raises NotFound for a folder that is not watched and a class that there is none of, BadRequest for what is no date.
    """
    fields = {name: values[0].strip() for name, values in parse_qs(query, errors="surrogateescape").items()}
    folder, since, until, sorted_into = (fields.get(name, "") for name in ("folder", "from", "to", "class"))
    way = _way(fields) if fields.get("of") != "guesses" else Way()
    if not (folder or since or until or sorted_into):
        return Within(way=way)
    root_id, inside = scopes.folder(db, folder) if folder else (None, "")
    taken = _day(since)[0] if since else None, _day(until)[1] if until else None
    if not sorted_into:
        return Within(Scope(root_id, inside, *taken), folder, since, until, way=way)
    if voter_id is None:
        raise BadRequest("Name a folder or a time here: classes are asked about, compared and ranked alone.")
    name = tasks.class_name(db, whole(sorted_into, "class"))
    scope = Scope(root_id, inside, *taken, (whole(sorted_into, "class"), voter_id))
    return Within(scope, folder, since, until, sorted_into, name, way)


def _way(fields: dict[str, str]) -> Way:
    try:
        aim, order = Aim(fields.get("aim") or Aim.RANK), Order(fields.get("order") or Order.TELLING)
    except ValueError as exc:
        raise BadRequest(f'"aim" has to be one of {listed(Aim)}, and "order" one of {listed(Order)}.') from exc
    of, every = whole(fields.get("of") or 2, "of"), whole(fields.get("every") or 3, "every")
    if of not in (2, 3, 4) or not 1 <= every <= 1000:
        raise BadRequest('"of" has to be 2, 3 or 4 photos at once, and "every" from 1 to 1000 votes.')
    return Way(of if order is Order.TELLING else 2, aim, order, every, whole(fields.get("round") or 0, "round"))


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
