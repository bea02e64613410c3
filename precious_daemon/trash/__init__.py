"""The only room that moves an original: into the trash on its own disk, after the owner approved it, and back.

That is `ROOT/.precious-trash/`, or with the plugin `trash` the one that file managers show.

A unit is one capture with its companions: all of its files move, or none. Each goes through the steps in `steps`: gate,
cap, approval, intent, verify, record, move, recheck, commit. The journal (`store.units`) and the records beside the files
each suffice to put all back. Nothing is ever removed for good but by `purge`, which is off until the owner turns it on.

    moves    the system calls: beneath a held folder, never following a link, never replacing
    gate     is this folder what it was, is each file what it was
    records  the trash on the disk, and putting back from records alone
    desktop  the trash that file managers show, where the owner wants that one
    keeper   is what stays in its place still there
    steps    one unit's way, and what to do after a crash
    purge    the end of that way, where the owner wants one
    journal  what all of them write down
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import ParamSpec, TypeVar

from precious_daemon.config import Places, Settings
from precious_daemon.errors import CountNeeded, TrashRefused
from precious_daemon.models import PhotoState, SuggestionState, Unit, UnitFile, UnitState
from precious_daemon.store import Database, Store, photos, scores, suggestions, units
from precious_daemon.store.suggestions import SuggestionRow
from precious_daemon.trash.journal import LogFailed, name_of, with_companions
from precious_daemon.trash.moves import Disk, DiskFailed, printable, shown
from precious_daemon.trash.purge import LEAST_DAYS, Purge
from precious_daemon.trash.records import Recovered, home_of, recover_records
from precious_daemon.trash.steps import Steps

__all__ = ["Outcome", "Recovered", "Trash", "recover_records"]

log = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")
SMALL = 20  # photos that go in a day from however small a library
DAY = 86400.0
WEEK = 7 * DAY
MANY_UNDONE = 5, 0.2  # so many put back in a week, and such a share of what was moved: the suggestions are not to be trusted
_PENDING = (UnitState.APPROVED, UnitState.PLANNED, UnitState.RESTORING, UnitState.PURGING)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one unit, in a sentence for the owner. `moved`: to the trash, back from it, or out of the world."""

    unit: Unit
    moved: bool
    message: str


class Trash:
    """Approvals, moves and restorations of one library: one at a time, off the event loop."""

    def __init__(
        self, store: Store, places: Places, settings: Settings, clock: Callable[[], float] = time.time, disk: Disk | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        disk = disk or Disk()
        self._steps = Steps(store, disk, places.audit_log, clock)
        self.use(settings)
        self._purge = Purge(store, disk, places.audit_log, clock)
        self._batch = asyncio.Lock()  # one batch at a time
        self._unit = threading.Lock()  # a unit runs to its end even where its caller was cancelled, so each is read anew

    def use(self, settings: Settings) -> None:
        """Go on with these settings."""
        self._settings = settings.trash
        self._steps.to_desktop = "trash" in settings.plugins.enabled

    # --- to the trash --------------------------------------------------------------------------------------------------

    async def check(self, voter_id: int, suggestion_uids: Sequence[str], typed_count: int | None = None) -> None:
        """What can be told of an approval before any file is looked at: are these open, and are they not too many?

        Raises NotFound, TrashRefused and CountNeeded, as `approve` and `apply` would.
        """
        rows = await self._open(suggestion_uids)
        await self._check_count(len(rows), typed_count)
        if len(rows) > 1 and typed_count != len(rows) and any(row.suggestion.certified for row in rows):
            certificate, sentence, _ = await self._store.aread(scores.certificate, voter_id)
            if certificate is None:
                raise CountNeeded(
                    f"The certificate that covered these does not hold any more. {sentence} Look at them one by one, or type "
                    f"{len(rows)} to move them all.",
                    len(rows),
                )

    async def _open(self, uids: Sequence[str]) -> list[SuggestionRow]:
        rows = await self._store.aread(suggestions.by_uids, list(dict.fromkeys(uids)))
        if not rows:
            raise TrashRefused("No photo was chosen.")
        for row in rows:
            if row.state not in (SuggestionState.OPEN, SuggestionState.APPROVED):
                raise TrashRefused(f"{shown(row.photo.path)} is not suggested any more ({row.state}); reload the page.")
        return rows

    async def _check_count(self, count: int, typed_count: int | None) -> None:
        """Step 1. CountNeeded where so many photos do not go unless the owner types how many they are."""
        if typed_count == count:
            return
        if typed_count is not None:
            raise CountNeeded(f"You typed {typed_count}, but it is {count} photos. Nothing was moved.", count)
        if count > self._settings.batch:
            sentence = f"{count} photos are more than the {self._settings.batch} that go at once. Type {count} to move them all."
            raise CountNeeded(sentence, count)
        lately, back = await self._store.aread(units.undone_since, self._clock() - WEEK)
        if count > 1 and back >= MANY_UNDONE[0] and back >= MANY_UNDONE[1] * lately:
            raise CountNeeded(
                f"You put back {back} of the {lately} photos that were moved in the last seven days. Look at these one by one, "
                f"or type {count} to move them all.",
                count,
            )
        moved, library = await self._store.aread(_moved_and_library, self._clock() - DAY)
        if moved + count > max(SMALL, int(library * self._settings.daily_percent / 100)):
            raise CountNeeded(
                f"{moved} of your {library:,} photos were moved since yesterday, and {count} more would be over "
                f"{self._settings.daily_percent:g} % in a day. Type {count} to move them all the same.",
                count,
            )

    async def approve(self, voter_id: int, suggestion_uids: Sequence[str]) -> str:
        """Step 2. Bind an approval to every byte of the suggested captures, and return the name of the batch.

        A photo that cannot be moved is in the batch too, refused, with the reason. Raises NotFound for an unknown
        suggestion, TrashRefused for one that is not open, and then nothing is approved.
        """
        async with self._batch:
            rows = await self._open(suggestion_uids)
            bound = [(row, *await self._run(self._bind, row)) for row in rows]
            return await self._store.awrite(_approve, voter_id, bound, self._clock())

    def _bind(self, row: SuggestionRow) -> tuple[tuple[UnitFile, ...], str | None]:
        try:
            return self._steps.bind(row.photo), None
        except TrashRefused as refusal:
            return (), str(refusal)

    async def apply(
        self,
        batch: str,
        typed_count: int | None = None,
        dry_run: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Outcome]:
        """Steps 0, 1 and 3 to 8 for each unit of a batch. `progress` is called with (done, total).

        Raises NotFound for an unknown batch, CountNeeded where step 1 does not hold: the batch can then be applied with
        the count, or cancelled. A `dry_run` looks at everything and changes nothing.
        """
        async with self._batch:
            found = await self._store.aread(units.of_batch, batch)
            approved = sum(1 for unit in found if unit.state is UnitState.APPROVED)
            if approved and not dry_run:
                await self._check_count(len(found), typed_count)
                await self._settle_pending()
            outcomes: list[Outcome] = []
            stopped: str | None = None
            for number, unit in enumerate(found, 1):
                if unit.state is not UnitState.APPROVED:
                    outcomes.append(_settled(unit))
                elif dry_run:
                    outcomes.append(await self._run(self._check, unit))
                elif stopped:
                    outcomes.append(_settled(await self._run(self._withdraw, unit, stopped)))
                else:
                    outcome, stopped = await self._run(self._move, unit)
                    outcomes.append(outcome)
                if progress:
                    progress(number, len(found))
            return outcomes

    def _move(self, unit: Unit) -> tuple[Outcome, str | None]:
        """The outcome, and why nothing more may be moved at all."""
        if refusal := self._lapsed(unit):
            return _settled(self._withdraw(unit, refusal)), None
        unit = self._store.read(units.get, unit.id)
        if unit.state is not UnitState.APPROVED:
            return _settled(unit), None
        try:
            unit = self._steps.move(unit)
        except DiskFailed as failure:
            return Outcome(self._store.read(units.get, unit.id), False, str(failure)), None
        except LogFailed as failure:
            return Outcome(self._store.read(units.get, unit.id), False, str(failure)), str(failure)
        return self._moved(unit), None

    def _moved(self, unit: Unit) -> Outcome:
        if unit.state is not UnitState.DONE or not self._steps.to_desktop:
            return _settled(unit)
        if unit.place:
            return Outcome(unit, True, f"Moved {with_companions(unit)} to the trash of your desktop.")
        why = "for the one of your desktop cannot be used for it"
        return Outcome(unit, True, f"Moved {with_companions(unit)} to the trash of its folder, {why}.")

    def _check(self, unit: Unit) -> Outcome:
        try:
            if refusal := self._lapsed(unit):
                raise TrashRefused(refusal)
            place = self._steps.check(unit)
        except TrashRefused as refused:
            return Outcome(unit, False, str(refused))
        return Outcome(unit, False, f"Would move {with_companions(unit)} to {printable(place or home_of(unit))}.")

    def _lapsed(self, unit: Unit) -> str | None:
        """Why an approval no longer counts; one from the future was given by another clock."""
        if -60 <= self._clock() - unit.approved_at <= self._settings.approval_hours * 3600:
            return None
        return f"{name_of(unit)} was approved more than {self._settings.approval_hours:g} hours ago; approve it again."

    def _withdraw(self, unit: Unit, reason: str) -> Unit:
        unit = self._store.read(units.get, unit.id)
        if unit.state is not UnitState.APPROVED:
            return unit
        return self._store.write(units.refuse, unit, reason, self._clock())

    async def cancel(self, batch: str, reason: str = "You did not go on with it.") -> None:
        """Withdraw what is approved in a batch and not yet moved: its suggestions are open again."""
        async with self._batch:
            for unit in await self._store.aread(units.of_batch, batch):
                await self._run(self._withdraw, unit, reason)

    # --- and back ------------------------------------------------------------------------------------------------------

    async def undo(self, unit_uids: Sequence[str], by: int | None = None) -> list[Outcome]:
        """Step 9: put units back, as this profile wished. Raises NotFound for an unknown one. What is back already stays so."""
        async with self._batch:
            await self._settle_pending()
            found = await self._store.aread(units.by_uids, unit_uids)
            return [await self._run(self._restore, unit, by) for unit in found]

    def _restore(self, unit: Unit, by: int | None) -> Outcome:
        unit = self._store.read(units.get, unit.id)
        if unit.state is not UnitState.DONE:
            return Outcome(unit, False, f"{name_of(unit)} is not in the trash.")
        try:
            unit = self._steps.restore(unit, by)
        except TrashRefused as refusal:
            return Outcome(self._store.read(units.get, unit.id), False, str(refusal))
        renamed = [printable(file.restored_path) for file in unit.files if file.restored_path and file.restored_path != file.path]
        taken = f", as {' and '.join(renamed)}, for the old name is taken" if renamed else ""
        return Outcome(unit, True, f"Put {with_companions(unit)} back{taken}.")

    async def notice(self) -> list[Unit]:
        """Look into the trash: what its owner has brought back by other means (undone) or removed for good (purged)."""
        async with self._batch:
            found = [await self._run(self._notice, unit_id) for unit_id in await asyncio.to_thread(self._touched)]
        return [unit for unit in found if unit is not None]

    def _touched(self) -> list[int]:
        """The units whose still is not where it was put, as far as a glance tells: of thousands, few."""
        return [unit_id for unit_id, still in self._store.read(units.stills_in_trash) if not os.path.lexists(still)]

    def _notice(self, unit_id: int) -> Unit | None:
        unit = self._store.read(units.get, unit_id)
        try:
            unit = self._steps.notice(unit) if unit.state is UnitState.DONE else unit
        except (TrashRefused, OSError) as exc:  # its folder is away, or frozen: looked at again another time
            log.info("%s in the trash cannot be looked at: %s", name_of(unit), exc)
            return None
        return unit if unit.state in (UnitState.UNDONE, UnitState.PURGED) else None

    async def listing(self, limit: int = 200, after: int | None = None) -> list[Unit]:
        """What is in the trash, newest first. `after` is the id of the last unit shown."""
        return await self._store.aread(units.listing, limit, after)

    # --- for good ------------------------------------------------------------------------------------------------------

    async def note_day(self) -> None:
        """The service is running today: something in the trash grows older by that, not by the clock alone."""
        await self._store.awrite(units.note_day, self._clock())

    async def ripe(self) -> list[Unit]:
        """What may be removed for good if the owner says so, oldest first; nothing where `trash.purge_days` is 0."""
        days = self._settings.purge_days
        return await self._store.aread(units.ripe, max(days, LEAST_DAYS), self._clock()) if days else []

    async def purge(self, typed_count: int | None = None, dry_run: bool = False, by: int | None = None) -> list[Outcome]:
        """Step 10: remove for good what is ripe, once the owner has typed how many photos that are.

        Raises TrashRefused where it is off or nothing is ripe, CountNeeded where the count is not typed or another one; a
        `dry_run` needs none, looks at everything and changes nothing.
        """
        async with self._batch:
            if not self._settings.purge_days:
                raise TrashRefused(
                    f"Nothing is ever removed for good unless you allow it: set purge_days = {LEAST_DAYS} or more under [trash] "
                    "in the settings."
                )
            found = await self.ripe()
            days = max(self._settings.purge_days, LEAST_DAYS)
            if not found:
                raise TrashRefused(f"Nothing has been in the trash for {days} days, and on {days} days of running, yet.")
            if typed_count != len(found) and not dry_run:
                raise CountNeeded(
                    f"{len(found)} photos have been in the trash for more than {days} days. Type {len(found)} to remove them for "
                    "good: this cannot be undone.",
                    len(found),
                )
            return [await self._run(self._purge_one, unit, dry_run, by) for unit in found]

    def _purge_one(self, unit: Unit, dry_run: bool, by: int | None) -> Outcome:
        unit = self._store.read(units.get, unit.id)
        if unit.state is not UnitState.DONE:
            return Outcome(unit, False, f"{name_of(unit)} is not in the trash.")
        try:
            if dry_run:
                self._purge.check(unit)
                return Outcome(unit, False, f"Would remove {with_companions(unit)} for good.")
            unit = self._purge.purge(unit, by)
        except TrashRefused as refusal:
            return Outcome(self._store.read(units.get, unit.id), False, str(refusal))
        return Outcome(unit, True, f"Removed {with_companions(unit)} for good.")

    # --- after a crash -------------------------------------------------------------------------------------------------

    async def recover(self) -> list[str]:
        """At start-up: as `settle`, and what was approved but not begun has to be approved again."""
        async with self._batch:
            return await self._settle_pending(UnitState.APPROVED)

    async def settle(self) -> list[str]:
        """When a folder is back or confirmed: finish or reverse what was interrupted there. A sentence for each unit."""
        async with self._batch:
            return await self._settle_pending()

    async def _settle_pending(self, *others: UnitState) -> list[str]:
        going = UnitState.PLANNED, UnitState.RESTORING, UnitState.PURGING
        left = await self._store.aread(units.in_states, *going, *others)
        said = [await self._run(self._settle, unit) for unit in left]
        return [sentence for sentence in said if sentence]

    def _settle(self, unit: Unit) -> str | None:
        unit = self._store.read(units.get, unit.id)
        if unit.state is UnitState.PURGING:
            return self._purge.finish(unit)
        return self._steps.settle(unit) if unit.state in _PENDING else None

    async def _run(self, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(self._alone, partial(action, *args, **kwargs))

    def _alone(self, action: Callable[[], T]) -> T:
        with self._unit:
            return action()


def _settled(unit: Unit) -> Outcome:
    """The outcome of a unit that has been dealt with."""
    if unit.state is UnitState.DONE:
        return Outcome(unit, True, f"Moved {with_companions(unit)} to the trash.")
    if unit.state is UnitState.UNDONE:
        return Outcome(unit, False, f"{name_of(unit)} was put back.")
    return Outcome(unit, False, unit.error or f"{name_of(unit)} was on its way when something failed; it waits for its folder.")


def _moved_and_library(db: Database, since: float) -> tuple[int, int]:
    counts = photos.counts(db)
    moved = units.moved_since(db, since)
    return moved, counts[PhotoState.PRESENT] + counts[PhotoState.NEW] + moved


def _approve(
    db: Database, voter_id: int, bound: Sequence[tuple[SuggestionRow, tuple[UnitFile, ...], str | None]], now: float
) -> str:
    batch = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d-%H%M%S}-{secrets.token_hex(4)}"
    for row, files, refusal in bound:
        units.approve(db, voter_id, batch, row, files, refusal, now)
    return batch
