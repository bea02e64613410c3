"""What the web needs of the rooms beside it, as they are seen from here."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from precious_daemon.config import Settings
from precious_daemon.models import Answer, Choice, Photo, Question, Unit
from precious_daemon.store import Store


class Progress(Protocol):
    @property
    def job(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def started_at(self) -> float: ...


class Jobs(Protocol):
    @property
    def NAMES(self) -> Sequence[str]: ...
    def start(self, name: str, trigger: str = "owner") -> bool: ...
    def progress(self) -> Sequence[Progress]: ...
    async def stop_job(self, name: str) -> None: ...
    async def confirm_root(self, root_id: int) -> None: ...


class Trash(Protocol):
    async def listing(self, limit: int = 200, after: int | None = None) -> list[Unit]: ...


class Service(Protocol):
    @property
    def settings(self) -> Settings: ...
    @property
    def store(self) -> Store: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def trash(self) -> Trash: ...
    @property
    def clock(self) -> Callable[[], float]: ...


class Asked(Protocol):
    @property
    def question(self) -> Question: ...
    @property
    def purpose(self) -> str: ...
    @property
    def photos(self) -> tuple[Photo, ...]: ...
    @property
    def group_size(self) -> int: ...


class Imported(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def imported(self) -> int: ...
    @property
    def unknown(self) -> tuple[str, ...]: ...


class Outcome(Protocol):
    @property
    def unit(self) -> Unit: ...
    @property
    def moved(self) -> bool: ...
    @property
    def message(self) -> str: ...


class Ask(Protocol):
    """`precious_daemon.ask`."""

    async def next_pair(self, service: Any, voter_id: int) -> Asked | None: ...
    async def next_label(self, service: Any, voter_id: int) -> Asked | None: ...
    async def answer(
        self,
        service: Any,
        voter_id: int,
        question: Question,
        choice: Choice,
        photo_uids: Sequence[str],
        purpose: str,
        request: str | None,
    ) -> Answer: ...
    async def take_back(self, service: Any, voter_id: int) -> tuple[Answer, tuple[Photo, ...]]: ...
    async def export_votes(self, service: Any, voter_id: int) -> str: ...
    async def export_ranking(self, service: Any, voter_id: int) -> str: ...
    async def import_csv(self, service: Any, voter_id: int, text: str) -> Imported: ...


class Review(Protocol):
    """`precious_daemon.review`."""

    async def approve_and_apply(
        self, service: Any, voter_id: int, suggestion_uids: Sequence[str], typed_count: int | None = None
    ) -> Sequence[Outcome]: ...
    async def dismiss(self, service: Any, voter_id: int, suggestion_uids: Sequence[str]) -> int: ...
    async def undo(self, service: Any, voter_id: int, unit_uids: Sequence[str]) -> Sequence[Outcome]: ...


class Status(Protocol):
    """`precious_daemon.status`."""

    async def snapshot(self, service: Any, voter_id: int = 1) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """The three rooms that the handlers hand the owner's words to."""

    ask: Ask
    review: Review
    status: Status

    @classmethod
    def real(cls) -> Desk:
        rooms = (importlib.import_module(f"precious_daemon.{name}") for name in ("ask", "review", "status"))
        return cls(*cast(Any, rooms))
