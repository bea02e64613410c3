"""What the page, the jobs and the commands share of one open library."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from precious_daemon.config import Places, Settings
from precious_daemon.models import Served
from precious_daemon.plugins import Plugins
from precious_daemon.store import Store
from precious_daemon.trash import Trash

if TYPE_CHECKING:
    from precious_daemon.jobs import Jobs


@dataclass(slots=True)
class Service:
    """One open library, made by `jobs.open_service`, which sets `jobs`."""

    places: Places
    settings: Settings
    store: Store
    trash: Trash
    plugins: Plugins
    clock: Callable[[], float] = time.time
    rng: random.Random = field(default_factory=random.Random)
    background: set[asyncio.Task[Any]] = field(default_factory=set)  # calls of plugins that nobody waits for
    served: tuple[Served, ...] = ()  # where the page is
    jobs: Jobs = field(init=False)
    followers: list[Callable[[Settings], None]] = field(default_factory=list)
    """Told of new settings, on the event loop: those who keep some for themselves."""
